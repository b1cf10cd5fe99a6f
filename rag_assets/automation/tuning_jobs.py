"""The jobs of tuning: from a training file to a job at the provider, and from its end to a champion."""

import dagster as dg

from rag_assets.assets import fine_tuned_model, fine_tuning_job, model_comparison, training_file

tune_model = dg.define_asset_job(
    name="tune_model",
    selection=dg.AssetSelection.assets(training_file, fine_tuning_job),
    executor_def=dg.in_process_executor,
    description="Writes the training file, judges it, and submits a tuning job unless a gate or a budget forbids it. "
    "Waits for nothing: finish_tuning is launched when the job ends.",
)

finish_tuning = dg.define_asset_job(
    name="finish_tuning",
    selection=dg.AssetSelection.assets(fine_tuned_model, model_comparison),
    executor_def=dg.in_process_executor,
    description="Takes in a tuning job that ended: its model, or the provider's reason. Then compares the model with "
    "the one that answers, and releases the better.",
)
