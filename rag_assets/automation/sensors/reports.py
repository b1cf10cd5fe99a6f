"""Ingests the sources that other systems report new data of."""

from __future__ import annotations

import json
from collections.abc import Collection

import dagster as dg

from rag_assets.assets import SOURCES, sync_partitions
from rag_assets.assets.external import source_updates
from rag_assets.automation.jobs import ingest_source
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

REPORTS_PER_TICK = 200


@dg.sensor(
    job=ingest_source,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ingests a source when another system reported on the asset source_updates that it has new data, also "
    "when its files are not watched. Reports that came while nothing ran are not lost.",
)
def ingest_reported(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SensorResult:
    with project.open() as opened:
        return tick(opened, context.instance, context.cursor)


def tick(project: Project, instance: dg.DagsterInstance, cursor_text: str | None) -> dg.SensorResult:
    """One launch for each source that was reported since the report in the cursor."""
    after = json.loads(cursor_text)["after"] if cursor_text else 0
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=source_updates.key, after_storage_id=after),
        limit=REPORTS_PER_TICK,
        ascending=True,
    )
    reported = list(dict.fromkeys(record.partition_key or "" for record in found.records))
    after = max((record.storage_id for record in found.records), default=after)
    wanted = [name for name in reported if name in project.settings.sources]
    if set(wanted) - set(instance.get_dynamic_partitions(str(SOURCES.name))):
        sync_partitions(instance, project, removable=())  # a report may come before the sensor that adds new sources
    tags = {"rag_assets/launched_by": "report on source_updates"}
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=name, tags=tags) for name in wanted],
        skip_reason=None if wanted else _reason(reported, project.source_names),
        cursor=json.dumps({"after": after}),
    )


def _reason(reported: Collection[str], known: Collection[str]) -> str:
    if not reported:
        return "No new report on source_updates."
    unknown = ", ".join(repr(name) if name else "a report without a source" for name in reported)
    return f"Ignored, for no source has this name: {unknown}. Configured: {', '.join(known) or 'none'}."
