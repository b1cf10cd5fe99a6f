"""Golden questions as examples: those of the split train, and never one of the others."""

from __future__ import annotations

from collections.abc import Iterable

from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.tuning.examples.model import Example


def golden_examples(questions: Iterable[GoldenQuestion], *, set_name: str) -> list[Example]:
    """The examples of the questions of the split train. One that accepts no answer teaches none, and is left out."""
    return [
        Example(
            example_set=set_name,
            kind="golden",
            origin=f"golden:{question.question_id}",
            prompt=question.question,
            accepted=question.answers,
            expected=question.expected,
            answerable=question.answerable,
        )
        for question in questions
        if question.split == "train" and (question.answers or not question.answerable)
    ]
