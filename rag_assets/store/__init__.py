"""The tables: LanceDB in a folder or on an object store, written as differences, read at pinned versions."""

from rag_assets.store.hits import Hit
from rag_assets.store.index import IndexTable
from rag_assets.store.neighbours import with_neighbours
from rag_assets.store.reranking import Reranker
from rag_assets.store.search import search
from rag_assets.store.sql import sql_literal
from rag_assets.store.store import Store
from rag_assets.store.table import Table, WriteResult

__all__ = [
    "Hit",
    "IndexTable",
    "Reranker",
    "Store",
    "Table",
    "WriteResult",
    "search",
    "sql_literal",
    "with_neighbours",
]
