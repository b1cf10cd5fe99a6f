"""What an evaluation is made of: questions, the result of each, metrics over them, and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Split = Literal["train", "validation", "gate"]
JUDGE_FAILED = "the judge could not be asked"
"""What `ItemResult.judged` begins with where the judge met an error."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A place that answers a question: a document, or a part of it. `source` "" means any source that has `uri`."""

    uri: str
    source: str = ""
    heading: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A labelled question. One that is not `answerable` expects a refusal, and has neither `expected` nor `answers`.

    `question_hash` names its whole content (but not its id), so that an edited question is asked again.
    """

    question_id: str
    question: str
    expected: tuple[Expected, ...]
    answers: tuple[str, ...]
    answerable: bool
    tags: tuple[str, ...]
    split: Split
    question_hash: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A passage that a question retrieved, in the order of the ranking. `relevant`: it is where the answer is."""

    chunk_id: str
    document_id: str
    source: str
    uri: str
    heading_path: tuple[str, ...]
    page: int | None
    score: float
    relevant: bool


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What one question got. `scores`: metric → value, only those that apply to this question; an error counts 0.

    `error` is the sentence of the error that kept the question from being answered. `judged` is what the judge said of
    the answer, or why its verdict counts as a failure; empty where it was not asked.
    """

    question_id: str
    question_hash: str
    question: str
    tags: tuple[str, ...]
    sources: tuple[str, ...]
    answerable: bool
    scores: Mapping[str, float]
    retrieved: tuple[Retrieved, ...]
    answer: str
    refused: bool
    citations: tuple[Mapping[str, Any], ...]
    latency_ms: float
    cost_usd: float | None
    error: str | None = None
    judged: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ItemResult:
        """The inverse of `to_dict`, also after a round through JSON."""
        retrieved = tuple(
            Retrieved(**{**one, "heading_path": tuple(one["heading_path"])}) for one in values["retrieved"]
        )
        return cls(
            **{
                **values,
                "retrieved": retrieved,
                "tags": tuple(values["tags"]),
                "sources": tuple(values["sources"]),
                "citations": tuple(values["citations"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric over `n` questions, with its 95 % interval. `value` is None where no question has it."""

    value: float | None
    ci95: tuple[float, float] | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "ci95": list(self.ci95) if self.ci95 else None, "n": self.n}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One release content, measured with one set of questions.

    `items` are in the order of the questions. `orphaned` are questions whose expected documents the snapshot lacks:
    id → what is missing; they are reported and counted in no metric. `by_source` and `by_tag`: group → metric → value.
    """

    evaluation_id: str
    measured_id: str
    release_id: str
    snapshot_id: str
    questions_version: str
    items: tuple[ItemResult, ...]
    metrics: Mapping[str, Metric]
    by_source: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    by_tag: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    orphaned: Mapping[str, str] = field(default_factory=dict)
    reused_items: int = 0
