"""The gate of leakage: nothing that judges a model may have been trained on, in whatever writing.

What leaks is a question. Compared are the training examples with the validation examples, and both with the golden
questions that nothing may be tuned on: those of the split gate, which decide, and those of the split validation, which
settings are chosen by. A question counts wherever it stands in an example: asked, in a turn of a conversation, as a
sample in the system message, or inside an answer.

Passages and answers are not compared. The passages are the documents, which every model is shown in service; two
questions about one page share them and are still two questions. Answers are short and shared by questions that are
not the same ("yes", "24 hours", the refusal). An answer that repeats a golden question together with its answer is
found by the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.asked import asked, mentioned
from rag_assets.tuning.gates.reading import Contents
from rag_assets.tuning.gates.similarity import near_duplicates
from rag_assets.tuning.gates.verdicts import LEAKAGE, LISTED_PLACES
from rag_assets.tuning.training_file import Split

RULES = "near duplicates@2"


@dataclass(frozen=True, slots=True)
class _Side:
    """Texts with the places that each stands in; equal texts are one."""

    texts: list[str]
    places: list[list[str]]

    @classmethod
    def of(cls, texts_and_places: Sequence[tuple[str, str]]) -> _Side:
        places: dict[str, list[str]] = {}
        for text, place in texts_and_places:
            places.setdefault(text, []).append(place)
        return cls(list(places), list(places.values()))


def judge_leakage(
    contents: Contents, held_out: Sequence[GoldenQuestion], threshold: float, subject: str
) -> GateVerdict:
    """Every near-duplicate by `near_duplicates`, named by its places; no text is repeated in the verdict."""
    golden = {
        split: _Side.of([(one.question, one.question_id) for one in held_out if one.split == split])
        for split in ("gate", "validation")
    }
    compared: list[tuple[str, _Side, _Side]] = [
        ("train and validation", _side(contents, "train", asked), _side(contents, "validation", asked))
    ]
    splits: tuple[Split, ...] = ("train", "validation")
    for split in splits:
        examples = _side(contents, split, mentioned)
        compared += [(f"{split} and golden {kind}", examples, questions) for kind, questions in golden.items()]
    leaks = {name: _leaks(contents, left, right, threshold) for name, left, right in compared}
    found = {name: leak for name, leak in leaks.items() if leak["pairs"]}
    questions = sum(len(side.texts) for side in golden.values())
    clean = f"no question of {len(contents.examples):,} examples is in both splits or among {questions:,} golden ones"
    return GateVerdict(
        gate=LEAKAGE,
        subject=subject,
        passed=not found,
        reason="; ".join(f"{leak['pairs']:,} times the same in {name} ({_first(leak)})" for name, leak in found.items())
        or clean,
        details={
            "leaks_total": sum(leak["pairs"] for leak in found.values()),
            "golden_questions": questions,
            "near_duplicate": threshold,
            "leaks": found,
        },
    )


def _side(contents: Contents, split: Split, texts_of: Callable[[dict[str, Any]], list[str]]) -> _Side:
    lines = ((line, example) for line, example in contents.examples if line.split == split)
    return _Side.of([(text, line.place) for line, example in lines for text in texts_of(example)])


def _leaks(contents: Contents, left: _Side, right: _Side, threshold: float) -> dict[str, Any]:
    matches = near_duplicates(left.texts, right.texts, threshold)
    nearest = sorted(matches.pairs, key=lambda pair: -pair.similarity)[:LISTED_PLACES]
    return {
        "pairs": matches.total,
        "examples": [
            {
                "example": left.places[pair.left][0],
                "origin": contents.origin_of(left.places[pair.left][0]),
                "same_as": right.places[pair.right][0],
                "words_shared": round(pair.similarity, 3),
            }
            for pair in nearest
        ],
    }


def _first(leak: dict[str, Any]) -> str:
    first = leak["examples"][0]
    origin = f", from {first['origin']}" if first["origin"] else ""
    return f"{first['example']}{origin} is {first['same_as']}"
