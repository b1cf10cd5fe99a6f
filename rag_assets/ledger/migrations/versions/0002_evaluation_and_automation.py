"""Evaluations, ratings, the lineage of document versions and runs, and what the file watch remembers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 — only Alembic itself loads this file

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("unpinned_at", TIME, nullable=True))
    op.add_column("serving_history", sa.Column("forced", sa.Boolean(), nullable=False, server_default=sa.false()))
    _evaluations()
    _ratings()
    _lineage()
    _watch()


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to an older schema: restore its backup")


def _evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("evaluation_id", sa.String(length=64), nullable=False),
        sa.Column("measured_id", sa.String(length=64), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("questions_version", sa.String(length=64), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name=op.f("fk_evaluations_snapshot_id")),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("pk_evaluations")),
    )
    for column in ("measured_id", "release_id", "created_at"):
        op.create_index(op.f(f"ix_evaluations_{column}"), "evaluations", [column])
    op.create_table(
        "evaluation_items",
        sa.Column("measured_id", sa.String(length=64), nullable=False),
        sa.Column("question_hash", sa.String(length=64), nullable=False),
        sa.Column("question_id", sa.Text(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("measured_id", "question_hash", name=op.f("pk_evaluation_items")),
    )
    op.create_table(
        "completions",
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("request_hash", name=op.f("pk_completions")),
    )
    op.create_index(op.f("ix_completions_created_at"), "completions", ["created_at"])


def _ratings() -> None:
    op.create_table(
        "ratings",
        sa.Column("id", COUNTER, sa.Identity(), nullable=False),
        sa.Column("answer_id", sa.String(length=32), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("rating", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rated_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["answers.answer_id"], name=op.f("fk_ratings_answer_id")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_ratings_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ratings")),
    )
    for column in ("answer_id", "release_id"):
        op.create_index(op.f(f"ix_ratings_{column}"), "ratings", [column])


def _lineage() -> None:
    op.create_table(
        "document_versions",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("document_hash", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("loaded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "document_hash", name=op.f("pk_document_versions")),
    )
    op.create_index(op.f("ix_document_versions_source"), "document_versions", ["source"])
    op.create_table(
        "stage_runs",
        sa.Column("id", COUNTER, sa.Identity(), nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("data_version", sa.String(length=128), nullable=False),
        sa.Column("table_version", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_runs")),
    )
    op.create_index(op.f("ix_stage_runs_asset_source"), "stage_runs", ["asset", "source"])


def _watch() -> None:
    op.create_table(
        "watched_sources",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("launched_at", TIME, nullable=True),
        sa.Column("verified_at", TIME, nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_watched_sources")),
    )
