from __future__ import annotations

from rag_assets import schemas


def test_every_column_is_described_and_nothing_else() -> None:
    tables = (
        schemas.RAW_DOCUMENTS,
        schemas.CHUNKS,
        schemas.embeddings(3),
        schemas.vector_index(3),
        schemas.GOLDEN_QUESTIONS,
        schemas.TRAINING_EXAMPLES,
    )
    columns = {name for table in tables for name in table.names}
    assert columns == set(schemas.DESCRIPTIONS)


def test_the_index_holds_what_an_answer_needs_to_cite() -> None:
    needed = {"chunk_id", "uri", "title", "heading_path", "page", "text", "start_offset", "end_offset", "document_hash"}
    assert needed <= set(schemas.vector_index(3).names)
