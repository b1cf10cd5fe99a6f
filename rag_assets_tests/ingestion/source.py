"""A source on disk and its first two stages, without Dagster."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from rag_assets.chunking import CHUNKER, Tokenizer
from rag_assets.config import ChunkingSettings, FilesSource
from rag_assets.documents.connectors import Connector, open_connector
from rag_assets.documents.model import Loaded
from rag_assets.documents.rows import Reading, Unread, read_documents
from rag_assets.ingestion import ChunksResult, Generation, RawDocumentsResult, sync_chunks, sync_raw_documents
from rag_assets.ledger import Ledger
from rag_assets.models.embedding_space import EmbeddingSpace
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.store import Store

SPACE = EmbeddingSpace("all-MiniLM-L6-v2", dimension=384, precision="int8", query_prefix="", document_prefix="")
GENERATION = Generation(
    parsers="", chunker=CHUNKER, tokenizer="all-MiniLM-L6-v2", chunking=ChunkingSettings(), space=SPACE
)


@dataclass
class Counting:
    """A connector that notes what is opened."""

    inner: Connector
    opened: list[str] = field(default_factory=list)

    def list(self):
        return self.inner.list()

    def load(self, uri: str) -> Loaded:
        self.opened.append(uri)
        return self.inner.load(uri)


@dataclass
class StagedSource:
    """A folder of documents with the tables and the ledger of a project around it."""

    root: Path
    settings: dict[str, Any] = field(default_factory=lambda: {"language": "en", "max_removed_fraction": 1.0})
    generation: Generation = GENERATION
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "docs").mkdir(parents=True, exist_ok=True)
        self.store = Store(str(self.root / "store"), lock_dir=self.root / "locks")
        self.ledger = Ledger(f"sqlite:///{self.root / 'ledger.sqlite'}")

    def write(self, uri: str, text: str | bytes) -> None:
        path = self.root / "docs" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self, **options: Any) -> RawDocumentsResult:
        """The first stage; `opened` then has what it opened."""
        source = FilesSource.model_validate({"path": "docs", **self.settings})
        connector = Counting(open_connector(source, root=self.root))
        result = sync_raw_documents(
            "src", source, connector=connector, table=self.store.raw_documents("src"), ledger=self.ledger, **options
        )
        self.opened = connector.opened
        return result

    def cut(self, tokenizer: Tokenizer | None = None) -> ChunksResult:
        """The second stage."""
        return sync_chunks(
            "src",
            raw_documents=self.store.raw_documents("src"),
            chunks=self.store.chunks("src"),
            generation=self.generation,
            tokenizer=tokenizer or load_tokenizer("all-MiniLM-L6-v2"),
            max_input_tokens=256,
            ledger=self.ledger,
        )

    def with_(self, **parts: Any) -> None:
        """Another generation from now on."""
        self.generation = replace(self.generation, **parts)

    def chunks(self) -> dict[str, str]:
        """The ids of the stored chunks, each with its document."""
        rows = self.store.chunks("src").rows(["chunk_id", "uri"])
        return dict(zip(rows["chunk_id"].to_pylist(), rows["uri"].to_pylist(), strict=True))


def read_or_die(loaded: Sequence[Loaded], reading: Reading) -> tuple[pa.RecordBatch, list[Unread]]:
    """`read_documents` by a library that crashes over a document which says so."""
    if any(b"crash" in one.data for one in loaded):
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_documents(loaded, reading)
