"""What a model was tuned on: every line of its training file, down to the file and line of the example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rag_assets.ledger import TunedModel
from rag_assets.project import Project
from rag_assets.tuning.training_file import ASSET, FOLDER, TrainingFile

ExampleState = Literal["unchanged", "changed", "gone"]


@dataclass(frozen=True, slots=True)
class LineTrace:
    """One line. `origin` is that of the time of writing, `origin_now` the present one, None when the example is gone.

    `changed`: its set now teaches something else for the same question. `also` asked the same in other sets. `chunks`
    are the passages in the order of the prompt, those that hold the answer marked as `right`.
    """

    split: str
    line: int
    prompt: str
    example_set: str
    origin: str
    origin_now: str | None
    state: ExampleState
    also: tuple[dict[str, Any], ...]
    chunks: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class TrainingFileTrace:
    """A training file. `model_id` is the tuned model that was asked for, `models` are all that were tuned on it."""

    file_id: str
    model_id: str | None
    models: tuple[str, ...]
    snapshot_id: str | None
    created_at: str | None
    run_id: str | None
    examples: dict[str, int]
    lines: tuple[LineTrace, ...]


def find_training_file(project: Project, text: str) -> tuple[TrainingFile, TunedModel | None] | None:
    """The training file with the id `text`, or that of the tuned model with that id.

    Raises `TuningError` when the file of a tuned model is gone.
    """
    data_path = project.settings.data_path
    model = project.ledger.tuned_model(text)
    if model is not None:
        return TrainingFile.open(data_path, model.training_file), model
    if text.isalnum() and (data_path / FOLDER / text).is_dir():
        return TrainingFile.open(data_path, text), None
    return None


def trace_training_file(project: Project, file: TrainingFile, model: TunedModel | None = None) -> TrainingFileTrace:
    """Where every line of `file` comes from."""
    runs = [run for run in project.ledger.stage_runs(ASSET, "") if run.data_version == file.file_id]
    present = _present(project, {origin["set"] for origin in file.origins()})
    numbers = {"train": 0, "validation": 0}
    lines = []
    for origin in file.origins():
        numbers[origin["split"]] += 1
        lines.append(_line(origin, numbers[origin["split"]], present.get(origin["example"])))
    return TrainingFileTrace(
        file_id=file.file_id,
        model_id=model.model_id if model else None,
        models=tuple(one.model_id for one in project.ledger.tuned_models() if one.training_file == file.file_id),
        snapshot_id=file.manifest.get("snapshot_id"),
        created_at=file.manifest.get("created_at"),
        run_id=runs[-1].run_id if runs else None,
        examples=dict(file.manifest.get("examples", {})),
        lines=tuple(lines),
    )


def _present(project: Project, sets: set[str]) -> dict[str, tuple[str, str]]:
    """Example → its row hash and origin as its set has it now."""
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(sets):
        rows = project.store.training_examples(name).rows(["example_id", "row_hash", "origin"]).to_pylist()
        found |= {row["example_id"]: (row["row_hash"], row["origin"]) for row in rows}
    return found


def _line(origin: dict[str, Any], number: int, now: tuple[str, str] | None) -> LineTrace:
    state: ExampleState = "gone" if now is None else "unchanged" if now[0] == origin["row_hash"] else "changed"
    return LineTrace(
        split=origin["split"],
        line=number,
        prompt=origin["prompt"],
        example_set=origin["set"],
        origin=origin["origin"],
        origin_now=now[1] if now else None,
        state=state,
        also=tuple(origin["also"]),
        chunks=tuple(origin["chunks"]),
    )
