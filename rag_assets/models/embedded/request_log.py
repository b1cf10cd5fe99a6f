"""What the embedded provider was asked, one JSON line for each request: proof of what was embedded and what was not.

    {"at": "…", "method": "POST", "path": "/v1/embeddings", "model": "all-MiniLM-L6-v2", "status": 200, "inputs": 2,
     "input_sha256": ["…", "…"]}

Inputs are the texts to embed, or the texts of a chat's messages. Only their hashes are kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag_assets.fingerprints import sha256_hex

LOG_VARIABLE = "RAG_ASSETS_EMBEDDED_REQUEST_LOG"


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request and the status it got."""

    at: str
    method: str
    path: str
    model: str | None
    status: int
    inputs: int
    input_sha256: tuple[str, ...]


RequestLog = Callable[[LoggedRequest], None]


def logged_request(method: str, path: str, model: str | None, status: int, texts: Sequence[str]) -> LoggedRequest:
    hashes = tuple(sha256_hex(text) for text in texts)
    return LoggedRequest(datetime.now(UTC).isoformat(), method, path, model, status, len(texts), hashes)


def log_from_environment() -> RequestLog | None:
    """Appends to the file named by RAG_ASSETS_EMBEDDED_REQUEST_LOG; None where that is not set."""
    path = os.environ.get(LOG_VARIABLE)
    return FileLog(Path(path)) if path else None


@dataclass(frozen=True, slots=True)
class FileLog:
    """Appends one line with one write, so that lines of several processes do not mix."""

    path: Path

    def __call__(self, request: LoggedRequest) -> None:
        line = (json.dumps(asdict(request)) + "\n").encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
