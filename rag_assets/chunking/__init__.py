"""Chunking: blocks of a document become pieces that an embedding model reads whole."""

from rag_assets.chunking.chunker import CHUNKER, chunk_document
from rag_assets.chunking.model import Chunk
from rag_assets.chunking.tokenizer import Tokenizer

__all__ = ["CHUNKER", "Chunk", "Tokenizer", "chunk_document"]
