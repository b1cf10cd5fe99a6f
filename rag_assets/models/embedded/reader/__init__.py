"""The extractive reader: answers a question by quoting passages. See `reader.py`."""

from rag_assets.models.embedded.reader.reader import MAX_QUOTE_WORDS, Passage, Quote, Reading, read
from rag_assets.models.embedded.reader.scoring import ScoringModel, shipped_model

__all__ = ["MAX_QUOTE_WORDS", "Passage", "Quote", "Reading", "ScoringModel", "read", "shipped_model"]
