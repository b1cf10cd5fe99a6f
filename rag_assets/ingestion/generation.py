"""A generation: one parser set, one chunker and one embedding space. Each has an index table of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rag_assets.config import ChunkingSettings, Settings
from rag_assets.errors import ConfigurationError
from rag_assets.fingerprints import fingerprint
from rag_assets.models.embedding_space import EmbeddingSpace, embedding_space

ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Generation:
    """The identity of everything that decides what a row of the index looks like.

    A change of any part is a new generation, built beside the old one. `id` is 12 hexadecimal characters.
    """

    parsers: str
    chunker: str
    tokenizer: str
    chunking: ChunkingSettings
    space: EmbeddingSpace

    @property
    def id(self) -> str:
        return fingerprint(
            parsers=self.parsers,
            chunker=self.chunker,
            tokenizer=self.tokenizer,
            chunking=self.chunking.model_dump(mode="json"),
            space=self.space.fingerprint,
        )[:ID_LENGTH]

    @property
    def chunking_id(self) -> str:
        """What a row of the chunks table depends on besides its document, whose hash covers the parser."""
        return fingerprint(
            chunker=self.chunker,
            tokenizer=self.tokenizer,
            chunking=self.chunking.model_dump(mode="json"),
            document_prefix=self.space.document_prefix,
        )[:ID_LENGTH]

    @property
    def parts(self) -> dict[str, Any]:
        """Everything above as plain values, for the ledger and for `changed_parts`."""
        return {
            "parsers": self.parsers,
            "chunker": self.chunker,
            "tokenizer": self.tokenizer,
            "chunking": self.chunking.model_dump(mode="json"),
            "embedding_space": asdict(self.space),
        }


_NAMES = {"parsers": "parser", "chunker": "chunker", "tokenizer": "tokenizer"}
_SPACE_NAMES = {"model": "embedding model", "normalized": "normalisation"}


def configured_generation(settings: Settings) -> Generation:
    """The parsers, chunker and embedding space that `settings` ask for. Raises `ConfigurationError`."""
    from rag_assets.chunking import CHUNKER
    from rag_assets.documents.parsing import SUPPORTED_SUFFIXES, parser_for
    from rag_assets.models.catalog import embedding_model

    model = embedding_model(settings.models.embedding)
    chunking = settings.chunking
    if "max_tokens" in chunking.model_fields_set and chunking.max_tokens > model.max_input_tokens:
        raise ConfigurationError(
            f"chunking.max_tokens is {chunking.max_tokens:,}, and {model.name} reads at most "
            f"{model.max_input_tokens:,} tokens.",
            fix="Lower chunking.max_tokens, or choose an embedding model that reads more.",
        )
    return Generation(
        parsers=",".join(sorted({str(parser_for(f"x{suffix}")) for suffix in SUPPORTED_SUFFIXES})),
        chunker=CHUNKER,
        tokenizer=model.tokenizer,
        chunking=chunking,
        space=embedding_space(settings.models),
    )


def changed_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is different between the `parts` of two generations, in words; parts that only one of them has are left out.

    `["chunking.max_tokens 240 → 200"]`, `["parser markdown@1 → markdown@2"]`.
    """
    said = []
    for key, name in _NAMES.items():
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old != new:
            gone, come = set(str(old).split(",")), set(str(new).split(","))
            said.append(
                f"{name} {', '.join(sorted(gone - come)) or 'none'} → {', '.join(sorted(come - gone)) or 'none'}"
            )
    said += _changed_values("chunking.", before.get("chunking"), after.get("chunking"), {})
    said += _changed_values("embedding ", before.get("embedding_space"), after.get("embedding_space"), _SPACE_NAMES)
    return said


def _changed_values(prefix: str, before: Any, after: Any, names: Mapping[str, str]) -> list[str]:
    if not before or not after:
        return []
    return [
        f"{names.get(key) or prefix + key.replace('_prefix', ' prefix')} {_shown(before[key])} → {_shown(after[key])}"
        for key in after
        if key in before and before[key] != after[key]
    ]


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) and not value.strip() else str(value)
