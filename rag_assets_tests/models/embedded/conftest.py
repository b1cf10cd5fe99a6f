from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from rag_assets.models.embedded.request_log import LoggedRequest
from rag_assets_tests.models.embedded.wire_client import connect


@pytest.fixture
def log() -> list[LoggedRequest]:
    return []


@pytest.fixture
def client(log: list[LoggedRequest]) -> Iterator[openai.OpenAI]:
    with connect(log) as opened:
        yield opened
