"""The first schema: releases, documents that need attention, answers and usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 — only Alembic itself loads this file

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _releasing()
    _serving()
    _documents()
    _calls()


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to an older schema: restore its backup")


def _releasing() -> None:
    op.create_table(
        "snapshots",
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.String(length=64), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("retrieval", sa.JSON(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "releases",
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("prompts", sa.JSON(), nullable=False),
        sa.Column("chat_model", sa.Text(), nullable=False),
        sa.Column("retrieval", sa.JSON(), nullable=False),
        sa.Column("answering", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name=op.f("fk_releases_snapshot_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_releases")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_releases_content_hash")),
    )
    op.create_index(op.f("ix_releases_snapshot_id"), "releases", ["snapshot_id"])
    op.create_table(
        "verdicts",
        sa.Column("id", COUNTER, sa.Identity(), nullable=False),
        sa.Column("gate", sa.String(length=128), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_index(op.f("ix_verdicts_gate_subject"), "verdicts", ["gate", "subject"])


def _serving() -> None:
    op.create_table(
        "serving",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_serving_one_row")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_serving_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving")),
    )
    op.create_table(
        "serving_history",
        sa.Column("id", COUNTER, sa.Identity(), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("previous_release_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("served_by", sa.Text(), nullable=False),
        sa.Column("rollback", sa.Boolean(), nullable=False),
        sa.Column("served_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["previous_release_id"], ["releases.release_id"], name=op.f("fk_serving_history_previous_release_id")
        ),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_serving_history_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving_history")),
    )
    op.execute("INSERT INTO serving (id, release_id) VALUES (1, NULL)")


def _documents() -> None:
    op.create_table(
        "failures",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "uri", name=op.f("pk_failures")),
    )
    op.create_table(
        "denied_documents",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("denied_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_denied_documents")),
    )
    op.create_index(op.f("ix_denied_documents_source"), "denied_documents", ["source"])
    op.create_table(
        "denied_sources",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("denied_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_denied_sources")),
    )
    op.create_table(
        "holds",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("held_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_holds")),
    )


def _calls() -> None:
    op.create_table(
        "answers",
        sa.Column("answer_id", sa.String(length=32), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answerable", sa.Boolean(), nullable=False),
        sa.Column("citations", sa.JSON(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_answers_release_id")),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_answers")),
    )
    op.create_index(op.f("ix_answers_created_at"), "answers", ["created_at"])
    op.create_index(op.f("ix_answers_release_id"), "answers", ["release_id"])
    op.create_table(
        "usage",
        sa.Column("id", COUNTER, sa.Identity(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=True),
        sa.Column("asset", sa.String(length=128), nullable=True),
        sa.Column("answer_id", sa.String(length=32), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage")),
    )
    op.create_index(op.f("ix_usage_answer_id"), "usage", ["answer_id"])
    op.create_index(op.f("ix_usage_created_at"), "usage", ["created_at"])
    op.create_index(op.f("ix_usage_run_id"), "usage", ["run_id"])
