"""The real `openai` client in front of the embedded provider, and a log of what the provider was asked."""

from __future__ import annotations

from pathlib import Path

import httpx2
import openai

from rag_assets.models.embedded.provider import EmbeddedProvider
from rag_assets.models.embedded.request_log import LoggedRequest
from rag_assets.models.embedded.transport import EmbeddedTransport

BASE_URL = "http://embedded.invalid/v1"


def connect(log: list[LoggedRequest] | None = None, *, state_dir: Path | None = None) -> openai.OpenAI:
    provider = EmbeddedProvider(None if log is None else log.append, state_dir=state_dir)
    http_client = httpx2.Client(transport=EmbeddedTransport(provider))
    return openai.OpenAI(api_key="embedded", base_url=BASE_URL, http_client=http_client)
