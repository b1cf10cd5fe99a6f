"""Claims on inputs that are being embedded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 — only Alembic itself loads this file

revision = "0006"
down_revision = "0005"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "embedding_claims",
        sa.Column("space", sa.String(length=128), nullable=False),
        sa.Column("input_hash", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("space", "input_hash", name=op.f("pk_embedding_claims")),
    )
    op.create_index(op.f("ix_embedding_claims_owner"), "embedding_claims", ["owner"])


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to an older schema: restore its backup")
