"""Run by Alembic: applies migrations on the connection, and in the transaction, that `Database` hands over."""

from __future__ import annotations

from alembic import context  # noqa: TID253 — only Alembic itself loads this file

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
