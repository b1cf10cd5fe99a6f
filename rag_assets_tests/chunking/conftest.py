"""The two families of tokenizers that chunking meets: words by themselves, and bytes across words."""

from __future__ import annotations

import pytest

from rag_assets.chunking import Tokenizer
from rag_assets.errors import WeightsError
from rag_assets.models.tokenizers import load_tokenizer


@pytest.fixture(scope="session")
def wordpiece() -> Tokenizer:
    try:
        return load_tokenizer("all-MiniLM-L6-v2")
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def bytepair() -> Tokenizer:
    return load_tokenizer("cl100k_base")


@pytest.fixture(scope="session", params=["wordpiece", "bytepair"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    found: Tokenizer = request.getfixturevalue(request.param)
    return found
