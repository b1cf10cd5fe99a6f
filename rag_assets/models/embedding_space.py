"""The identity of an embedding space: everything that decides which vector a text gets."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from rag_assets.config import ModelSettings
from rag_assets.errors import ConfigurationError
from rag_assets.fingerprints import fingerprint
from rag_assets.models import catalog


@dataclass(frozen=True)
class EmbeddingSpace:
    """Vectors of two spaces never meet in one index. `precision` is None for models that have no such choice."""

    model: str
    precision: str | None
    dimension: int
    query_prefix: str
    document_prefix: str
    normalized: bool = True

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal characters over all fields."""
        return fingerprint(**asdict(self))

    @property
    def name(self) -> str:
        """A name for people, tables and folders: `all-minilm-l6-v2-int8-384-` and 8 characters of the fingerprint."""
        parts = (self.model, self.precision or "", str(self.dimension), self.fingerprint[:8])
        return re.sub(r"[^a-z0-9]+", "-", "-".join(part for part in parts if part).lower()).strip("-")


def embedding_space(settings: ModelSettings) -> EmbeddingSpace:
    """The configured space; needs no model, weights or key. Raises `ConfigurationError`."""
    embedding = settings.embedding
    model = catalog.embedding_model(embedding)
    precision: str | None = None
    if settings.all_providers()[embedding.provider].kind == "embedded":
        from rag_assets.models.embedded.encoder import DEFAULT_PRECISION

        precision = embedding.precision or DEFAULT_PRECISION
    elif embedding.precision is not None:
        raise ConfigurationError(
            f"models.embedding.precision is {embedding.precision!r}, and only the embedded provider has precisions.",
            fix="Remove that key, or set models.embedding.provider to embedded.",
        )
    elif embedding.device != "auto":
        raise ConfigurationError(
            f"models.embedding.device is {embedding.device!r}, and only the embedded provider runs on a device here.",
            fix="Remove that key, or set models.embedding.provider to embedded.",
        )
    return EmbeddingSpace(
        model=model.name,
        precision=precision,
        dimension=model.dimension,
        query_prefix=embedding.query_prefix,
        document_prefix=embedding.document_prefix,
    )
