"""Checks that display what the gates said about exactly the newest training file, with the settings of now."""

import dagster as dg

from rag_assets.assets import training_file
from rag_assets.checks.gates import shown
from rag_assets.errors import TuningError
from rag_assets.resources.project import ProjectResource

DESCRIPTIONS = {
    "training_format": "Every line is in OpenAI's chat format.",
    "training_leakage": "No question of an example is in both splits, or among the golden questions that judge.",
    "training_counts": "There are enough training and validation examples.",
    "training_tokens": "No example is longer than the base model is trained on: none is cut.",
    "training_privacy": "No secret and no personal data is in the file. What was found is not repeated here.",
    "training_budget": "What a job on this file would cost is within the job's budget and what is left of the month's. "
    "It is judged again when the job is submitted.",
}
"""The gates of a training file, as `rag_assets.tuning.gates.TRAINING_GATES` lists them, and what each holds."""


def _check(gate: str, description: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=training_file, name=gate, blocking=True, description=description)
    def check(project: ProjectResource) -> dg.AssetCheckResult:
        from rag_assets.tuning.gates import training_subject
        from rag_assets.tuning.training_file import newest_training_file

        with project.open() as opened:
            try:
                file = newest_training_file(opened.ledger, opened.settings.data_path)
            except TuningError as error:
                return dg.AssetCheckResult(passed=False, description=str(error))
            subject = training_subject(opened, file, gate)
            return shown(opened.ledger.verdict(gate, subject), subject)

    return check


TUNING_CHECKS = [_check(gate, description) for gate, description in DESCRIPTIONS.items()]
