"""From a question to a cited answer: guard → retrieve → generate → verify, each step told to observers.

Everything an answer depends on comes from a release: the snapshot, the retrieval settings, the prompts and the chat
model. Nothing in a document or a question is executed or followed.
"""

from rag_assets.answering.answer import Answer, Citation
from rag_assets.answering.guard import check_question
from rag_assets.answering.observers import Observer, Step, StepUsage, observed
from rag_assets.answering.pipeline import AnswerPipeline
from rag_assets.answering.prompting import rendered_passages
from rag_assets.answering.retrieve import Retriever, check_built_in, make_reranker
from rag_assets.answering.verify import cited_passages

__all__ = [
    "Answer",
    "AnswerPipeline",
    "Citation",
    "Observer",
    "Retriever",
    "Step",
    "StepUsage",
    "check_built_in",
    "check_question",
    "cited_passages",
    "make_reranker",
    "observed",
    "rendered_passages",
]
