"""The assets: thin bodies that read the partition key, call the core, and say what was done."""

from rag_assets.assets.comparison import model_comparison
from rag_assets.assets.evaluation import eval_report, golden_questions
from rag_assets.assets.examples import training_examples
from rag_assets.assets.fine_tuning import fine_tuned_model, fine_tuning_job
from rag_assets.assets.ingestion import chunks, embeddings, raw_documents, vector_index
from rag_assets.assets.partitions import (
    EXAMPLE_SETS,
    SOURCES,
    PartitionChanges,
    SetChanges,
    sync_example_sets,
    sync_partitions,
)
from rag_assets.assets.release import release
from rag_assets.assets.snapshot import index_snapshot
from rag_assets.assets.training_file import training_file

INGESTION_ASSETS = [raw_documents, chunks, embeddings, vector_index]
EVALUATION_ASSETS = [golden_questions, eval_report]
RELEASE_ASSETS = [index_snapshot, *EVALUATION_ASSETS, release]
TUNING_ASSETS = [training_examples, training_file, fine_tuning_job, fine_tuned_model, model_comparison]

__all__ = [
    "EVALUATION_ASSETS",
    "EXAMPLE_SETS",
    "INGESTION_ASSETS",
    "RELEASE_ASSETS",
    "SOURCES",
    "TUNING_ASSETS",
    "PartitionChanges",
    "SetChanges",
    "chunks",
    "embeddings",
    "eval_report",
    "fine_tuned_model",
    "fine_tuning_job",
    "golden_questions",
    "index_snapshot",
    "model_comparison",
    "raw_documents",
    "release",
    "sync_example_sets",
    "sync_partitions",
    "training_examples",
    "training_file",
    "vector_index",
]
