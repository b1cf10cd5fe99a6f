"""A generation: one parser set, one chunker and one embedding space. Each has an index table of its own."""

from __future__ import annotations

from dataclasses import dataclass

from rag_assets.config import ChunkingSettings
from rag_assets.fingerprints import fingerprint
from rag_assets.models.embedding_space import EmbeddingSpace

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
