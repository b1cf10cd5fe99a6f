"""What is known about models by name: sizes, limits, tokenizers, and one dated table of prices.

Limits: OpenAI's reference of `POST /embeddings` gives 8,192 tokens an input and 300,000 a request; 8,191 is used here
because older deployments refuse 8,192. Tokens of a training example: "Token limits" of OpenAI's guide to fine-tuning
and Azure's table of the same models. Sizes of all-MiniLM-L6-v2: its model card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from rag_assets.config import EmbeddingSettings, Price
from rag_assets.errors import ConfigurationError

PRICES_AS_OF = "2026-11-20"
PRICES_SOURCE = (
    "OpenAI's standard tier as listed by litellm 1.109.1, training from the section fine-tuning of the page itself: "
    "https://openai.com/api/pricing"
)
PRICES: dict[str, Price] = {
    "text-embedding-3-small": Price(input_usd=0.02),
    "text-embedding-3-large": Price(input_usd=0.13),
    "text-embedding-ada-002": Price(input_usd=0.10),
    "gpt-6-astra": Price(input_usd=10.00, output_usd=50.00),
    "gpt-6.1-sol": Price(input_usd=2.00, output_usd=10.00),
    "gpt-6.1-terra": Price(input_usd=1.00, output_usd=5.00),
    "gpt-6-sol": Price(input_usd=2.00, output_usd=10.00),
    "gpt-6-luna": Price(input_usd=0.10, output_usd=0.50),
    "gpt-5.6-sol": Price(input_usd=4.00, output_usd=20.00),
    "gpt-5.6-terra": Price(input_usd=2.00, output_usd=12.00),
    "gpt-5.6-luna": Price(input_usd=0.20, output_usd=1.20),
    "gpt-5.5": Price(input_usd=5.00, output_usd=30.00),
    "gpt-5.4": Price(input_usd=2.50, output_usd=15.00),
    "gpt-5.4-mini": Price(input_usd=0.75, output_usd=4.50),
    "gpt-5.4-nano": Price(input_usd=0.20, output_usd=1.25),
    "gpt-5.2": Price(input_usd=1.75, output_usd=14.00),
    "gpt-5.1": Price(input_usd=1.25, output_usd=10.00),
    "gpt-5": Price(input_usd=1.25, output_usd=10.00),
    "gpt-5-mini": Price(input_usd=0.25, output_usd=2.00),
    "gpt-5-nano": Price(input_usd=0.05, output_usd=0.40),
    "gpt-4.1": Price(input_usd=2.00, output_usd=8.00, training_usd=25.00),
    "gpt-4.1-mini": Price(input_usd=0.40, output_usd=1.60, training_usd=5.00),
    "gpt-4.1-nano": Price(input_usd=0.10, output_usd=0.40, training_usd=1.50),
    "gpt-4o": Price(input_usd=2.50, output_usd=10.00, training_usd=25.00),
    "gpt-4o-mini": Price(input_usd=0.15, output_usd=0.60, training_usd=3.00),
    "gpt-3.5-turbo": Price(input_usd=0.50, output_usd=1.50, training_usd=8.00),
    # What a model costs once it is tuned; training it further costs what training its base costs.
    "ft:gpt-4.1": Price(input_usd=3.00, output_usd=12.00),
    "ft:gpt-4.1-mini": Price(input_usd=0.80, output_usd=3.20),
    "ft:gpt-4.1-nano": Price(input_usd=0.20, output_usd=0.80),
    "ft:gpt-4o": Price(input_usd=3.75, output_usd=15.00),
    "ft:gpt-4o-mini": Price(input_usd=0.30, output_usd=1.20),
    "ft:gpt-3.5-turbo": Price(input_usd=3.00, output_usd=6.00),
}
FREE = Price(input_usd=0.0, output_usd=0.0)

MAX_TRAINING_TOKENS = {
    "gpt-4.1": 65_536,
    "gpt-4.1-mini": 65_536,
    "gpt-4.1-nano": 65_536,
    "gpt-4o": 65_536,
    "gpt-4o-mini": 65_536,
    "gpt-3.5-turbo": 16_385,
}
"""Tokens of one training example, which is less than the model reads in service; a longer one is cut without a word."""

_TUNED = "ft:"
_SNAPSHOT_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")  # gpt-4o-mini-2024-07-18, gpt-3.5-turbo-0125
_CL100K_CHAT = re.compile(r"^(gpt-4(-|$)|gpt-3\.5)")
_REASONING_CHAT = re.compile(r"^(gpt-[5-9]|o\d)")
_OPENAI_CHAT = re.compile(r"^(ft:)?(gpt-|o\d|chatgpt-)")


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """An embedding model. `max_input_tokens` is per input and includes the special tokens the model adds."""

    name: str
    dimension: int
    max_input_tokens: int
    tokenizer: str
    max_request_tokens: int | None = None  # over all inputs of one request; None is no limit
    shortens: bool = False  # takes a `dimensions` parameter
    request_dimensions: int | None = None  # what to ask for, where that is not the model's own dimension


EMBEDDING_MODELS: dict[str, EmbeddingModel] = {
    model.name: model
    for model in (
        EmbeddingModel("all-MiniLM-L6-v2", 384, 256, "all-MiniLM-L6-v2"),
        EmbeddingModel("text-embedding-3-small", 1_536, 8_191, "cl100k_base", 300_000, shortens=True),
        EmbeddingModel("text-embedding-3-large", 3_072, 8_191, "cl100k_base", 300_000, shortens=True),
        EmbeddingModel("text-embedding-ada-002", 1_536, 8_191, "cl100k_base", 300_000),
    )
}


def embedding_model(settings: EmbeddingSettings) -> EmbeddingModel:
    """The configured embedding model: what is known about it, with what the configuration adds.

    Raises `ConfigurationError` naming the keys that an unknown model needs, or a value that a known one cannot have.
    """
    known = EMBEDDING_MODELS.get(settings.model)
    if known is None:
        return _unknown_model(settings)
    if settings.max_input_tokens and settings.max_input_tokens > known.max_input_tokens:
        raise ConfigurationError(
            f"models.embedding.max_input_tokens is {settings.max_input_tokens:,} and {known.name} reads at most "
            f"{known.max_input_tokens:,} tokens.",
            fix="Lower or remove that key.",
        )
    model = replace(
        known,
        max_input_tokens=settings.max_input_tokens or known.max_input_tokens,
        tokenizer=settings.tokenizer or known.tokenizer,
    )
    if settings.dimension in (None, known.dimension):
        return model
    if not known.shortens or settings.dimension > known.dimension:
        able = f"at most {known.dimension:,}" if known.shortens else f"always {known.dimension:,}"
        raise ConfigurationError(
            f"models.embedding.dimension is {settings.dimension:,} and vectors of {known.name} have {able} dimensions.",
            fix="Mend or remove that key.",
        )
    return replace(model, dimension=settings.dimension, request_dimensions=settings.dimension)


def _unknown_model(settings: EmbeddingSettings) -> EmbeddingModel:
    dimension, limit, tokenizer = settings.dimension, settings.max_input_tokens, settings.tokenizer
    if dimension is None or limit is None or tokenizer is None:
        values = {"dimension": dimension, "max_input_tokens": limit, "tokenizer": tokenizer}
        missing = ", ".join(f"models.embedding.{key}" for key, value in values.items() if value is None)
        raise ConfigurationError(
            f"The embedding model {settings.model!r} is not known here, so the configuration must describe it.",
            fix=f"Set {missing}. Known models: {', '.join(EMBEDDING_MODELS)}.",
        )
    return EmbeddingModel(settings.model, dimension, limit, tokenizer)


def chat_encoding(model: str) -> str:
    """The encoding that counts tokens of chat model `model`; for a model unknown here, the nearest guess."""
    return "cl100k_base" if _CL100K_CHAT.match(base_model(model)) else "o200k_base"


def is_reasoning_model(model: str) -> bool:
    """Whether `model` is one of OpenAI's reasoning models, which refuse `temperature` and `seed`."""
    return bool(_REASONING_CHAT.match(base_model(model)))


