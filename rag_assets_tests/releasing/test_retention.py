"""What is kept of former releases, and what is let go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.errors import NoReleaseError
from rag_assets.releasing import PruneResult, is_kept, prune, roll_back
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, found_texts, ingest, refresh, release, serving

pytestmark = pytest.mark.slow

Released = tuple[SmallProject, list[str]]


def pruned(
    project: SmallProject, *, keep: int = 1, keep_days: int = 0, days: int = 0, dry: bool = False
) -> PruneResult:
    """Prunes as it would be done so many days from now."""
    with project.open() as opened:
        now = datetime.now(UTC) + timedelta(days=days)
        return prune(opened.store, opened.ledger, keep=keep, keep_days=keep_days, dry_run=dry, now=now)


def kept(project: SmallProject) -> list[str]:
    """The releases whose rows are kept, by the store's own pins, oldest first."""
    with project.open() as opened:
        releases = opened.ledger.releases()[::-1]
        return [one.release_id for one in releases if is_kept(opened.store, opened.snapshot(one.snapshot_id))]


def go_back(project: SmallProject, to: str | None = None) -> str:
    with project.open() as opened:
        return roll_back(
            opened.store, opened.ledger, sources=opened.source_names, to=to, by="a test", reason="wrong degrees"
        ).release_id


def test_what_serves_and_what_a_rollback_goes_to_always_stay(four_times: Released) -> None:
    project, (first, second, third, fourth) = four_times
    result = pruned(project, keep=1, days=400)
    assert (set(result.pruned), set(result.kept)) == ({first, second}, {third, fourth})
    assert kept(project) == [third, fourth]
    assert go_back(project) == third
    assert found_texts(project, "green tea") == ["# Tea\n\nGreen tea is brewed at eighty degrees."]


def test_the_newest_that_served_stay_and_those_that_served_lately(four_times: Released) -> None:
    project, (first, second, third, fourth) = four_times
    assert pruned(project, keep=1, keep_days=30, days=29).pruned == ()
    assert set(pruned(project, keep=3, days=400, dry=True).pruned) == {first}
    go_back(project, to=first)  # served last and first: what counts is when it served last
    assert set(pruned(project, keep=1, days=400, dry=True).pruned) == {second, third}
    assert kept(project) == [first, second, third, fourth]


def test_pruning_again_changes_nothing(four_times: Released) -> None:
    project, _ = four_times
    pruned(project, days=400)
    versions = project.lance_versions()
    again = pruned(project, days=400)
    assert (again.pruned, again.snapshots, again.forgotten_versions) == ((), (), 0)
    assert project.lance_versions() == versions


def test_nothing_goes_back_to_what_was_pruned(four_times: Released) -> None:
    project, (first, _, _, fourth) = four_times
    pruned(project, days=400)
    with pytest.raises(NoReleaseError, match=f"Release {first} was pruned at .* no longer kept") as refused:
        go_back(project, to=first)
    assert "releases list" in refused.value.fix
    assert serving(project) == fourth
    with project.open() as opened, pytest.raises(NoReleaseError, match="was pruned"):
        opened.ledger.serve(first, reason="behind the back of roll_back", by="a test")


def test_content_that_was_pruned_can_be_released_anew(four_times: Released, brew: Callable[[str], str]) -> None:
    project, releases = four_times
    pruned(project, days=400)
    again = brew("sixty")
    assert again not in releases
    assert kept(project)[-1] == again == serving(project)
    assert found_texts(project, "green tea") == ["# Tea\n\nGreen tea is brewed at sixty degrees."]


def test_a_pin_that_the_ledger_never_got_to_know_goes(four_times: Released) -> None:
    project, releases = four_times
    with project.open() as opened:
        opened.index.pin(1, "0" * 32)  # as a run leaves it that dies before it records the snapshot
        assert prune(opened.store, opened.ledger, keep=9, keep_days=9, dry_run=True).pruned == ()
        assert "0" * 32 in opened.index.pinned()
        assert prune(opened.store, opened.ledger, keep=9, keep_days=9).pruned == ()
        assert "0" * 32 not in opened.index.pinned()
    assert kept(project) == releases


def test_a_prune_that_died_is_finished_by_the_next(four_times: Released) -> None:
    project, (first, _, _, fourth) = four_times
    with project.open() as opened:
        due = opened.release(first).snapshot_id
        assert opened.ledger.mark_unpinned([due, opened.release(fourth).snapshot_id]) == [due]  # what serves is spared
        assert opened.index.pinned().keys() > {due}
    pruned(project, keep=10, days=400)
    with project.open() as opened:
        assert due not in opened.index.pinned()


def test_the_candidate_that_was_judged_last_stays_and_an_older_one_only_for_a_day(four_times: Released) -> None:
    project, _ = four_times
    snapshots = []
    for degrees in ("ten", "twenty"):
        project.write("wiki/tea.md", f"# Tea\n\nGreen tea is brewed at {degrees} degrees.\n")
        with project.open() as opened:
            ingest(opened)
            snapshots.append(candidate(opened, good=False).snapshot.snapshot_id)
    assert not set(snapshots) & set(pruned(project).snapshots)
    late = pruned(project, days=2)
    assert set(snapshots) & set(late.snapshots) == {snapshots[0]}
    with project.open() as opened:
        assert is_kept(opened.store, opened.snapshot(snapshots[1]))


def test_a_candidate_whose_rows_went_is_not_released(four_times: Released) -> None:
    project, _ = four_times
    project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at ten degrees.\n")
    with project.open() as opened:
        ingest(opened)
        content = candidate(opened)
        before = opened.ledger.serving()
        assert opened.ledger.mark_unpinned([content.snapshot.snapshot_id])
        with pytest.raises(NoReleaseError, match="was pruned"):
            release(opened, content)
        assert opened.ledger.serving() == before
    assert refresh(project) == serving(project)  # the next snapshot pins the same rows again
    assert kept(project)[-1] == serving(project)


def test_who_reads_a_version_goes_on_reading_it(four_times: Released) -> None:
    project, (first, *_) = four_times
    with project.open() as opened:
        snapshot = opened.snapshot(opened.release(first).snapshot_id)
        with opened.retriever(opened.release(first)) as retriever:
            pruned(project, days=400)
            assert [hit.text for hit in retriever.retrieve("green tea")] == [
                "# Tea\n\nGreen tea is brewed at sixty degrees."
            ]
        assert snapshot.version not in opened.index.pinned().values()


def test_origins_of_documents_that_nothing_holds_are_forgotten(four_times: Released) -> None:
    project, _ = four_times
    with project.open() as opened:
        (key,) = {document for document, _ in opened.ledger.document_version_keys()}
        assert len(opened.ledger.versions_of(key)) == 4
    assert pruned(project, days=400, dry=True).forgotten_versions == 2
    assert pruned(project, days=400).forgotten_versions == 2
    with project.open() as opened:
        assert len(opened.ledger.versions_of(key)) == 2
