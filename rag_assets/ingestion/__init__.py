"""The difference engine: for one source, what should be stored, what is stored, and what to write.

Each stage declares the rows a source should have, compares them by key and hash with the rows it has, and writes only
the difference: new rows first, then the removal of old ones. A stage that is killed leaves rows that the next run
compares again, so it finishes the work and pays for nothing twice. A document that fails at any stage keeps its
previous rows, is recorded in the ledger, and is tried again when something that decided it changes (see `quarantine`);
the others go on.

    raw_documents ─► chunks ─► embeddings ─► vector_index

`sync_raw_documents`, `sync_chunks`, `sync_embeddings` and `sync_vector_index` are these stages. They import no Dagster.
"""

from rag_assets.ingestion.chunks import chunks_version, sync_chunks
from rag_assets.ingestion.embeddings import embeddings_version, sync_embeddings
from rag_assets.ingestion.generation import Generation
from rag_assets.ingestion.raw_documents import sync_raw_documents
from rag_assets.ingestion.results import (
    ChunksResult,
    EmbeddingsResult,
    IndexResult,
    Progress,
    RawDocumentsResult,
)
from rag_assets.ingestion.vector_index import partial_documents, source_rows, sync_vector_index

__all__ = [
    "ChunksResult",
    "EmbeddingsResult",
    "Generation",
    "IndexResult",
    "Progress",
    "RawDocumentsResult",
    "chunks_version",
    "embeddings_version",
    "partial_documents",
    "source_rows",
    "sync_chunks",
    "sync_embeddings",
    "sync_raw_documents",
    "sync_vector_index",
]
