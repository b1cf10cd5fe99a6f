"""What Dagster recorded of the runs of a project: how long each step took, and what it materialized."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA_VERSION = "dagster/data_version"
STAGES = ("raw_documents", "chunks", "embeddings", "vector_index")


@dataclass(frozen=True)
class Recorded:
    """One run: seconds by step, checks in it included; metadata and data version of what each asset materialized."""

    partition: str | None
    seconds: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    data_versions: dict[str, str] = field(default_factory=dict)

    @property
    def stages_seconds(self) -> float:
        """The four stages of ingestion."""
        return sum(self.seconds.get(stage, 0.0) for stage in STAGES)


def runs_since(project: Path, since: float) -> list[Recorded]:
    """The runs of the project in folder `project` that were created at or after `since` (seconds since 1970)."""
    import dagster as dg

    home = str(project / ".rag_assets" / "dagster")
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = home
    try:
        with dg.DagsterInstance.from_config(home) as instance:
            return [
                _recorded(
                    record.dagster_run.tags.get("dagster/partition"), instance.all_logs(record.dagster_run.run_id)
                )
                for record in instance.get_run_records()
                if record.create_timestamp.timestamp() >= since
            ]
    finally:
        os.environ.pop("DAGSTER_HOME")
        if before is not None:
            os.environ["DAGSTER_HOME"] = before


def _recorded(partition: str | None, entries: Iterable[Any]) -> Recorded:
    import dagster as dg

    from rag_assets.assets.metadata import numbers

    found, started = Recorded(partition), dict[str, float]()
    for entry in entries:
        event = entry.dagster_event
        if event is None:
            continue
        step = str(event.step_key)
        if event.event_type == dg.DagsterEventType.STEP_START:
            started[step] = entry.timestamp
        elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            found.seconds[step] = entry.timestamp - started[step]
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            made, name = event.step_materialization_data.materialization, event.asset_key.path[-1]
            found.metadata[name] = numbers(made.metadata)
            if made.tags and DATA_VERSION in made.tags:
                found.data_versions[name] = made.tags[DATA_VERSION]
    return found
