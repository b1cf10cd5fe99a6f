"""A picture from a provider's image API (`POST /images/generations`)."""

from __future__ import annotations

import base64
import binascii
import time
from functools import partial
from typing import TYPE_CHECKING

from rag_assets.config import ModelSettings, ProviderSettings
from rag_assets.errors import ConfigurationError, ProviderUnavailableError
from rag_assets.models import catalog
from rag_assets.models.client import make_client, translate_errors
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.models.usage import ExpectedCall, Usage, UsageSink, admitted

if TYPE_CHECKING:
    from rag_assets.models.pacing import SharedLimits


PICTURE_TOKENS_MAX = 6_240
"""Of the largest picture in the best quality: OpenAI's guide "Image generation", cost and latency."""


def check_can_draw(settings: ModelSettings) -> None:
    """Raises `ConfigurationError` where no picture could be asked for: the provider cannot draw, or has no key.

    Nothing is asked of it.
    """
    make_client(settings.image.provider, _drawing_provider(settings)).close()


def draw(
    settings: ModelSettings, prompt: str, *, usage: UsageSink | None = None, limits: SharedLimits | None = None
) -> bytes:
    """The bytes of a picture of `prompt` (PNG from OpenAI's models), by the model of `models.image`.

    Raises `ConfigurationError` for a provider that is not declared or cannot draw, a `BudgetError` where `usage` does
    not admit the call, and a `ModelError` where it fails.
    """
    image, provider = settings.image, _drawing_provider(settings)
    started = time.perf_counter()
    with (
        admitted(usage, partial(_expected, settings, prompt)) as call_id,
        make_client(image.provider, provider, limits=limits) as client,
        translate_errors(image.provider, image.model, secret=client.api_key),
    ):
        answer = client.images.with_raw_response.generate(model=image.model, prompt=prompt, size=image.size, n=1)
        made = answer.parse()
    used = getattr(made, "usage", None)
    sent, drawn = (used.input_tokens, used.output_tokens) if used else (0, 0)
    if usage is not None:
        usage.record(
            Usage(
                provider=image.provider,
                model=image.model,
                operation="image",
                input_tokens=sent,
                output_tokens=drawn,
                requests=1 + answer.retries_taken,
                cost_usd=catalog.cost_usd(image.model, sent, drawn, settings.prices) if used else None,
                latency_ms=(time.perf_counter() - started) * 1_000,
                request_id=answer.headers.get("x-request-id"),
                estimated=used is None,
                call_id=call_id,
            )
        )
    try:
        return base64.b64decode((made.data or [])[0].b64_json or "?", validate=True)
    except (AttributeError, IndexError, TypeError, binascii.Error):
        raise ProviderUnavailableError(
            f"Provider {image.provider!r}, model {image.model!r}: the answer holds no picture.",
            fix="Choose a model in models.image that answers with b64_json.",
        ) from None


def _drawing_provider(settings: ModelSettings) -> ProviderSettings:
    image = settings.image
    provider = settings.all_providers().get(image.provider)
    if provider is None or provider.kind == "embedded":
        why = "is not declared" if provider is None else "quotes and embeds, and cannot draw"
        raise ConfigurationError(
            f"models.image.provider is {image.provider!r}, which {why}.",
            fix="Name a provider with an image model in models.image, or leave out --picture.",
        )
    return provider


def _expected(settings: ModelSettings, prompt: str) -> ExpectedCall:
    model = settings.image.model
    sent = load_tokenizer(catalog.chat_encoding(model)).count(prompt)
    cost_usd = catalog.cost_usd(model, sent, PICTURE_TOKENS_MAX, settings.prices)
    return ExpectedCall(settings.image.provider, model, "image", sent, PICTURE_TOKENS_MAX, cost_usd)
