"""The ledger's tables of fine-tuning and of money set aside. What holds for `tables.py` holds for them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from rag_assets.ledger import tables as tables  # their names are what the foreign keys name
from rag_assets.ledger.columns import AnyText, UtcDateTime, counter, metadata

# One attempt to tune a model: what is wanted is here before anything is asked of a provider. `key` names what is
# trained on which data with which settings; `details` holds what the provider told (events seen, progress, files).
tuning_jobs = Table(
    "tuning_jobs",
    metadata,
    Column("intent_id", String(32), primary_key=True),
    Column("key", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("provider", Text, nullable=False),
    Column("base_model", Text, nullable=False),
    Column("training_file", String(64), nullable=False),
    Column("hyperparameters", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("suffix", AnyText, nullable=False),
    Column("train_file_id", AnyText, nullable=True),
    Column("validation_file_id", AnyText, nullable=True),
    Column("job_id", AnyText, nullable=True),
    Column("model_id", AnyText, nullable=True),
    Column("trained_tokens", BigInteger, nullable=True),
    Column("estimated_cost_usd", Float, nullable=True),
    Column("cost_usd", Float, nullable=True),
    Column("reservation_id", String(32), nullable=True),
    Column("error", AnyText, nullable=False),
    Column("details", JSON, nullable=False),
    Column("run_id", String(64), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("called_at", UtcDateTime, nullable=True),
    Column("submitted_at", UtcDateTime, nullable=True),
    Column("deadline", UtcDateTime, nullable=True),
    Column("checked_at", UtcDateTime, nullable=True),
    Column("finished_at", UtcDateTime, nullable=True),
    Column("collected_at", UtcDateTime, nullable=True),
    UniqueConstraint("key", "attempt"),
    Index(None, "state"),
)

# Every model that came out of a job. Which of them serves is said by the serving release alone.
tuned_models = Table(
    "tuned_models",
    metadata,
    Column("model_id", String(255), primary_key=True),
    Column("intent_id", ForeignKey("tuning_jobs.intent_id"), nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("base_model", Text, nullable=False),
    Column("job_id", AnyText, nullable=False),
    Column("training_file", String(64), nullable=False),
    Column("examples", Integer, nullable=False),
    Column("validation_examples", Integer, nullable=False),
    Column("hyperparameters", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("trained_tokens", BigInteger, nullable=True),
    Column("cost_usd", Float, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime, nullable=True),
    Column("missing_since", UtcDateTime, nullable=True),
)

# What was decided about a tuned model, by what or whom; the newest row holds.
model_decisions = Table(
    "model_decisions",
    metadata,
    counter(),
    Column("model_id", ForeignKey("tuned_models.model_id"), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("decided_by", AnyText, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("against", AnyText, nullable=False),
    Column("comparison_id", String(64), nullable=True),
    Column("release_id", String(64), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "model_id"),
)

# A challenger beside the champion on the same questions and the same snapshot. `started_at` is fixed by the first try.
comparisons = Table(
    "comparisons",
    metadata,
    Column("comparison_id", String(64), primary_key=True),
    Column("champion", AnyText, nullable=False),
    Column("challenger", AnyText, nullable=False),
    Column("snapshot_id", ForeignKey("snapshots.snapshot_id"), nullable=False),
    Column("questions_version", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, nullable=True),
    Column("decision", String(16), nullable=True),
    Column("details", JSON, nullable=False),
    Column("report", Text, nullable=True),
    Index(None, "challenger"),
)

# Money set aside before it is spent. An open one counts with its amount; what it ended in is in `usage`.
reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", String(32), primary_key=True),
    Column("month", String(7), nullable=False),
    Column("asset", String(128), nullable=False),
    Column("source", String(64), nullable=True),
    Column("model", Text, nullable=False),
    Column("run_id", String(64), nullable=True),
    Column("amount_usd", Float, nullable=False),
    Column("actual_usd", Float, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=True),
    Column("settled_at", UtcDateTime, nullable=True),
    Index(None, "month"),
)

# The cost of all rows of `usage`, by calendar month (UTC) and asset ("" where none is named), kept with each row: a
# budget is asked about before every paid call, which must not take longer the more calls there were.
monthly_spend = Table(
    "monthly_spend",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("asset", String(128), primary_key=True),
    Column("cost_usd", Float, nullable=False),
)
