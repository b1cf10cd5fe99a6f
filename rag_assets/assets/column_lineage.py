"""Which columns each column of a table comes from, as Dagster's UI shows it; ids and counts of a run come from none."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from rag_assets import schemas

COLUMN_LINEAGE = "dagster/column_lineage"
_CUT = ("text", "blocks")
_INPUT = ("text", "blocks", "title")

Origins = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Column → asset → columns of that asset."""

CHUNKS: Origins = {
    **{name: {"raw_documents": (name,)} for name in ("document_id", "source", "uri", "title", "language")},
    "allowed_groups": {"raw_documents": ("allowed_groups",)},
    "chunk_id": {"raw_documents": ("document_id", *_CUT)},
    **{name: {"raw_documents": _CUT} for name in ("ordinal", "document_chunks", "text", "text_hash")},
    **{name: {"raw_documents": _CUT} for name in ("start_offset", "end_offset")},
    **{name: {"raw_documents": _INPUT} for name in ("input_text", "input_hash", "token_count")},
    **{name: {"raw_documents": ("blocks",)} for name in ("heading_path", "page")},
    "document_hash": {"raw_documents": ("row_hash",)},
    "row_hash": {"raw_documents": ("row_hash", *_CUT)},
}

EMBEDDINGS: Origins = {
    "input_hash": {"chunks": ("input_hash",)},
    "vector": {"chunks": ("input_text",)},
    "token_count": {"chunks": ("token_count",)},
}

VECTOR_INDEX: Origins = {
    **{name: {"chunks": (name,)} for name in schemas.INDEX_COLUMNS},
    "body": {"chunks": ("input_text",)},
    "vector": {"embeddings": ("vector",), "chunks": ("input_hash",)},
}


def column_lineage(origins: Origins) -> dict[str, dg.TableColumnLineage]:
    """`origins` as the metadata of a materialization."""
    deps = {
        column: [
            dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=name)
            for asset, names in sources.items()
            for name in names
        ]
        for column, sources in origins.items()
    }
    return {COLUMN_LINEAGE: dg.TableColumnLineage(deps_by_column=deps)}
