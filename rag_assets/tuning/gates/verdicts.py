"""What the gates of a training file are called, what each verdict is about, and what mends one that says no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rag_assets.fingerprints import fingerprint

FORMAT = "training_format"
LEAKAGE = "training_leakage"
COUNTS = "training_counts"
TOKENS = "training_tokens"
PRIVACY = "training_privacy"
BUDGET = "training_budget"
TRAINING_GATES = (FORMAT, LEAKAGE, COUNTS, TOKENS, PRIVACY, BUDGET)

LISTED_PLACES = 10

FIXES = {
    FORMAT: "Mend the examples on these lines where they come from, then materialize training_examples and "
    "training_file again.",
    LEAKAGE: "Remove these examples from their set, or reword them, and materialize training_file again. Questions "
    "that are alike on purpose can be kept with tuning.near_duplicate: 1, by which only equal words count.",
    COUNTS: "Add examples to a set below examples:, or lower tuning.min_train_examples or min_validation_examples.",
    TOKENS: "Shorten or remove these examples, lower tuning.passages, or set tuning.max_example_tokens.",
    PRIVACY: "Remove what was found where the examples come from. Personal data that may be trained on passes with "
    "tuning.allow_personal_data; keys and passwords never pass: revoke them as well.",
    BUDGET: "Use fewer examples or epochs (tuning.epochs), a cheaper tuning.base_model, or raise tuning.budget_usd or "
    "the limit below spend:.",
}


def subject_of_file(file_id: str, digest: str, **held_to: Any) -> str:
    """Names exactly one training file with the bytes it has, and what it is held to by the gate that is asked."""
    return f"training_file/{file_id}@{digest}/{fingerprint(**held_to)}"


class Findings:
    """What is wrong, by kind, with the places of the first of each; texts of the file are no part of it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def add(self, kind: str, place: str) -> None:
        """One more of `kind`."""
        self.counts[kind] += 1
        places = self._places.setdefault(kind, [])
        if len(places) < LISTED_PLACES and place not in places:
            places.append(place)

    def extend(self, found: Iterable[tuple[str, str]]) -> None:
        """Each of (kind, place)."""
        for kind, place in found:
            self.add(kind, place)

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def total(self) -> int:
        """How many of all kinds."""
        return self.counts.total()

    def __str__(self) -> str:
        """`3 not_json (train.jsonl:2, train.jsonl:9, …); 1 …`, the most frequent first."""
        return "; ".join(f"{count:,} {kind} ({self._first(kind)})" for kind, count in self.counts.most_common())

    def _first(self, kind: str) -> str:
        shown = self._places[kind][:3]
        return ", ".join(shown) + (", …" if self.counts[kind] > len(shown) else "")

    def details(self) -> dict[str, Mapping[str, Any]]:
        """Kind → `count` and up to ten `places`."""
        return {kind: {"count": count, "places": self._places[kind]} for kind, count in self.counts.most_common()}
