"""The assets: thin bodies that read the partition key, call the core, and say what was done."""

from rag_assets.assets.ingestion import chunks, embeddings, raw_documents, vector_index
from rag_assets.assets.partitions import SOURCES, PartitionChanges, sync_partitions
from rag_assets.assets.release import index_snapshot, release

INGESTION_ASSETS = [raw_documents, chunks, embeddings, vector_index]
RELEASE_ASSETS = [index_snapshot, release]

__all__ = [
    "INGESTION_ASSETS",
    "RELEASE_ASSETS",
    "SOURCES",
    "PartitionChanges",
    "chunks",
    "embeddings",
    "index_snapshot",
    "raw_documents",
    "release",
    "sync_partitions",
    "vector_index",
]
