from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from rag_assets_tests.models.embedded.wire_client import connect


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "embedded"


@pytest.fixture
def client(state_dir: Path) -> Iterator[openai.OpenAI]:
    with connect(state_dir=state_dir) as opened:
        yield opened
