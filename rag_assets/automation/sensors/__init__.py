"""The sensors. Each reads the configuration anew at every tick and says in its ticks what it did, or why nothing."""

from collections.abc import Sequence

import dagster as dg

from rag_assets.automation.sensors.examples import collect_changed_examples
from rag_assets.automation.sensors.failures import report_failures
from rag_assets.automation.sensors.files import watch_files
from rag_assets.automation.sensors.partitions import sync_sources
from rag_assets.automation.sensors.reports import ingest_reported
from rag_assets.automation.sensors.settled import release_when_settled
from rag_assets.automation.sensors.start_tuning import tune_when_examples_changed
from rag_assets.automation.sensors.tuning import poll_fine_tuning

SENSORS: Sequence[dg.SensorDefinition] = [
    sync_sources,
    watch_files,
    ingest_reported,
    release_when_settled,
    collect_changed_examples,
    tune_when_examples_changed,
    poll_fine_tuning,
    report_failures,
]

__all__ = ["SENSORS"]
