"""Where an answer came from, down to the bytes of the files, and what became of a file, up to the answers.

`trace(project, text)` takes the id of an answer, a chunk, a training file or a tuned model, or a document's address.
What was never recorded, or is not kept any more, is said to be so; nothing is guessed.
"""

from rag_assets.lineage.documents import trace_document
from rag_assets.lineage.lookup import trace
from rag_assets.lineage.model import AnswerTrace, ChunkTrace, CitationTrace, DocumentTrace, FileTrace, VersionTrace
from rag_assets.lineage.releases import ReleaseTrace, SnapshotTrace, StageTrace, trace_release
from rag_assets.lineage.traces import trace_answer, trace_chunk
from rag_assets.lineage.training import LineTrace, TrainingFileTrace, trace_training_file

__all__ = [
    "AnswerTrace",
    "ChunkTrace",
    "CitationTrace",
    "DocumentTrace",
    "FileTrace",
    "LineTrace",
    "ReleaseTrace",
    "SnapshotTrace",
    "StageTrace",
    "TrainingFileTrace",
    "VersionTrace",
    "trace",
    "trace_answer",
    "trace_chunk",
    "trace_document",
    "trace_release",
    "trace_training_file",
]
