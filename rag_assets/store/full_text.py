"""What a question becomes for full text search: words, never query syntax.

A question is data. It is cut into words here and given to LanceDB as structured match queries, so quotes, brackets,
operators and SQL are only characters between words. LanceDB stems the words and drops stop words as the index does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag_assets.errors import QueryError

if TYPE_CHECKING:
    from lancedb.query import FullTextQuery

WORDS_MAX = 256
SCANNED_CHARACTERS = 20_000
_WORD = re.compile(r"\w+")


def words(query: str) -> list[str]:
    """The different words of `query` in lower case and in order; at most `WORDS_MAX` from its first 20,000 characters.

    Lone surrogates, which UTF-8 cannot hold, separate words as spaces do. No words is no error: a question of signs
    alone can still be searched for by its vector.
    """
    scanned = query[:SCANNED_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    return list(dict.fromkeys(_WORD.findall(scanned.lower())))[:WORDS_MAX]


def check_query(query: str) -> None:
    """Raises QueryError for a query without one visible character."""
    if not any(character.isprintable() and not character.isspace() for character in query):
        raise QueryError("The query is empty.", fix="Ask for something in words.")


def match_query(terms: list[str], *, title_weight: float) -> FullTextQuery:
    """BM25 of `body` plus `title_weight` × BM25 of `title`; any of the words may match."""
    from lancedb.query import BooleanQuery, MatchQuery, Occur

    text = " ".join(terms)
    body = MatchQuery(text, "body")
    if title_weight == 0.0:
        return body
    return BooleanQuery([(Occur.SHOULD, body), (Occur.SHOULD, MatchQuery(text, "title", boost=title_weight))])
