"""What the commands print: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from rag_assets.errors import RagAssetsError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
PROGRESS_LOGGER = "rag_assets.progress"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed


def print_json(value: Any) -> None:
    """One JSON value on stdout; times in ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def say(text: str) -> None:
    """`text` on stdout; what a document or a file name could send to the terminal as a command is shown, not sent."""
    typer.echo(_harmless(text))


def complain(text: str) -> None:
    """`text` on stderr as one line, as harmless."""
    typer.echo(_harmless(" ".join(text.split())), err=True)


def _harmless(text: str) -> str:
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", text)


def report_error(error: RagAssetsError, *, as_json: bool) -> None:
    """The error on stderr as one line, and as JSON on stdout when the caller is a machine."""
    complain(f"error: {error}")
    if as_json:
        print_json({"error": {"type": type(error).__name__, "problem": error.problem, "fix": error.fix}})


class _StatusLine(logging.Handler):
    """Rewrites one line of the terminal with the newest message."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"\r\x1b[2K{record.getMessage()}")
        sys.stderr.flush()


@contextmanager
def progress_line() -> Iterator[logging.Logger]:
    """Shows what the stages report, on stderr, while the body runs; silent when stderr is not a terminal."""
    logger = logging.getLogger(PROGRESS_LOGGER)
    if not sys.stderr.isatty():
        yield logger
        return
    handler = _StatusLine()
    previous = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = previous
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
