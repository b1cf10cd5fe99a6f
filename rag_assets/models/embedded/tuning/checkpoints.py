"""Models on the way to a job's model: the reader after each of its last epochs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from rag_assets.failpoints import failpoint
from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.tuning.database import Database
from rag_assets.models.embedded.tuning.ids import checkpoint_model_id, new_id, now
from rag_assets.models.embedded.tuning.models import insert_model, keep_reader, remove_readers
from rag_assets.models.embedded.tuning.records import add_event

KEPT = 3
"""OpenAI keeps as many: https://platform.openai.com/docs/guides/supervised-fine-tuning#checkpoint-models"""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one job, for the process that holds its lock; `letters` are those of the job's `model`."""

    database: Database
    job_id: str
    model: str
    letters: str

    def keep(self, step: int, reader: TunedReader, metrics: Mapping[str, float | None]) -> None:
        """Puts the reader as it is after `step` into service, once, and takes those before the last few out of it."""
        name = f"{self.letters}.ckpt-{step}"
        keep_reader(self.database, name, reader)
        failpoint("tuning.checkpoint")
        model = checkpoint_model_id(self.model, step)
        with self.database.writing(durable=False) as connection:
            insert_model(connection, model, self.job_id, name)
            connection.execute(
                "INSERT OR IGNORE INTO checkpoints (id, job, step, created_at, model, metrics)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [new_id("ftckpt"), self.job_id, step, now(), model, json.dumps(metrics)],
            )
            add_event(connection, self.job_id, f"checkpoint {step}", f"Checkpoint created at step {step}")
            surplus = connection.execute(
                "DELETE FROM checkpoints WHERE job = ? AND step NOT IN"
                " (SELECT step FROM checkpoints WHERE job = ? ORDER BY step DESC LIMIT ?) RETURNING model",
                [self.job_id, self.job_id, KEPT],
            ).fetchall()
            gone = [
                connection.execute("DELETE FROM models WHERE id = ? RETURNING folder", [row["model"]]).fetchone()
                for row in surplus
            ]
        remove_readers(self.database, [row["folder"] for row in gone if row])
