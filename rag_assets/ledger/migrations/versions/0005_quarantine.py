"""What decided a failure and when it is tried again; documents that were given up; inputs that a model refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 — only Alembic itself loads this file

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("failures", sa.Column("gate", sa.Text(), nullable=False, server_default=""))
    op.add_column("failures", sa.Column("retry_after", TIME, nullable=True))
    op.add_column("failures", sa.Column("state", sa.String(length=16), nullable=False, server_default="failed"))
    op.create_table(
        "refused_inputs",
        sa.Column("space", sa.String(length=128), nullable=False),
        sa.Column("input_hash", sa.String(length=64), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("refused_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("space", "input_hash", name=op.f("pk_refused_inputs")),
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to an older schema: restore its backup")
