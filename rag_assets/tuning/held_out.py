"""Rated answers to the golden questions that judge: the one kind of leak that nobody can take out of a file.

People ask what the golden questions ask, and rate the answers. To block the tuning for that, as the gate of leakage
does where files hold such a question, would only make somebody call a good answer bad.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.tuning.building import LeftOut
from rag_assets.tuning.examples import Example
from rag_assets.tuning.gates.similarity import near_duplicates

HELD_OUT = "it asks a golden question that models are judged or chosen by"


def without_held_out(
    examples: Sequence[Example], questions: Sequence[GoldenQuestion], threshold: float
) -> tuple[list[Example], list[LeftOut]]:
    """`examples` without the rated ones that ask one of `questions`, by the rule of the gate of leakage; and those."""
    rated = [example for example in examples if example.kind == "ratings"]
    asked = [question.question for question in questions]
    left_out: list[LeftOut] = []
    while pairs := near_duplicates([example.prompt for example in rated], asked, threshold).pairs:
        same = {pair.left for pair in pairs}  # of many pairs only the first are told
        left_out += [LeftOut(rated[at], HELD_OUT) for at in sorted(same)]
        rated = [example for at, example in enumerate(rated) if at not in same]
    gone = {one.example.example_id for one in left_out}
    return [example for example in examples if example.example_id not in gone], left_out
