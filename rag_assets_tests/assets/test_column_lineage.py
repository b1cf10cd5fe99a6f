"""The lineage of columns names columns that there are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rag_assets import schemas
from rag_assets.assets.column_lineage import CHUNKS, COLUMN_LINEAGE, EMBEDDINGS, VECTOR_INDEX, Origins, column_lineage

TABLES = {
    "raw_documents": schemas.RAW_DOCUMENTS,
    "chunks": schemas.CHUNKS,
    "embeddings": schemas.embeddings(4),
}
FROM_NO_COLUMN = {"generation", "created_at"}


@pytest.mark.parametrize(
    ("origins", "schema"),
    [(CHUNKS, schemas.CHUNKS), (EMBEDDINGS, schemas.embeddings(4)), (VECTOR_INDEX, schemas.vector_index(4))],
    ids=["chunks", "embeddings", "vector_index"],
)
def test_every_column_comes_from_columns_that_there_are(origins: Origins, schema: pa.Schema) -> None:
    assert origins.keys() == set(schema.names) - FROM_NO_COLUMN
    for sources in origins.values():
        for asset, columns in sources.items():
            assert set(columns) <= set(TABLES[asset].names)
    shown = column_lineage(origins)[COLUMN_LINEAGE].deps_by_column
    assert shown.keys() == origins.keys()
    if "vector" in shown and "body" in shown:
        assert {dep.asset_key.path[-1] for dep in shown["vector"]} == {"embeddings", "chunks"}
