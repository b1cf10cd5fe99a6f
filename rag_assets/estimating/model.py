"""What an estimate says, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """Documents by what a run would do with them. `held`: gone, and kept until a person agrees to their removal.

    `failing` ones cannot be read or cut as they are and keep what is stored of them.
    """

    add: int = 0
    change: int = 0
    remove: int = 0
    unchanged: int = 0
    failing: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """Chunks by their ids: a chunk that only moved is kept."""

    add: int = 0
    remove: int = 0
    keep: int = 0


@dataclass(frozen=True, slots=True)
class SourceEstimate:
    """What a run would do to one source, or to all together.

    `texts_to_embed` are the inputs that have no vector in the embedding space yet; one that two sources share is
    counted with the first. `tokens` is what all chunks would have, which `budget_tokens` limits. `cost_usd` is None
    where the price is unknown. `intervals`: figures that come from a sample → where each lies with 95 % confidence.
    """

    documents: DocumentCounts = DocumentCounts()
    chunks: ChunkCounts = ChunkCounts()
    texts_to_embed: int = 0
    tokens_to_embed: int = 0
    requests: int = 0
    cost_usd: float | None = 0.0
    tokens: int = 0
    budget_tokens: int | None = None
    opened: int = 0
    sampled_documents: int = 0
    due_documents: int = 0
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationChange:
    """The generation that a run would build. `new`: nothing is indexed in it yet.

    `changed`: in words, what is different from the generation that answers are given from (`serving`).
    """

    generation: str
    serving: str | None
    new: bool
    rows: int
    changed: tuple[str, ...]

    @property
    def is_another(self) -> bool:
        """Whether it is not the one that serves."""
        return self.serving is not None and self.serving != self.generation

    def __str__(self) -> str:
        if self.serving is None:
            return f"generation {self.generation}: the first one; nothing is released yet"
        if not self.is_another:
            return f"generation {self.generation}: the one that serves"
        what = "new" if self.new else f"there with {self.rows:,} rows"
        changed = "; ".join(self.changed) or "its parts were not recorded"
        return f"generation {self.generation}: {what}, beside {self.serving}, which serves: {changed}"


@dataclass(frozen=True, slots=True)
class EvaluationEstimate:
    """The golden questions that would be asked before a release, and at most how many calls that takes.

    `to_ask` of `questions` have no result for the same content; `baseline_to_ask` would be asked of what serves, to
    compare with. Calls whose answer is in the ledger are not made. Tokens and cost are estimates by average lengths.
    """

    questions: int = 0
    to_ask: int = 0
    baseline_to_ask: int = 0
    query_embeddings: int = 0
    answer_calls: int = 0
    judge_calls: int = 0
    estimated_input_tokens: int = 0
    estimated_output_tokens: int = 0
    estimated_cost_usd: float | None = 0.0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would do. `exact` is False where counts come from a sample of the documents.

    `embeddings_bytes`: embedding space → what its stored vectors take.
    """

    settings: tuple[str, ...]
    generation: GenerationChange
    sources: Mapping[str, SourceEstimate]
    total: SourceEstimate
    evaluation: EvaluationEstimate
    embeddings_bytes: Mapping[str, int]
    seconds: float
    budgets: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return self.total.sampled_documents == self.total.due_documents

    @property
    def cost_usd(self) -> float | None:
        """Embeddings and evaluation together; None where either price is unknown."""
        return _sum([self.total.cost_usd, self.evaluation.estimated_cost_usd])

    @property
    def limits(self) -> tuple[str, ...]:
        """What would stop a source, with its name in front, and what the month's budgets would."""
        of_sources = [f"{name}: {said}" for name, one in self.sources.items() for said in one.limits]
        return (*of_sources, *self.budgets)

    def to_dict(self) -> dict[str, Any]:
        return {
            "settings": list(self.settings),
            "exact": self.exact,
            "generation": asdict(self.generation),
            "sources": {name: _without_empty(asdict(one)) for name, one in self.sources.items()},
            "total": _without_empty(asdict(self.total)),
            "evaluation": asdict(self.evaluation),
            "cost_usd": self.cost_usd,
            "limits": list(self.limits),
            "embeddings_bytes": dict(self.embeddings_bytes),
            "seconds": round(self.seconds, 3),
        }


def total_of(sources: Iterable[SourceEstimate]) -> SourceEstimate:
    """The sums. Intervals of independent samples add like standard deviations."""
    every = list(sources)
    return SourceEstimate(
        documents=DocumentCounts(**_summed(asdict(one.documents) for one in every)),
        chunks=ChunkCounts(**_summed(asdict(one.chunks) for one in every)),
        texts_to_embed=sum(one.texts_to_embed for one in every),
        tokens_to_embed=sum(one.tokens_to_embed for one in every),
        requests=sum(one.requests for one in every),
        cost_usd=_sum(one.cost_usd for one in every),
        tokens=sum(one.tokens for one in every),
        opened=sum(one.opened for one in every),
        sampled_documents=sum(one.sampled_documents for one in every),
        due_documents=sum(one.due_documents for one in every),
        intervals=_joined(every),
    )


def _joined(sources: list[SourceEstimate]) -> dict[str, Interval]:
    names = dict.fromkeys(name for one in sources for name in one.intervals)
    joined = {}
    for name in names:
        middle = sum(_figure(one, name) for one in sources)
        low = sum((_figure(one, name) - one.intervals[name][0]) ** 2 for one in sources if name in one.intervals)
        high = sum((one.intervals[name][1] - _figure(one, name)) ** 2 for one in sources if name in one.intervals)
        joined[name] = (max(0, round(middle - low**0.5)), round(middle + high**0.5))
    return joined


def _figure(one: SourceEstimate, name: str) -> int:
    group, _, key = name.partition(".")
    return int(getattr(getattr(one, group), key) if key else getattr(one, group))


def _summed(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for key, value in row.items():
            total[key] = total.get(key, 0) + value
    return total


def _sum(costs: Iterable[float | None]) -> float | None:
    every = list(costs)
    known = [cost for cost in every if cost is not None]
    return sum(known) if len(known) == len(every) else None


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    optional: dict[str, Any] = {"budget_tokens": None, "problem": None, "intervals": {}}
    return {key: value for key, value in row.items() if key not in optional or value != optional[key]}
