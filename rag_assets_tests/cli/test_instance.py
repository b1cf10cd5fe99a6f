"""What `dagster.yaml` promises, as Dagster itself reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.run_coordinator import QueuedRunCoordinator

from rag_assets.cli.instance import open_instance
from rag_assets.config import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance that the command line makes in an empty folder."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with open_instance(Settings(root=tmp_path)) as instance:
        assert instance.root_directory == str(tmp_path / "home")
        yield instance


def test_the_file_of_the_repository_is_the_shipped_one() -> None:
    assert (ROOT / "dagster.yaml").read_bytes() == (ROOT / "rag_assets/cli/dagster.yaml").read_bytes()


def test_nothing_is_sent_and_nobody_is_asked_to_sign_up(instance: dg.DagsterInstance) -> None:
    assert (instance.telemetry_enabled, instance.nux_enabled) == (False, False)


def test_runs_are_queued_and_one_source_has_one_run_at_a_time(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
    assert instance.run_coordinator.dequeue_interval_seconds == 1
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 4
    assert queue.tag_concurrency_limits == [
        {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


def test_a_hung_run_ends_and_gives_its_slots_back(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 6 * 3_600
    assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 60


def test_a_file_that_is_there_already_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    own = tmp_path / "dagster.yaml"
    own.write_text("telemetry: {enabled: true}\n", "utf-8")
    with open_instance(Settings(root=tmp_path)) as instance:
        assert instance.telemetry_enabled
    assert own.read_text("utf-8") == "telemetry: {enabled: true}\n"
