"""What a model is tuned on, for how much money, and what it must show before it answers anybody."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from rag_assets.config.quality import MetricName
from rag_assets.config.section import Section, checked_cron

_SUFFIX = re.compile(r"[A-Za-z0-9_-]{1,40}")
_WITHOUT_FILES = ("golden", "ratings")
_MEASURED_WHERE_THE_MODEL_CHOOSES = ("refusal_precision", "citation_correctness")
_OF_THE_SEARCH_ALONE = ("recall_at_5", "recall_at_10", "precision_at_5", "mrr_at_10", "ndcg_at_10")


class ExampleSetSettings(Section):
    """One set of examples. `golden` and `ratings` come from the project itself; the other kinds are read from files."""

    kind: Literal["questions", "posts", "chat", "golden", "ratings"] = Field(
        default="questions",
        description="questions and answers (JSON lines, CSV), posts (text files: a title and a body), chat (OpenAI's "
        "JSON lines), golden (the split train of the golden questions), or ratings (answers that people rated good).",
    )
    files: tuple[str, ...] = Field(default=(), description="Files or glob patterns, relative to the configuration.")
    closed_book: bool = Field(default=False, description="Train without passages: the answer comes from the model.")
    style: str | None = Field(default=None, description="The style these posts teach, for `write --style`.")
    watch: bool = Field(default=True, description="Collect the set when its files change.")

    @model_validator(mode="after")
    def _files_where_needed(self) -> ExampleSetSettings:
        if self.kind in _WITHOUT_FILES and self.files:
            raise ValueError(f"a set of kind {self.kind} is made from the project itself and takes no files")
        if self.kind not in _WITHOUT_FILES and not self.files:
            raise ValueError(f"a set of kind {self.kind} needs files")
        if self.kind == "golden" and self.closed_book:
            raise ValueError("golden questions have passages and no written answer: closed_book cannot be true")
        if self.style is not None and self.kind not in ("posts", "chat"):
            raise ValueError("only posts and chats teach a style")
        return self


class ComparisonSettings(Section):
    """When a tuned model takes the place of the one that answers."""

    primary_metric: MetricName = Field(default="answer_contains", description="The one metric that decides.")
    min_margin: float = Field(default=0.01, ge=0, le=1, description="The least by which the challenger must be better.")
    confidence: float = Field(default=0.95, ge=0.5, lt=1, description="How sure the comparison must be.")
    min_questions: int = Field(default=50, ge=2, description="With fewer questions nothing is decided.")
    bootstrap_samples: int = Field(
        default=10_000, ge=1_000, le=100_000, description="Resamples of the paired bootstrap."
    )

    @field_validator("primary_metric")
    @classmethod
    def _of_the_same_questions(cls, metric: MetricName) -> MetricName:
        if metric in _MEASURED_WHERE_THE_MODEL_CHOOSES:
            raise ValueError(f"{metric} is measured only where a model refuses or answers, which it chooses itself")
        if metric in _OF_THE_SEARCH_ALONE:
            raise ValueError(f"{metric} is of the search alone, which is the same for both models")
        return metric


class TuningStartSettings(Section):
    """What starts the chain from examples to a champion without a person. The conditions are combined."""

    examples_changed: bool = Field(default=True, description="Start when an example set changed.")
    cron: str | None = Field(default=None, description="Start also at these times, in UTC, if there is anything new.")
    snapshot_passed: bool = Field(default=True, description="Only if the newest snapshot passed its gates.")

    @field_validator("cron")
    @classmethod
    def _cron(cls, line: str | None) -> str | None:
        return checked_cron(line)


class TuningSettings(Section):
    """How a model is tuned. `epochs`, `batch_size` and `learning_rate_multiplier` are the provider's when absent."""

    provider: str | None = Field(default=None, description="Who tunes; the provider of models.chat when absent.")
    base_model: str | None = Field(default=None, description="What is tuned; the model of models.chat when absent.")
    epochs: int | None = Field(default=None, ge=1, le=50, description="Times every example is seen.")
    batch_size: int | None = Field(default=None, ge=1, le=256, description="Examples of one step.")
    learning_rate_multiplier: float | None = Field(default=None, gt=0, le=100, description="Of the provider's rate.")
    seed: int = Field(default=0, ge=0, le=2_147_483_647, description="Of the training and of the order of passages.")
    suffix: str | None = Field(default=None, description="Part of the tuned model's name.")
    validation_share: float = Field(
        default=0.2, ge=0.05, le=0.5, description="Share of the examples that training never sees."
    )
    passages: int = Field(default=4, ge=1, le=20, description="Passages of an example: the right one and distractors.")
    min_train_examples: int = Field(default=10, ge=10, description="OpenAI refuses fewer than 10.")
    min_validation_examples: int = Field(default=2, ge=0, description="Fewer say nothing about overfitting.")
    max_example_tokens: int | None = Field(
        default=None, ge=16, description="A longer example stops the file; the model's own limit when absent."
    )
    near_duplicate: float = Field(
        default=0.85,
        gt=0.5,
        le=1,
        description="Questions that share this many of their words are the same when leaks are looked for; "
        "below 1 those that differ in one word are as well.",
    )
    allow_personal_data: bool = Field(default=False, description="Train on personal data that was found all the same.")
    budget_usd: float = Field(default=20.0, ge=0, description="The most that one job may cost.")
    time_limit_hours: float = Field(default=24.0, gt=0, le=720, description="A job that takes longer is cancelled.")
    start: TuningStartSettings = TuningStartSettings()
    comparison: ComparisonSettings = ComparisonSettings()

    @field_validator("suffix")
    @classmethod
    def _suffix(cls, suffix: str | None) -> str | None:
        if suffix is not None and not _SUFFIX.fullmatch(suffix):
            raise ValueError("a suffix has at most 40 letters, digits, '-' and '_'")
        return suffix


class SpendSettings(Section):
    """What may be spent on models in one calendar month (UTC). Without a limit, spending is counted and not stopped."""

    month_usd: float | None = Field(default=None, ge=0, description="By all of the platform together.")
    assets: dict[str, float] = Field(
        default_factory=dict, description="Asset (or answers, search, write) → the most it may spend in a month."
    )

    @field_validator("assets")
    @classmethod
    def _amounts(cls, assets: dict[str, float]) -> dict[str, float]:
        for name, amount in assets.items():
            if not 0 <= amount < float("inf"):
                raise ValueError(f"{name}: an amount in US dollars is 0 or more")
        return assets

    def limits(self, asset: str) -> bool:
        """Whether anything limits what `asset` spends."""
        return self.month_usd is not None or asset in self.assets
