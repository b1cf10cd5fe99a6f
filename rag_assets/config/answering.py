"""How documents are cut, how passages are found, and how an answer is made of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from rag_assets.config.section import Section, checked_language

INDEX_SETTINGS = ("language", "stemming", "stop_words")
"""Of `RetrievalSettings`: what the full text index is built with, so that only another snapshot can change it."""


class ChunkingSettings(Section):
    """How documents are cut. Sizes are tokens of the embedding model, heading prefix included."""

    max_tokens: int = Field(default=240, ge=16, le=8_000, description="The most tokens of what is embedded.")
    overlap_tokens: int = Field(default=0, ge=0, description="Repeated from the end of the previous piece of a block.")
    heading_prefix: bool = Field(default=True, description="Embed title and heading path in front of the text.")

    @model_validator(mode="after")
    def _overlap_fits(self) -> ChunkingSettings:
        if self.overlap_tokens * 2 > self.max_tokens:
            raise ValueError("overlap_tokens must be at most half of max_tokens")
        return self


class RetrievalSettings(Section):
    """How passages are found; part of a release. `bench/README.md` has the measurements behind the defaults.

    `min_score` is in the scale of what ranks: the cosine (at most 1) with `mode: vector`, BM25 (no upper bound) with
    `mode: text`, and from 0 to 1 with either fusion; a reranker comes after it. `language`, `stemming` and `stop_words`
    are built into the index: a change builds its full text part anew with the next snapshot, and earlier ones keep
    theirs. A language without a stemmer has neither endings nor common words taken off.
    """

    language: str = Field(default="en", description="ISO 639-1 code of most documents: stemmer and stop words.")
    stemming: bool = Field(default=True, description="Full text search finds other forms of a word, by `language`.")
    stop_words: bool = Field(default=True, description="Full text search leaves out the common words of `language`.")
    mode: Literal["hybrid", "vector", "text"] = Field(default="hybrid", description="Which sides search.")
    fusion: Literal["convex", "rrf"] = Field(default="convex", description="How hybrid joins them: scores, or ranks.")
    vector_weight: float = Field(
        default=0.7, ge=0, le=1, description="Convex fusion: part of the cosine; BM25 has the rest."
    )
    title_weight: float = Field(default=0.3, ge=0, le=10, description="BM25 of the title, added to that of the text.")
    phrase_weight: float = Field(default=0.25, ge=0, le=1, description="Convex fusion: word pairs of the query.")
    feedback_weight: float = Field(default=0.5, ge=0, le=1, description="Convex fusion: pull of the best passages.")
    rrf_k: int = Field(default=60, ge=1, description="Reciprocal rank fusion: the constant k.")
    reranker: Literal["none", "late_interaction"] = Field(
        default="none", description="What orders the best anew: nothing, or token vectors of all-MiniLM-L6-v2."
    )
    rerank_candidates: int = Field(default=10, ge=2, le=100, description="The most of the best that are reranked.")
    rerank_margin: float = Field(
        default=0.2, ge=0, le=1, description="Reranked are those within this of the best score; a clear best stays."
    )
    rerank_weight: float = Field(default=2.0, gt=0, le=100, description="Of the reranker; the fused score has 1.")
    candidates: int = Field(
        default=100, ge=1, le=1_000, description="Rows taken from each side before fusion; as many as `k` at least."
    )
    k: int = Field(default=5, ge=1, le=100, description="Passages returned.")
    min_score: float = Field(default=0.0, ge=0, description="Passages that score less are left out; 0 leaves out none.")
    neighbours: int = Field(
        default=0, ge=0, le=10, description="Chunks before and after each passage that a prompt gets too."
    )
    neighbour_tokens: int = Field(default=1_000, ge=1, description="The most tokens of neighbours in one prompt.")
    nprobes: int = Field(default=40, ge=1, le=4_096, description="Partitions read of a vector index.")
    refine_factor: int = Field(default=1, ge=1, le=100, description="Times `candidates` rescored with exact vectors.")

    @field_validator("language")
    @classmethod
    def _language(cls, code: str) -> str | None:
        return checked_language(code)

    @model_validator(mode="after")
    def _reachable_score(self) -> RetrievalSettings:
        if self.min_score > 1 and self.mode != "text":
            raise ValueError(f"min_score is above 1, and no passage scores more with mode {self.mode}")
        return self


class AnsweringSettings(Section):
    """How an answer is made from passages; part of a release."""

    passages: int = Field(default=4, ge=1, le=50, description="Passages put into the prompt.")
    max_question_characters: int = Field(default=4_000, ge=1, description="A longer question is refused.")
