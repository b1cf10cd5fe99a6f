from __future__ import annotations

import pytest

from rag_assets.config import EmbeddingSettings, Price
from rag_assets.errors import ConfigurationError
from rag_assets.models.catalog import PRICES, cost_usd, embedding_model, is_reasoning_model, price_of


@pytest.mark.parametrize(
    ("name", "dimension", "max_input_tokens"),
    [
        ("all-MiniLM-L6-v2", 384, 256),
        ("text-embedding-3-small", 1_536, 8_191),
        ("text-embedding-3-large", 3_072, 8_191),
        ("text-embedding-ada-002", 1_536, 8_191),
    ],
)
def test_known_embedding_models(name, dimension, max_input_tokens):
    model = embedding_model(EmbeddingSettings(model=name))
    assert (model.dimension, model.max_input_tokens) == (dimension, max_input_tokens)
    assert model.request_dimensions is None


def test_a_shortened_vector_is_asked_for():
    model = embedding_model(EmbeddingSettings(model="text-embedding-3-large", dimension=256))
    assert (model.dimension, model.request_dimensions) == (256, 256)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"model": "mine"}, ["models.embedding.dimension", "max_input_tokens", "tokenizer", "'mine'"]),
        ({"model": "mine", "dimension": 8, "tokenizer": "o200k_base"}, ["models.embedding.max_input_tokens"]),
        ({"model": "all-MiniLM-L6-v2", "dimension": 128}, ["models.embedding.dimension", "always 384"]),
        ({"model": "text-embedding-3-small", "dimension": 4_096}, ["models.embedding.dimension", "at most 1,536"]),
        ({"model": "all-MiniLM-L6-v2", "max_input_tokens": 512}, ["models.embedding.max_input_tokens", "256"]),
    ],
)
def test_a_model_that_cannot_be_so_names_the_keys(settings, names):
    with pytest.raises(ConfigurationError) as caught:
        embedding_model(EmbeddingSettings(**settings))
    assert all(name in str(caught.value) for name in names)
    assert "\n" not in str(caught.value)


def test_prices_come_from_the_override_then_the_provider_then_the_table():
    assert cost_usd("text-embedding-3-small", 1_000_000, 0, {}) == pytest.approx(0.02)
    assert cost_usd("gpt-4o-mini", 1_000_000, 500_000, {}) == pytest.approx(0.15 + 0.30)
    assert cost_usd("gpt-4o-mini-2024-07-18", 1_000_000, 0, {}) == pytest.approx(0.15)
    mine = {"gpt-4o-mini": Price(input_usd=1, output_usd=2)}
    assert cost_usd("gpt-4o-mini", 1_000_000, 1_000_000, mine) == pytest.approx(3.0)
    assert cost_usd("all-MiniLM-L6-v2", 1_000_000, 0, {}, kind="embedded") == 0.0


def test_an_unknown_price_is_none_and_never_zero():
    assert cost_usd("all-MiniLM-L6-v2", 1_000_000, 0, {}) is None
    assert cost_usd("ft:gpt-4o-mini-2024-07-18:org::id", 10, 10, {}) is None
    assert price_of("mine", {"mine": Price(input_usd=0)}) == Price(input_usd=0)
    assert all(price.input_usd > 0 for price in PRICES.values())


@pytest.mark.parametrize(
    ("model", "reasons"),
    [("gpt-5.4-mini", True), ("gpt-6-luna", True), ("o3", True), ("ft:o4-mini:org::id", True), ("gpt-4.1", False),
     ("gpt-4o-mini", False), ("llama-3.1-8b", False), ("extractive-reader", False)],
)  # fmt: skip
def test_reasoning_models_are_known_by_name(model, reasons):
    assert is_reasoning_model(model) is reasons
