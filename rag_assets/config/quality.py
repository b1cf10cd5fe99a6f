"""What warns, what a snapshot must reach before it is released, and how long releases are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rag_assets.config.section import Section

MetricName = Literal[
    "recall_at_5",
    "recall_at_10",
    "precision_at_5",
    "mrr_at_10",
    "ndcg_at_10",
    "answer_contains",
    "exact_match",
    "token_f1",
    "refusal_precision",
    "refusal_recall",
    "citation_correctness",
    "judge",
]


class CheckSettings(Section):
    """Above which values a check warns. Fractions are of the documents of one source."""

    failed_documents: int = Field(default=0, ge=0, description="Documents that could not be read, parsed or embedded.")
    empty_fraction: float = Field(default=0.05, ge=0, le=1, description="Documents without any text.")
    duplicate_fraction: float = Field(default=0.1, ge=0, le=1, description="Documents equal to another one.")
    unindexed_rows: int = Field(default=10_000, ge=0, description="Rows that searches scan instead of looking up.")


class JudgeSettings(Section):
    """A generative model that says whether an answer is right."""

    provider: str = Field(description="A name below models.providers, or `openai`.")
    model: str = Field(description="The model's name as its provider knows it.")
    max_output_tokens: int = Field(default=300, gt=0, description="The longest verdict.")


class EvaluationSettings(Section):
    """What a snapshot is asked before it is released, and what it must reach."""

    questions: tuple[str, ...] = Field(
        default=(), description="Golden questions: files or glob patterns; JSON lines, CSV or SQuAD's JSON."
    )
    primary_metric: MetricName = Field(default="mrr_at_10", description="The metric that must not become worse.")
    minima: dict[MetricName, float] = Field(default_factory=dict, description="Metric → the least it must reach.")
    max_regression: float = Field(
        default=0.0, ge=0, le=1, description="The primary metric may truly be this much lower than what served."
    )
    false_alarm_rate: float = Field(
        default=0.05, gt=0, le=0.5, description="How often the regression gate may stop what is not worse."
    )
    max_orphaned_fraction: float = Field(
        default=0.2, ge=0, le=1, description="Share of questions that may have lost their expected documents."
    )
    questions_enough: int = Field(default=50, ge=1, description="With fewer, the report warns that they tell little.")
    bootstrap_samples: int = Field(default=2_000, ge=100, le=100_000, description="Resamples behind every interval.")
    judge: JudgeSettings | None = Field(default=None, description="A model that grades answers; none by default.")


class ReleaseSettings(Section):
    """How long former releases can be gone back to."""

    keep: int = Field(default=10, ge=1, description="Newest releases kept, however old.")
    keep_days: int = Field(default=30, ge=0, description="Releases are kept for these days since they last served.")
    keep_generations_days: int = Field(
        default=30,
        ge=0,
        description="Days that the index of a generation stays when no kept release needs it any more.",
    )
