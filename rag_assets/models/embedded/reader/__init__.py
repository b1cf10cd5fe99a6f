"""The extractive reader: answers a question by quoting passages. See `reader.py`."""

from rag_assets.models.embedded.reader.reader import MAX_QUOTE_WORDS, Passage, Quote, Reading, read
from rag_assets.models.embedded.reader.scoring import ScoringModel, shipped_model
from rag_assets.models.embedded.reader.tuned import TunedReader

__all__ = ["MAX_QUOTE_WORDS", "Passage", "Quote", "Reading", "ScoringModel", "TunedReader", "read", "shipped_model"]
