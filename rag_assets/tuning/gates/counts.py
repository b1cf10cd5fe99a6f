"""The gate of the counts: enough examples to learn from, and enough to notice that nothing was learned."""

from __future__ import annotations

from collections import Counter

from rag_assets.config import TuningSettings
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.reading import Contents
from rag_assets.tuning.gates.verdicts import COUNTS

RULES = "counts@1"
ONE_SIDED = 0.9
FEW_VALIDATION_EXAMPLES = 10


def judge_counts(
    contents: Contents, answers: list[str], refusal: str, settings: TuningSettings, subject: str
) -> GateVerdict:
    """The minima of both splits. `answers`: of the training examples. What is merely one-sided is a warning."""
    train, validation = len(contents.of("train")), len(contents.of("validation"))
    reasons = [
        f"{count:,} {name} examples of at least {least:,}"
        for name, count, least in (
            ("training", train, settings.min_train_examples),
            ("validation", validation, settings.min_validation_examples),
        )
        if count < least
    ]
    warnings = _warnings(train, validation, answers, refusal)
    said = f"{train:,} training and {validation:,} validation examples"
    return GateVerdict(
        gate=COUNTS,
        subject=subject,
        passed=not reasons,
        reason="; ".join(reasons or [said, *warnings]),
        details={
            "train_examples": train,
            "validation_examples": validation,
            "refusals": sum(answer.strip() == refusal for answer in answers),
            "distinct_answers": len(set(answers)),
            "warnings": warnings,
        },
    )


def _warnings(train: int, validation: int, answers: list[str], refusal: str) -> list[str]:
    warnings = []
    if validation < FEW_VALIDATION_EXAMPLES:
        warnings.append(f"{validation:,} validation examples tell little about what is learned by heart")
    refusals = sum(answer.strip() == refusal for answer in answers)
    if train and refusals / train > ONE_SIDED:
        warnings.append(
            f"{refusals:,} of {train:,} answers are the refusal: a model trained on them refuses everything"
        )
    if len(answers) > 1:
        text, times = Counter(answers).most_common(1)[0]
        if times / len(answers) > ONE_SIDED and text.strip() != refusal:
            warnings.append(f"{times:,} of {len(answers):,} answers are the same")
    return warnings
