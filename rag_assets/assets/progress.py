"""How far a step is: every batch for whoever listens, and now and then in Dagster's log, which is kept."""

from __future__ import annotations

import logging
import time

import dagster as dg

from rag_assets.ingestion import Progress

PROGRESS = logging.getLogger("rag_assets.progress")
LOG_EVERY_SECONDS = 10.0


def log_progress(context: dg.AssetExecutionContext) -> Progress:
    """Tells the progress logger of every batch, and Dagster's log at most every ten seconds."""
    name = context.partition_key if context.has_partition_key else context.asset_key.path[-1]
    logged_at = time.monotonic()

    def log(what: str, done: int, total: int) -> None:
        nonlocal logged_at
        message = f"{name}: {done:,} of {total:,} {what}"
        PROGRESS.info(message)
        if time.monotonic() - logged_at >= LOG_EVERY_SECONDS:
            logged_at = time.monotonic()
            context.log.info(message)

    return log
