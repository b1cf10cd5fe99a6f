"""The composition root: everything Dagster loads, on one screen."""

import dagster as dg

from rag_assets.assets import INGESTION_ASSETS, RELEASE_ASSETS, TUNING_ASSETS
from rag_assets.assets.external import source_updates
from rag_assets.assets.maintenance import maintenance
from rag_assets.assets.previews import with_source_code
from rag_assets.assets.spending import spend_report
from rag_assets.automation import JOBS, SCHEDULES, SENSORS
from rag_assets.checks import CHECKS
from rag_assets.resources.openai import ProviderResource
from rag_assets.resources.project import ProjectResource

defs = dg.Definitions(
    assets=[
        source_updates,
        *with_source_code([*INGESTION_ASSETS, *RELEASE_ASSETS, *TUNING_ASSETS, maintenance, spend_report]),
    ],
    asset_checks=CHECKS,
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"project": ProjectResource(), "models": ProviderResource()},
)
