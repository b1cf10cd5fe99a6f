"""Tuning jobs, tuned models with what was decided about them, comparisons, and money set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 — only Alembic itself loads this file

revision = "0007"
down_revision = "0006"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reservations",
        sa.Column("reservation_id", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("amount_usd", sa.Float(), nullable=False),
        sa.Column("actual_usd", sa.Float(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("reservation_id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_month"), "reservations", ["month"])
    op.create_table(
        "monthly_spend",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("month", "asset", name=op.f("pk_monthly_spend")),
    )
    _sum_what_was_spent()
    op.create_table(
        "tuning_jobs",
        sa.Column("intent_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("training_file", sa.String(length=64), nullable=False),
        sa.Column("hyperparameters", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("suffix", sa.Text(), nullable=False),
        sa.Column("train_file_id", sa.Text(), nullable=True),
        sa.Column("validation_file_id", sa.Text(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column("trained_tokens", sa.BigInteger(), nullable=True),
        sa.Column("estimated_cost_usd", sa.Float(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("reservation_id", sa.String(length=32), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("called_at", TIME, nullable=True),
        sa.Column("submitted_at", TIME, nullable=True),
        sa.Column("deadline", TIME, nullable=True),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("collected_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_tuning_jobs")),
        sa.UniqueConstraint("key", "attempt", name=op.f("uq_tuning_jobs_key_attempt")),
    )
    op.create_index(op.f("ix_tuning_jobs_state"), "tuning_jobs", ["state"])
    op.create_table(
        "comparisons",
        sa.Column("comparison_id", sa.String(length=64), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("challenger", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("questions_version", sa.String(length=64), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name=op.f("fk_comparisons_snapshot_id")),
        sa.PrimaryKeyConstraint("comparison_id", name=op.f("pk_comparisons")),
    )
    op.create_index(op.f("ix_comparisons_challenger"), "comparisons", ["challenger"])
    op.create_table(
        "tuned_models",
        sa.Column("model_id", sa.String(length=255), nullable=False),
        sa.Column("intent_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("training_file", sa.String(length=64), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("validation_examples", sa.Integer(), nullable=False),
        sa.Column("hyperparameters", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("trained_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME, nullable=True),
        sa.Column("missing_since", TIME, nullable=True),
        sa.ForeignKeyConstraint(["intent_id"], ["tuning_jobs.intent_id"], name=op.f("fk_tuned_models_intent_id")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_tuned_models")),
        sa.UniqueConstraint("intent_id", name=op.f("uq_tuned_models_intent_id")),
    )
    op.create_table(
        "model_decisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), nullable=False),
        sa.Column("model_id", sa.String(length=255), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("comparison_id", sa.String(length=64), nullable=True),
        sa.Column("release_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["tuned_models.model_id"], name=op.f("fk_model_decisions_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_decisions")),
    )
    op.create_index(op.f("ix_model_decisions_model_id"), "model_decisions", ["model_id"])


def _sum_what_was_spent() -> None:
    """Brings the calls that are in the ledger already into the months' sums."""
    usage = sa.table("usage", sa.column("created_at"), sa.column("asset"), sa.column("cost_usd"))
    spend = sa.table("monthly_spend", sa.column("month"), sa.column("asset"), sa.column("cost_usd"))
    if op.get_bind().dialect.name == "sqlite":
        month: sa.ColumnElement[str] = sa.func.substr(usage.c.created_at, 1, 7)
    else:
        month = sa.func.to_char(sa.func.timezone("UTC", usage.c.created_at), "YYYY-MM")
    rows = sa.select(month.label("month"), sa.func.coalesce(usage.c.asset, ""), sa.func.sum(usage.c.cost_usd))
    rows = rows.where(usage.c.cost_usd > 0).group_by(sa.text("1"), sa.text("2"))
    op.execute(spend.insert().from_select(["month", "asset", "cost_usd"], rows))


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to an older schema: restore its backup")