def is_openai_chat_model(model: str) -> bool:
    """Whether `model` is named like OpenAI's own chat models, which take `max_completion_tokens`."""
    return bool(_OPENAI_CHAT.match(model))


def price_of(
    model: str, overrides: Mapping[str, Price], *, kind: Literal["openai", "embedded"] = "openai"
) -> Price | None:
    """The price of `model`: the override, else nothing for the embedded provider, else the dated table, else None.

    None is an unknown price, never a free one. A dated snapshot costs what its model costs. A tuned model
    (`ft:BASE:…`) costs what `ft:BASE` does in the overrides or the table; where neither has it, what the overrides say
    of BASE, for a server of one's own that charges no more for it.
    """
    if model in overrides:
        return overrides[model]
    if kind == "embedded":
        return FREE
    if not model.startswith(_TUNED):
        return PRICES.get(model) or PRICES.get(undated(model))
    base = base_model(model)
    tuned = (f"{_TUNED}{base}", f"{_TUNED}{undated(base)}")
    places = [(overrides, tuned), (PRICES, tuned), (overrides, (base, undated(base)))]
    return next((table[name] for table, names in places for name in names if name in table), None)


def training_price_usd(
    model: str, overrides: Mapping[str, Price], *, kind: Literal["openai", "embedded"] = "openai"
) -> float | None:
    """US dollars per million tokens that `model` is tuned on: the overrides', else 0 for the embedded provider, else
    the dated table's, else None.

    None is a price that is not known, or a model that cannot be tuned. A tuned model is tuned further for the price of
    its base.
    """
    names = dict.fromkeys((model, base_model(model), undated(base_model(model))))
    for name in names:
        if name in overrides and overrides[name].training_usd is not None:
            return overrides[name].training_usd
    if kind == "embedded":
        return 0.0
    return next((PRICES[name].training_usd for name in names if name in PRICES and not name.startswith(_TUNED)), None)


def max_training_tokens(model: str) -> int | None:
    """The most tokens of one example that tuning `model` reads; None where it is not known here."""
    return MAX_TRAINING_TOKENS.get(undated(base_model(model)))


def cost_usd(
    model: str,
    input_tokens: int,
    output_tokens: int,
    overrides: Mapping[str, Price],
    *,
    kind: Literal["openai", "embedded"] = "openai",
) -> float | None:
    """What a call costs in US dollars; None when the price is unknown."""
    price = price_of(model, overrides, kind=kind)
    if price is None:
        return None
    return (input_tokens * price.input_usd + output_tokens * price.output_usd) / 1_000_000


def base_model(model: str) -> str:
    """The model behind a tuned one (`ft:gpt-4o-mini:org::id`), else `model`."""
    return model.split(":")[1] if model.startswith(_TUNED) else model


def undated(model: str) -> str:
    """The model without the date of its version."""
    return _SNAPSHOT_DATE.sub("", model)
