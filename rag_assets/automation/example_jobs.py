"""The job that brings one set of examples up to date."""

import dagster as dg

from rag_assets.assets import training_examples

collect_examples = dg.define_asset_job(
    name="collect_examples",
    selection=dg.AssetSelection.assets(training_examples),
    executor_def=dg.in_process_executor,
    description="Brings one set of examples up to date. Trains nothing.",
)
