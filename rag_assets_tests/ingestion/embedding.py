"""The embedding stage alone: chunks with given texts, a ledger, and a provider that remembers what it was sent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.config import EmbeddingSettings, ModelSettings, ProviderSettings
from rag_assets.failpoints import VARIABLE
from rag_assets.fingerprints import sha256_hex
from rag_assets.ingestion import sync_embeddings
from rag_assets.ingestion.results import EmbeddingsResult
from rag_assets.ledger import Ledger
from rag_assets.models.embedder import Embedder
from rag_assets.models.usage import UsageMeter
from rag_assets.store import Store, Table
from rag_assets_tests.openai_server import API_KEY, OpenAIServer

DIMENSION = 8


def chunk_rows(texts: Iterable[str]) -> pa.Table:
    """Chunks of one document each, whose inputs are `texts`; equal texts are chunks of their own."""
    rows = []
    for number, text in enumerate(texts):
        row: dict[str, Any] = {field.name: _VALUES[str(field.type)] for field in schemas.CHUNKS}
        names = {"chunk_id": f"c{number}", "document_id": f"d{number}", "uri": f"{number}.md"}
        rows.append(row | names | {"input_text": text, "input_hash": sha256_hex(text)})
    return pa.Table.from_pylist(rows, schema=schemas.CHUNKS)


_VALUES: dict[str, Any] = {"string": "", "int32": 1, "list<item: string>": [], "list<element: string>": []}


class EmbeddingStage:
    """One folder with tables, ledger and spool, as one process has it open."""

    def __init__(self, folder: Path, base_url: str, *, batch_size: int = 4, max_concurrency: int = 4) -> None:
        self.folder = folder
        self.store = Store(str(folder / "lancedb"), lock_dir=folder / "locks")
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        self._meter = UsageMeter()
        provider = ProviderSettings(
            base_url=base_url, api_key_env="KEY", max_retries=0, timeout_seconds=30, max_concurrency=max_concurrency
        )
        settings = ModelSettings(
            providers={"team": provider},
            embedding=EmbeddingSettings(
                provider="team",
                model="test-embedding",
                dimension=DIMENSION,
                max_input_tokens=50,
                tokenizer="o200k_base",
                batch_size=batch_size,
            ),
        )
        self.embedder = Embedder(settings, self._meter, environment={"KEY": API_KEY})

    @property
    def vectors(self) -> Table:
        return self.store.embeddings(self.embedder.space.name, DIMENSION)

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def chunks(self, name: str, texts: Iterable[str]) -> Table:
        """The chunks of source `name`, with exactly these inputs."""
        table = self.store.chunks(name)
        table.apply(chunk_rows(texts), [])
        return table

    def embed(self, name: str = "a", **arguments: Any) -> EmbeddingsResult:
        """The stage, for the chunks that source `name` has."""
        return sync_embeddings(
            name,
            chunks=self.store.chunks(name),
            embeddings=self.vectors,
            embedder=self.embedder,
            meter=self._meter,
            ledger=self.ledger,
            spool_dir=self.spool,
            **arguments,
        )

    def stored(self) -> Counter[str]:
        """The hashes in the table of vectors, and how often each is there."""
        return Counter(self.vectors.rows(["input_hash"])["input_hash"].to_pylist())

    def left_over(self) -> list[str]:
        """Files of the spool and claims that are still there."""
        files = [str(path.relative_to(self.spool)) for path in self.spool.rglob("*") if path.is_file()]
        hashes = [row["input_hash"] for row in self.store.chunks("a").rows(["input_hash"]).to_pylist()]
        return files + [one.owner for one in self.ledger.claimants(self.embedder.space.name, hashes)]

    def close(self) -> None:
        self.embedder.close()
        self.ledger.close()


def embed_until(folder: Path, base_url: str, failpoint: str) -> None:
    """Embeds source `a`, one request at a time, in a process of its own that ends at `failpoint`."""
    os.environ[VARIABLE] = failpoint
    EmbeddingStage(folder, base_url, max_concurrency=1).embed()


def hashes_of(texts: Iterable[str]) -> Counter[str]:
    """What the table of vectors should hold for these inputs."""
    return Counter(sha256_hex(text) for text in set(texts))


def sent(server: OpenAIServer) -> Counter[str]:
    """How often each text was sent."""
    return Counter(server.inputs())
