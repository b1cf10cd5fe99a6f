"""Which models embed and answer, and who provides them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from rag_assets.config.section import Section, checked_variable_name

EMBEDDED_EMBEDDING_MODEL = "all-MiniLM-L6-v2"
EMBEDDED_CHAT_MODEL = "extractive-reader"
TUNED_EMBEDDED_CHAT_MODEL = re.compile(
    rf"ft:{EMBEDDED_CHAT_MODEL}:rag-assets:([A-Za-z0-9_-]{{0,64}}):([A-Za-z0-9]{{8}})(?::ckpt-step-\d{{1,9}})?"
)
"""The id of a model that the embedded provider tuned, or of a checkpoint on the way to it. The suffix may be empty."""


class ProviderSettings(Section):
    """A provider of models that speaks the OpenAI wire protocol."""

    kind: Literal["openai", "embedded"] = Field(default="openai", description="Over HTTP, or in this process.")
    base_url: str | None = Field(default=None, description="Root of the API, for OpenAI-compatible servers.")
    api_key_env: str | None = Field(default="OPENAI_API_KEY", description="Environment variable that holds the key.")
    organization: str | None = Field(default=None, description="OpenAI organization that is billed.")
    timeout_seconds: float = Field(default=60.0, gt=0, description="Longest wait for one request.")
    max_retries: int = Field(default=4, ge=0, le=20, description="Tries after the first, with growing waits.")
    max_concurrency: int = Field(default=4, ge=1, le=256, description="Requests under way at once, in one run.")
    requests_per_minute: int | None = Field(default=None, ge=1, description="Of all runs together; null: no limit.")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="Of all runs together; null: no limit.")
    # Private: no file sets it, and no fingerprint, release or page of reference has it.
    _state_dir: Path | None = PrivateAttr(default=None)

    @property
    def state_dir(self) -> Path | None:
        """Where the embedded provider keeps files, jobs and tuned models; None where it keeps nothing."""
        return self._state_dir

    def keeping_state_in(self, folder: Path | None) -> ProviderSettings:
        """The same provider with another `state_dir`; a provider over HTTP has none."""
        provider = self.model_copy()
        provider._state_dir = folder if self.kind == "embedded" else None
        return provider

    @field_validator("base_url")
    @classmethod
    def _http_address(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/\s]", url):
            raise ValueError("an address starts with http:// or https:// and names a server")
        return url

    @field_validator("api_key_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        return checked_variable_name(name)


class EmbeddingSettings(Section):
    """The model that turns chunks and questions into vectors."""

    provider: str = Field(default="embedded", description="A name below models.providers, `openai` or `embedded`.")
    model: str = Field(default=EMBEDDED_EMBEDDING_MODEL, description="The model's name as its provider knows it.")
    precision: Literal["fp32", "int8"] | None = Field(default=None, description="Embedded models only.")
    # Where it runs is the machine's affair and no part of a release, whose vectors are the same on each.
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", exclude=True, description="Embedded fp32 only.")
    dimension: int | None = Field(default=None, gt=0, le=65_536, description="Needed for models unknown here.")
    max_input_tokens: int | None = Field(default=None, gt=0, description="Needed for models unknown here.")
    tokenizer: str | None = Field(default=None, description="`cl100k_base`, `o200k_base` or a tokenizer.json path.")
    query_prefix: str = Field(default="", description="Put in front of every question, for models that want one.")
    document_prefix: str = Field(default="", description="Put in front of every chunk.")
    batch_size: int = Field(default=64, ge=1, le=2_048, description="The most texts of one request.")


class ChatSettings(Section):
    """The model that answers."""

    provider: str = Field(default="embedded", description="A name below models.providers, `openai` or `embedded`.")
    model: str = Field(default=EMBEDDED_CHAT_MODEL, description="The model's name as its provider knows it.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 answers alike every time, where it is heeded.")
    max_output_tokens: int = Field(default=600, gt=0, description="The longest answer.")
    seed: int | None = Field(default=0, description="Sent to providers that take one.")


class ImageSettings(Section):
    """The model that draws the picture of a text, for `write --picture`."""

    provider: str = Field(default="openai", description="A name below models.providers, or `openai`.")
    model: str = Field(default="gpt-image-1", description="The model's name as its provider knows it.")
    size: str = Field(default="1024x1024", description="Width and height, as the provider writes them.")


class Price(Section):
    """US dollars per million tokens."""

    input_usd: float = Field(ge=0, description="For a million tokens read.")
    output_usd: float = Field(default=0.0, ge=0, description="For a million tokens written.")
    training_usd: float | None = Field(
        default=None, ge=0, description="For a million tokens trained on, once; the table's when absent."
    )


class ModelSettings(Section):
    """Providers, the models used, and prices that override the dated table."""

    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    embedding: EmbeddingSettings = EmbeddingSettings()
    chat: ChatSettings = ChatSettings()
    image: ImageSettings = ImageSettings()
    prices: dict[str, Price] = Field(default_factory=dict)
    _state_dir: Path | None = PrivateAttr(default=None)

    @property
    def state_dir(self) -> Path | None:
        """What the embedded providers get as theirs. `Settings` puts it into its data folder."""
        return self._state_dir

    def keeping_state_in(self, folder: Path | None) -> ModelSettings:
        """The same models with another `state_dir`."""
        models = self.model_copy()
        models._state_dir = folder
        return models

    @model_validator(mode="after")
    def _known_providers(self) -> ModelSettings:
        for role in (self.embedding, self.chat):
            if role.provider not in self.all_providers():
                known = ", ".join(sorted(self.all_providers()))
                raise ValueError(f"provider {role.provider!r} is not declared; known providers: {known}")
        return self

    @model_validator(mode="after")
    def _models_of_their_providers(self) -> ModelSettings:
        """Where provider or model was changed and the other forgotten, only the first request would tell."""
        for key, role, embedded_model in (
            ("embedding", self.embedding, EMBEDDED_EMBEDDING_MODEL),
            ("chat", self.chat, EMBEDDED_CHAT_MODEL),
        ):
            provider = self.all_providers()[role.provider]
            tuned = key == "chat" and TUNED_EMBEDDED_CHAT_MODEL.fullmatch(role.model) is not None
            if provider.kind == "embedded" and role.model != embedded_model and not tuned:
                fix = f"Set models.{key}.provider to the one that has it, or remove models.{key}.model."
                has = f"has {embedded_model!r} {'and models tuned from it' if key == 'chat' else 'alone'}"
                raise _not_its_model(key, role, has, fix)
            # Other servers do offer the embedding model by its name; OpenAI itself is known to lack it.
            elsewhere = key == "embedding" and provider.base_url is not None
            if provider.kind == "openai" and role.model == embedded_model and not elsewhere:
                fix = f"Set models.{key}.model to one of its models, or remove models.{key}.provider."
                raise _not_its_model(key, role, "does not have it", fix)
        return self

    def all_providers(self) -> dict[str, ProviderSettings]:
        """The declared providers, and `embedded` and `openai`, which need no declaration."""
        built_in = {
            "embedded": ProviderSettings(kind="embedded", api_key_env=None),
            "openai": ProviderSettings(kind="openai"),
        }
        declared = built_in | self.providers
        return {name: provider.keeping_state_in(self.state_dir) for name, provider in declared.items()}


def _not_its_model(key: str, role: EmbeddingSettings | ChatSettings, why: str, fix: str) -> PydanticCustomError:
    problem = f"models.{key}.model is {role.model!r}, and the provider {role.provider!r} {why}"
    return PydanticCustomError("not_its_model", "{problem}", {"problem": problem, "fix": fix})
