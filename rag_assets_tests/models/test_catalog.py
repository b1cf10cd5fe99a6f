from __future__ import annotations

import pytest

from rag_assets.config import EmbeddingSettings, Price
from rag_assets.errors import ConfigurationError
from rag_assets.models.catalog import (
    PRICES,
    cost_usd,
    embedding_model,
    is_reasoning_model,
    max_training_tokens,
    price_of,
    training_price_usd,
)


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
    assert price_of("mine", {"mine": Price(input_usd=0)}) == Price(input_usd=0)
    assert all(price.input_usd > 0 for price in PRICES.values())


TUNED = "ft:gpt-4o-mini-2024-07-18:org:mine:id"


def test_a_tuned_model_costs_what_its_base_costs_when_tuned():
    assert price_of(TUNED, {}) == Price(input_usd=0.30, output_usd=1.20)
    assert price_of(f"{TUNED}:ckpt-step-90", {}) == price_of(TUNED, {})
    assert price_of(TUNED, {"gpt-4o-mini": Price(input_usd=9)}) == price_of(TUNED, {})
    assert price_of(TUNED, {"ft:gpt-4o-mini": Price(input_usd=9)}) == Price(input_usd=9)
    assert price_of(TUNED, {TUNED: Price(input_usd=8), "ft:gpt-4o-mini": Price(input_usd=9)}) == Price(input_usd=8)
    assert price_of("ft:mine:org::id", {"mine": Price(input_usd=1)}) == Price(input_usd=1)
    assert price_of("ft:mine:org::id", {}) is None
    assert price_of("ft:gpt-5.4:org::id", {}) is None, "what the base costs says nothing of a tuned one"


@pytest.mark.parametrize("name", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", TUNED])
def test_the_price_of_training_and_the_length_of_an_example_are_those_of_the_base(name):
    assert training_price_usd(name, {}) == 3.0
    assert training_price_usd(name, {"gpt-4o-mini": Price(input_usd=1, training_usd=7)}) == 7.0
    assert training_price_usd(name, {"gpt-4o-mini": Price(input_usd=1)}) == 3.0, "only what is said is overridden"
    assert max_training_tokens(name) == 65_536


def test_what_cannot_be_tuned_has_no_price_of_training():
    assert training_price_usd("gpt-5.4", {}) is None
    assert training_price_usd("mine", {"mine": Price(input_usd=1)}) is None
    assert training_price_usd("mine", {"mine": Price(input_usd=1, training_usd=0)}) == 0.0
    assert training_price_usd("extractive-reader", {}, kind="embedded") == 0.0
    assert training_price_usd("extractive-reader", {}) is None
    assert max_training_tokens("mine") is None


@pytest.mark.parametrize(
    ("model", "reasons"),
    [("gpt-5.4-mini", True), ("gpt-6-luna", True), ("o3", True), ("ft:o4-mini:org::id", True), ("gpt-4.1", False),
     ("gpt-4o-mini", False), ("llama-3.1-8b", False), ("extractive-reader", False)],
)  # fmt: skip
def test_reasoning_models_are_known_by_name(model, reasons):
    assert is_reasoning_model(model) is reasons
