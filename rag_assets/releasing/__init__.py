"""From an index to what answers are given from: pin a snapshot, judge it, release it.

A snapshot pins the exact table version of one generation. The gates judge exactly that snapshot and leave their
verdicts in the ledger; `make_release` reads them and refuses without them.
"""

from rag_assets.releasing.answering import answering_documents
from rag_assets.releasing.content import ReleaseContent, models_of
from rag_assets.releasing.coverage import INDEXED, is_in_step, subject_of_index
from rag_assets.releasing.gates import (
    COMPLETENESS,
    EMBEDDING_INTEGRITY,
    QUALITY,
    SNAPSHOT_GATES,
    TOKEN_BUDGET,
    GateVerdict,
    judge_chunks,
    judge_embeddings,
    judge_index,
    judge_snapshot,
    recorded,
    require,
    subject_of_chunks,
    subject_of_embeddings,
    subject_of_quality,
)
from rag_assets.releasing.pins import is_kept, require_kept
from rag_assets.releasing.promotion import FORCED, Objection, Promotion, content_named, newest_verdicts, promote
from rag_assets.releasing.release import ReleaseResult, make_release, roll_back
from rag_assets.releasing.retention import PruneResult, end_unneeded_revocations, prune
from rag_assets.releasing.snapshot import SnapshotResult, candidate, take_snapshot

__all__ = [
    "COMPLETENESS",
    "EMBEDDING_INTEGRITY",
    "FORCED",
    "INDEXED",
    "QUALITY",
    "SNAPSHOT_GATES",
    "TOKEN_BUDGET",
    "GateVerdict",
    "Objection",
    "Promotion",
    "PruneResult",
    "ReleaseContent",
    "ReleaseResult",
    "SnapshotResult",
    "answering_documents",
    "candidate",
    "content_named",
    "end_unneeded_revocations",
    "is_in_step",
    "is_kept",
    "judge_chunks",
    "judge_embeddings",
    "judge_index",
    "judge_snapshot",
    "make_release",
    "models_of",
    "newest_verdicts",
    "promote",
    "prune",
    "recorded",
    "require",
    "require_kept",
    "roll_back",
    "subject_of_chunks",
    "subject_of_embeddings",
    "subject_of_index",
    "subject_of_quality",
    "take_snapshot",
]
