"""The sensor that keeps partitions in step never drops what a half-written or emptied configuration took away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import pytest
import typer

from rag_assets.assets import sync_partitions
from rag_assets.automation.sensors import partitions
from rag_assets.cli.ingest import ingest as ingest_command
from rag_assets.ledger import Watch
from rag_assets_tests.cli.command import rag_assets
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

pytestmark = pytest.mark.slow

NOW = datetime(2026, 6, 1, 6, 30, tzinfo=UTC)
NAMES = ("bread", "tea", "wine")


@dataclass
class Syncing:
    """The sensor with the cursor that the daemon would keep."""

    project: SmallProject
    cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        with self.project.open() as opened:
            result = partitions.tick(opened, self.project.instance, self.cursor)
        self.cursor = result.cursor
        return result

    def said(self) -> str:
        result = self.tick()
        assert result.skip_reason is not None
        return str(result.skip_reason.skip_message)


def known(project: SmallProject) -> list[str]:
    return sorted(project.instance.get_dynamic_partitions("sources"))


def stored(project: SmallProject) -> list[str]:
    with project.open() as opened:
        return opened.store.sources()


@pytest.fixture
def house(small_project: SmallProject) -> SmallProject:
    """Three released sources."""
    small_project.configure(**dict.fromkeys(NAMES, ""))
    for name in NAMES:
        small_project.write(f"{name}/a.md", f"# {name.title()}\n\nThe {name} is kept in the cellar.\n")
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def test_an_emptied_file_removes_nothing_and_all_is_well_once_it_is_back(house: SmallProject) -> None:
    before, versions, text = serving(house), house.lance_versions(), house.config_file.read_text("utf-8")
    syncing = Syncing(house)
    syncing.tick()
    for emptied in ("", "# nothing\n", "sources:\n", "sources: {}\n"):
        house.config_file.write_text(emptied, "utf-8")
        for _ in range(3):
            assert "held, for 3 of 3 sources are gone from the configuration at once" in syncing.said()
        assert known(house) == list(NAMES)
        finding = next(
            one for one in rag_assets(house.root, "doctor", "--json").json if one["name"] == "removed sources"
        )
        assert not finding["ok"]
        assert "rag-assets sources remove bread" in finding["fix"]
        assert "--confirm-removals" not in finding["fix"], "ingest has nothing to do without a source"
    house.config_file.write_text(text, "utf-8")
    assert syncing.said() == "3 sources configured."
    assert (serving(house), house.lance_versions(), stored(house)) == (before, versions, list(NAMES))
    assert len(found_texts(house, "cellar")) == 3
    with house.open() as project:
        assert (project.ledger.denied().sources, project.ledger.holds()) == (frozenset(), [])


def test_most_of_the_sources_stay_held_and_nothing_is_released_without_them(house: SmallProject) -> None:
    before = serving(house)
    house.configure(tea="")
    syncing = Syncing(house)
    for _ in range(3):
        assert "bread, wine: held, for 2 of 3 sources are gone" in syncing.said()
    outcome = ingest(house)
    assert outcome.release is not None
    assert "bread, wine: held" in str(outcome.release.error)
    assert (serving(house), stored(house)) == (before, list(NAMES))

    removed = rag_assets(house.root, "sources", "remove", "bread")
    assert removed.code == 0, removed.err
    for _ in range(2):
        assert "wine: held" in syncing.said(), "agreed to bread alone"
    assert stored(house) == ["tea", "wine"]


def test_a_person_agrees_to_all_of_them(house: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(house.root / "home"))
    house.configure(tea="")
    with pytest.raises(typer.Exit):
        ingest_command()
    ingest_command(source=["tea"], confirm_removals=True, release=False)
    assert stored(house) == list(NAMES), "agreed to what is gone from tea"
    ingest_command(confirm_removals=True)
    assert stored(house) == ["tea"]
    assert len(found_texts(house, "cellar")) == 1


def test_one_source_goes_when_two_looks_missed_it(house: SmallProject) -> None:
    syncing = Syncing(house)
    syncing.tick()
    for _ in range(2):  # half-written each time, whole again at the next look
        house.configure(bread="", tea="")
        assert "Gone from the configuration: wine; removed if the next look misses it too." in syncing.said()
        house.configure(**dict.fromkeys(NAMES, ""))
        assert syncing.said() == "3 sources configured."
    assert stored(house) == list(NAMES)
    house.configure(bread="", tea="")
    syncing.tick()
    assert "Removed: wine; not answered from any more." in syncing.said()
    assert (known(house), stored(house)) == (["bread", "tea"], ["bread", "tea"])
    with house.open() as project:
        assert project.ledger.denied().sources == {"wine"}


def test_the_last_source_removed_by_command_is_gone(house: SmallProject) -> None:
    for name in NAMES:
        assert rag_assets(house.root, "sources", "remove", name).code == 0
    syncing = Syncing(house)
    syncing.tick()
    assert "held" not in syncing.said()
    assert (known(house), stored(house)) == ([], [])


def test_a_source_without_documents_may_go(small_project: SmallProject) -> None:
    small_project.configure(a="", b="")
    with small_project.open() as project:
        sync_partitions(small_project.instance, project)
    small_project.configure()
    with small_project.open() as project:
        assert sync_partitions(small_project.instance, project).removed == ("a", "b")


def test_a_pause_and_its_end_are_verdicts_of_the_check(small_project: SmallProject) -> None:
    small_project.configure("automation: {sync_sources: false}", wiki="", news="")
    syncing = Syncing(small_project)
    assert syncing.tick().asset_events == []
    with small_project.open() as project:
        project.ledger.record_watch(Watch("wiki", "", 3, 5, "The key is refused.", NOW, NOW, NOW, NOW))
    (event,) = syncing.tick().asset_events
    assert isinstance(event, dg.AssetCheckEvaluation)
    assert (event.check_name, event.partition, event.passed) == ("watch_running", "wiki", False)
    assert event.severity == dg.AssetCheckSeverity.WARN
    assert event.description == (
        "wiki paused since 2026-06-01 06:30 UTC after 5 failures in a row: The key is refused. "
        "Mend that, then run: rag-assets sources resume wiki"
    )
    small_project.instance.report_runless_asset_event(event)
    assert syncing.tick().asset_events == [], "once"
    with small_project.open() as project:
        project.ledger.record_watch(Watch("wiki", "", 3, 0, "", NOW, NOW, NOW))
    (event,) = syncing.tick().asset_events
    assert isinstance(event, dg.AssetCheckEvaluation)
    assert event.passed
