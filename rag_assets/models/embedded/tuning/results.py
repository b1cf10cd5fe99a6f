"""The file that a finished job leaves: the course of its training, in the columns of OpenAI's."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence

from rag_assets.models.embedded.reader.tuning import Step

FILENAME = "step_metrics.csv"
COLUMNS = ("step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy")


def results_content(steps: Sequence[Step]) -> bytes:
    """The CSV as OpenAI serves it, in base64. Where nothing was measured, a cell is empty.

    Accuracy is the share of examples whose most probable sentence is a right one: the reader chooses sentences, and
    has no tokens to predict.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for step in steps:
        values = (step.train_loss, step.train_accuracy, step.valid_loss, step.valid_accuracy)
        writer.writerow([step.step, *("" if value is None else repr(float(value)) for value in values)])
    return base64.b64encode(table.getvalue().encode())
