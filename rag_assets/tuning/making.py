"""Makes the training file that the collected examples, the newest judged snapshot and the configuration ask for.

The same inputs are the same file: what came of them is remembered, and then nothing is searched and nothing written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rag_assets.answering import Retriever
from rag_assets.errors import TuningError
from rag_assets.fingerprints import fingerprint, sha256_hex
from rag_assets.ingestion.results import Progress, no_progress
from rag_assets.ledger import Denied
from rag_assets.prompts.writing import load_write_prompts
from rag_assets.releasing import ReleaseContent, candidate
from rag_assets.tuning.building import Built, LeftOut, build_lines
from rag_assets.tuning.conversations import Builder
from rag_assets.tuning.examples import Example, examples_version, stored_examples
from rag_assets.tuning.gates import held_out_questions
from rag_assets.tuning.held_out import without_held_out
from rag_assets.tuning.keeping import keep, remember, remembered
from rag_assets.tuning.passages import Passages
from rag_assets.tuning.training_file import SPLITS, TrainingFile
from rag_assets.tuning.tuned_base import TunedBase, tuned_base

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project

FORMAT = "training file@1"
LEFT_OUT_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class TrainingFileResult:
    """The file for these inputs. `new`: it did not exist before. `manifest` is what was found out about the inputs."""

    file: TrainingFile
    new: bool
    manifest: Mapping[str, Any]


def make_training_file(
    project: Project, *, usage: UsageSink | None = None, progress: Progress = no_progress
) -> TrainingFileResult:
    """Builds the training file, or finds it. Raises `TuningError` where no example can be used, and `NoReleaseError`.

    Examples without a passage to stand on are left out and counted by reason; see `conversations`.
    """
    data_path = project.settings.data_path
    content = project.content(candidate(project.ledger))
    base = tuned_base(project.settings)
    sets = {name: stored_examples(project.store.training_examples(name)) for name in sorted(project.settings.examples)}
    threshold = project.settings.tuning.near_duplicate
    collected = [example for examples in sets.values() for example in examples]
    examples, held_out = without_held_out(collected, held_out_questions(project), threshold)
    with project.retriever(content, usage=usage) as retriever:
        inputs = _inputs(project, content, base, sets, held_out, retriever)
        if known := remembered(data_path, inputs):
            return TrainingFileResult(known[0], False, known[1])
        built = build_lines(
            examples,
            _builder(project, content, base, retriever),
            validation_share=project.settings.tuning.validation_share,
            progress=progress,
        )
    built = Built(built.lines, (*held_out, *built.left_out))
    if not built.lines:
        raise _nothing_to_train_on(sets, built)
    manifest = _manifest(project, content, base, sets, built)
    file, new = keep(data_path, built, manifest)
    remember(data_path, inputs, file, manifest)
    return TrainingFileResult(file, new, manifest)


def _builder(project: Project, content: ReleaseContent, base: TunedBase, retriever: Retriever) -> Builder:
    folder = project.settings.prompts_dir
    return Builder(
        passages=Passages(retriever),
        prompts=content.prompts,
        prompts_dir=project.settings.resolve(folder) if folder else None,
        embedded=base.kind == "embedded",
        shown=project.settings.tuning.passages,
        seed=project.settings.tuning.seed,
        max_question_characters=content.answering.max_question_characters,
    )


def _inputs(
    project: Project,
    content: ReleaseContent,
    base: TunedBase,
    sets: Mapping[str, Sequence[Example]],
    held_out: Sequence[LeftOut],
    retriever: Retriever,
) -> str:
    """Names everything that the lines depend on."""
    tuning = project.settings.tuning
    folder = project.settings.prompts_dir
    writing = load_write_prompts(project.settings.resolve(folder) if folder else None)
    return fingerprint(
        format=FORMAT,
        sets={name: examples_version(examples) for name, examples in sets.items()},
        held_out=sorted(one.example.example_id for one in held_out),
        snapshot=content.snapshot.snapshot_id,
        prompts=content.prompts.fingerprint,
        writing=[writing.system, writing.user],
        embedding=content.embedding.model_dump(mode="json"),
        retrieval=content.retrieval.model_dump(mode="json"),
        question_characters=content.answering.max_question_characters,
        embedded=base.kind == "embedded",
        tuning=[tuning.passages, tuning.seed, tuning.validation_share],
        hidden=_hidden(retriever.denied()),
        visible=sorted(retriever.visible_sources),
    )


def _hidden(denied: Denied) -> str:
    return sha256_hex("\0".join([*sorted(denied.documents), "", *sorted(denied.sources)]))


def _manifest(
    project: Project,
    content: ReleaseContent,
    base: TunedBase,
    sets: Mapping[str, Sequence[Example]],
    built: Built,
) -> dict[str, Any]:
    tuning = project.settings.tuning
    return {
        "created_at": datetime.now(UTC).isoformat(),
        "examples": {split: len(built.of(split)) for split in SPLITS},
        "snapshot_id": content.snapshot.snapshot_id,
        "prompts": content.prompts.fingerprint,
        "base": {"provider": base.provider, "model": base.model, "kind": base.kind},
        "sets": {name: examples_version(examples) for name, examples in sets.items()},
        "settings": tuning.model_dump(mode="json", include={"passages", "seed", "validation_share"}),
        "collected": sum(map(len, sets.values())),
        "joined": built.joined,
        "passages_put_in": built.put_in,
        "unanswerable": sum(not line.example.answerable for line in built.lines),
        "reasons": built.reasons,
        "left_out": [
            {"set": one.example.example_set, "origin": one.example.origin, "reason": one.reason}
            for one in built.left_out[:LEFT_OUT_LISTED]
        ],
    }


def _nothing_to_train_on(sets: Mapping[str, Sequence[Example]], built: Built) -> TuningError:
    if not sets:
        return TuningError("No set of examples is configured.", fix="Name some under examples in rag_assets.yaml.")
    if not built.left_out:
        return TuningError(
            f"The sets of examples hold nothing: {', '.join(sets)}.", fix="Materialize training_examples of each first."
        )
    reasons = "; ".join(f"{count:,}: {reason}" for reason, count in built.reasons.items())
    return TuningError(
        f"None of the {len(built.left_out):,} examples can be trained on: {reasons}.",
        fix="Mend the examples, or ingest the documents that they stand on.",
    )
