"""What Dagster recorded of the runs of a project: how long each step took, and what it materialized."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAGES = ("raw_documents", "chunks", "embeddings", "vector_index")


@dataclass(frozen=True)
class Recorded:
    """Seconds and materialization metadata by step, summed over the runs that were looked at."""

    seconds: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def stages_seconds(self) -> float:
        """The four stages of ingestion, the checks in their steps included."""
        return sum(self.seconds.get(stage, 0.0) for stage in STAGES)

    def total(self, key: str) -> int:
        """The sum of a metadata entry over all assets."""
        return sum(int(values.get(key) or 0) for values in self.metadata.values())


def runs_since(project: Path, since: float) -> Recorded:
    """The runs of the project in folder `project` that were created at or after `since` (seconds since 1970)."""
    import dagster as dg

    from rag_assets.assets.metadata import numbers

    home = str(project / ".rag_assets" / "dagster")
    os.environ["DAGSTER_HOME"] = home
    seconds: dict[str, float] = defaultdict(float)
    metadata: dict[str, dict[str, Any]] = {}
    with dg.DagsterInstance.from_config(home) as instance:
        for record in instance.get_run_records():
            if record.create_timestamp.timestamp() < since:
                continue
            started: dict[str, float] = {}
            for entry in instance.all_logs(record.dagster_run.run_id):
                event = entry.dagster_event
                if event is None:
                    continue
                if event.event_type == dg.DagsterEventType.STEP_START:
                    started[str(event.step_key)] = entry.timestamp
                elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
                    seconds[str(event.step_key)] += entry.timestamp - started[str(event.step_key)]
                elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
                    made = event.step_materialization_data.materialization
                    metadata[event.asset_key.path[-1]] = numbers(made.metadata)
    os.environ.pop("DAGSTER_HOME")
    return Recorded(dict(seconds), metadata)
