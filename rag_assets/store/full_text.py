"""What a question becomes for full text search: words and word pairs, never query syntax.

A question is data. It is cut into words here and given to LanceDB as structured match queries, so quotes, brackets,
operators and SQL are only characters between words. LanceDB stems the words and drops stop words as its index does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rag_assets.errors import QueryError

if TYPE_CHECKING:
    from lancedb.query import FullTextQuery

WORDS_MAX = 256
SCANNED_CHARACTERS_MAX = 20_000
COMMON_ABOVE = 0.5
"""A word that more than this share of the passages has says nothing about which of them is meant."""
_WORD = re.compile(r"\w+")


def check_query(query: str) -> None:
    """Raises QueryError for a query without one visible character."""
    if not any(character.isprintable() and not character.isspace() for character in query):
        raise QueryError("The query is empty.", fix="Ask for something in words.")


def words(text: str) -> list[str]:
    """The words of `text` in lower case and in order, repeats included. Signs and lone surrogates are between words."""
    return _WORD.findall(text.lower())


def query_words(query: str) -> list[str]:
    """The words searched for: the first 256 within the first 20,000 characters.

    More would cost seconds and say nothing. No words is no error: signs alone still have a vector.
    """
    return words(query[:SCANNED_CHARACTERS_MAX])[:WORDS_MAX]


def match_query(terms: Sequence[str], *, title_weight: float) -> FullTextQuery:
    """BM25 of `body` plus `title_weight` × BM25 of `title`; any of the words may match."""
    from lancedb.query import BooleanQuery, Occur

    body = body_query(terms)
    if title_weight == 0.0:
        return body
    return BooleanQuery([(Occur.SHOULD, body), (Occur.SHOULD, title_query(terms, title_weight))])


def body_query(terms: Sequence[str]) -> FullTextQuery:
    """BM25 of `body`."""
    from lancedb.query import MatchQuery

    return MatchQuery(" ".join(terms), "body")


def title_query(terms: Sequence[str], weight: float) -> FullTextQuery:
    """`weight` × BM25 of `title`."""
    from lancedb.query import MatchQuery

    return MatchQuery(" ".join(terms), "title", boost=weight)


def phrase_scores(terms: Sequence[str], passages: Mapping[str, str]) -> dict[str, float]:
    """Per passage, the share of the question's pairs of neighbouring words that stand side by side in it too.

    A pair weighs as its commoner word does by inverse document frequency, counted among `passages` themselves; pairs
    with a word that none or more than half of them have do not count. So "elections take place" finds the passage that
    says it, and function words weigh nothing in any language, without a list of them.
    """
    asked = set(terms)
    found = {chunk_id: words(text) for chunk_id, text in passages.items()}
    frequency = Counter(word for sequence in found.values() for word in asked.intersection(sequence))
    telling = {
        word: math.log(1.0 + (len(passages) - count + 0.5) / (count + 0.5))
        for word, count in frequency.items()
        if count <= COMMON_ABOVE * len(passages)
    }
    weights = {(a, b): min(telling[a], telling[b]) for a, b in pairwise(terms) if a in telling and b in telling}
    total = sum(weights.values())
    if total == 0.0:
        return {}
    return {
        chunk_id: sum(weights[pair] for pair in weights.keys() & set(pairwise(sequence))) / total
        for chunk_id, sequence in found.items()
    }
