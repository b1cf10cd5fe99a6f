"""Examples that ask what judges, in sets that nobody writes for a training: the leaks that are left out by themselves.

People ask what the golden questions ask, and rate the answers; and of two golden questions in like words one may fall
into the split train and the other one into gate. To block the tuning for that, as the gate of leakage does where files
hold such a question, would only make somebody call a good answer bad, or remove a question that judges.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.tuning.building import LeftOut
from rag_assets.tuning.examples import Example
from rag_assets.tuning.gates.similarity import near_duplicates

OF_THE_PROJECT = ("golden", "ratings")
HELD_OUT = "it asks a golden question that models are judged or chosen by"


def without_held_out(
    examples: Sequence[Example], questions: Sequence[GoldenQuestion], threshold: float
) -> tuple[list[Example], list[LeftOut]]:
    """`examples` without those of the project's own that ask one of `questions`; and those.

    What is the same is said by the rule of the gate of leakage with `threshold`.
    """
    own = [example for example in examples if example.kind in OF_THE_PROJECT]
    asked = [question.question for question in questions]
    left_out: list[LeftOut] = []
    while pairs := near_duplicates([example.prompt for example in own], asked, threshold).pairs:
        same = {pair.left for pair in pairs}  # of many pairs only the first are told
        left_out += [LeftOut(own[at], HELD_OUT) for at in sorted(same)]
        own = [example for at, example in enumerate(own) if at not in same]
    gone = {one.example.example_id for one in left_out}
    return [example for example in examples if example.example_id not in gone], left_out
