"""The assets: thin bodies that read the partition key, call the core, and say what was done."""

from rag_assets.assets.evaluation import eval_report, golden_questions
from rag_assets.assets.ingestion import chunks, embeddings, raw_documents, vector_index
from rag_assets.assets.partitions import SOURCES, PartitionChanges, sync_partitions
from rag_assets.assets.release import release
from rag_assets.assets.snapshot import index_snapshot

INGESTION_ASSETS = [raw_documents, chunks, embeddings, vector_index]
EVALUATION_ASSETS = [golden_questions, eval_report]
RELEASE_ASSETS = [index_snapshot, *EVALUATION_ASSETS, release]

__all__ = [
    "EVALUATION_ASSETS",
    "INGESTION_ASSETS",
    "RELEASE_ASSETS",
    "SOURCES",
    "PartitionChanges",
    "chunks",
    "embeddings",
    "eval_report",
    "golden_questions",
    "index_snapshot",
    "raw_documents",
    "release",
    "sync_partitions",
    "vector_index",
]
