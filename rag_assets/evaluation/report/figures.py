"""How figures are named and written: what each metric is called, in which order, with which unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "milliseconds", "dollars", "words"]


@dataclass(frozen=True, slots=True)
class Label:
    """A metric for people. `hint` says what it measures; `higher_is_better` is None where neither is."""

    name: str
    label: str
    hint: str
    unit: Unit = "share"
    higher_is_better: bool | None = True


LABELS = {
    one.name: one
    for one in (
        Label("recall_at_5", "Recall@5", "expected places among the first 5"),
        Label("recall_at_10", "Recall@10", "expected places among the first 10"),
        Label("precision_at_5", "Precision@5", "of the first 5, those that are expected"),
        Label("mrr_at_10", "MRR@10", "1 ÷ the rank of the first expected place"),
        Label("ndcg_at_10", "nDCG@10", "how high up the expected places are"),
        Label("answer_contains", "Answer contains", "answers with the words of an accepted one"),
        Label("exact_match", "Exact match", "answers that are an accepted one"),
        Label("token_f1", "Token F1", "words shared with an accepted answer"),
        Label("refusal_precision", "Refusal precision", "of what was refused, what should be"),
        Label("refusal_recall", "Refusal recall", "of what should be refused, what was"),
        Label("citation_correctness", "Citations hold", "answers whose quotes are in what they cite"),
        Label("judge", "Judge", "answers that the judging model accepts"),
        Label("answer_words", "Answer length", "words in an answer", "words", None),
        Label("latency_p50_ms", "Latency, median", "time to an answer", "milliseconds", False),
        Label("latency_p95_ms", "Latency, 95th percentile", "19 of 20 answers are faster", "milliseconds", False),
        Label("cost_per_question_usd", "Cost per question", "at the configured prices", "dollars", False),
    )
}
GROUP_METRICS = (
    "recall_at_5", "mrr_at_10", "ndcg_at_10", "answer_contains", "token_f1", "citation_correctness", "refusal_recall",
)  # fmt: skip
"""The columns of tables that have no room for every metric."""


def label_of(metric: str) -> Label:
    """The label of a metric; one that is not known here goes by its own name."""
    return LABELS.get(metric) or Label(metric, metric, "")


def figure(metric: str, value: float | None) -> str:
    """`value` with its unit; an en dash where there is none."""
    if value is None:
        return "–"
    unit = label_of(metric).unit
    if unit == "milliseconds":
        return f"{value / 1_000:,.2f} s" if value >= 1_000 else f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"
    if unit == "dollars":
        return f"${value:.4f}" if 0 < value < 0.1 else f"${value:.2f}"
    return f"{value:.1f}" if unit == "words" else f"{value:.3f}"


def difference(metric: str, value: float) -> str:
    """A signed difference, with a true minus sign."""
    digits = 1 if label_of(metric).unit == "words" else 3
    rounded = round(value, digits) or 0.0  # no minus zero
    return ("+" if rounded > 0 else "−" if rounded < 0 else "±") + f"{abs(rounded):.{digits}f}"


def interval(metric: str, ci95: tuple[float, float] | None) -> str:
    """An interval like `.81 – .88`; empty where there is none."""
    return f"{figure(metric, ci95[0])} – {figure(metric, ci95[1])}" if ci95 else ""
