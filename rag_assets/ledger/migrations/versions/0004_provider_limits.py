"""The turns of requests to providers, shared by all processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 — only Alembic itself loads this file

revision = "0004"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "provider_limits",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("requests_full_at", sa.Float(), nullable=False),
        sa.Column("tokens_full_at", sa.Float(), nullable=False),
        sa.Column("resume_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_limits")),
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to an older schema: restore its backup")
