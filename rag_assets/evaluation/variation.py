"""Release content with some settings changed, to be tried without releasing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_assets.config import INDEX_SETTINGS, Settings
from rag_assets.config_file import varied_settings
from rag_assets.errors import ConfigurationError
from rag_assets.releasing import ReleaseContent

_FIX = "Change it in rag_assets.yaml and run: rag-assets ingest --all. What serves stays until the gates pass."
VARIABLE = ("retrieval", "answering", "models.chat")
"""What can be tried on an index that exists. Everything else makes another index."""


def vary(content: ReleaseContent, changes: Sequence[str], settings: Settings) -> ReleaseContent:
    """`content` with `changes` such as `retrieval.mode=vector`. `settings` has the providers that a change may name.

    Raises `ConfigurationError` for a change that is not `key=value`, is unknown or wrong, or needs another index.
    """
    if not changes:
        return content
    present = settings.model_copy(
        update={
            "retrieval": content.retrieval,
            "answering": content.answering,
            "models": settings.models.model_copy(update={"chat": content.chat, "embedding": content.embedding}),
        }
    )
    varied = varied_settings(present, dict(_parsed(change) for change in changes))
    return replace(
        content, retrieval=varied.retrieval, answering=varied.answering, chat=varied.models.chat, release=None
    )


def _parsed(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    name = name.strip()
    if not equals or "." not in name:
        raise ConfigurationError(
            f"{change!r} is not a change of a setting.", fix="Write it as section.key=value: retrieval.mode=vector"
        )
    if not name.startswith(tuple(f"{section}." for section in VARIABLE)):
        raise ConfigurationError(
            f"{name} cannot be tried on an index that exists; these can: {', '.join(f'{one}.*' for one in VARIABLE)}.",
            fix=_FIX,
        )
    if name in [f"retrieval.{key}" for key in INDEX_SETTINGS]:
        raise ConfigurationError(
            f"{name} is built into the index and cannot be tried on one that exists.",
            fix=_FIX,
        )
    return name, value
