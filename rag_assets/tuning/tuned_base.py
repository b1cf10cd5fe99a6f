"""What is tuned, and by whom: the settings of `tuning`, with those of the chat model where they say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag_assets.config import Settings
from rag_assets.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class TunedBase:
    """The model that is tuned, at its provider."""

    provider: str
    kind: Literal["openai", "embedded"]
    model: str


def tuned_base(settings: Settings) -> TunedBase:
    """The base model that `settings` name. Raises `ConfigurationError` for a provider that is not declared."""
    tuning, chat = settings.tuning, settings.models.chat
    name = tuning.provider or chat.provider
    provider = settings.models.all_providers().get(name)
    if provider is None:
        known = ", ".join(sorted(settings.models.all_providers()))
        raise ConfigurationError(
            f"tuning.provider is {name!r}, which is not declared.",
            fix=f"Declare it below models.providers, or use {known}.",
        )
    if name != chat.provider and tuning.base_model is None:
        raise ConfigurationError(
            f"tuning.provider is {name!r}, and {chat.model!r} is a model of {chat.provider!r}.",
            fix="Set tuning.base_model.",
        )
    return TunedBase(name, provider.kind, tuning.base_model or chat.model)
