from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from rag_assets import schemas
from rag_assets.chunking import chunk_document
from rag_assets.chunking.rows import Cutting, cut_documents, documents_of
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Loaded
from rag_assets.documents.parsing import parse
from rag_assets.documents.rows import Reading, read_documents
from rag_assets.fingerprints import data_version, data_version_of_columns, fingerprint, sha256_hex
from rag_assets.models.tokenizers import load_tokenizer

IDS = st.text(alphabet="0123456789abcdef", min_size=1, max_size=8)
PAGE = '# A "title" \\ with signs\n\nText.\n\n## Part\n\n- one\n- two\n\n```\ncode\n```\n\nText.\n'


def loaded(uri: str, text: str) -> Loaded:
    data = text.encode()
    return Loaded(uri, data, sha256_hex(data), "gate")


def test_documents_come_back_from_rows_as_they_were_parsed() -> None:
    pages = {"a.md": PAGE, "b.txt": "", "c.md": "# Ü\n\nÄÖ 𝄞"}
    rows, unread = read_documents(
        [loaded(uri, text) for uri, text in pages.items()], Reading("src", "en", ("hr", "it"))
    )
    assert (rows.schema, unread) == (schemas.RAW_DOCUMENTS, [])
    for row, found in documents_of(pa.Table.from_batches([rows])):
        wanted = parse(pages[row["uri"]].encode(), row["uri"], language="en")
        assert (found.text, found.blocks, found.title) == (wanted.text, wanted.blocks, wanted.title)
        assert row["allowed_groups"] == ["hr", "it"]


def test_a_document_that_cannot_be_parsed_leaves_no_row() -> None:
    rows, unread = read_documents([loaded("a.md", "Text."), loaded("b.pdf", "no pdf")], Reading("src", None, ()))
    assert (rows["uri"].to_pylist(), [one.uri for one in unread]) == (["a.md"], ["b.pdf"])


def test_the_hash_of_a_chunk_row_is_the_fingerprint_of_everything_in_it_but_its_texts() -> None:
    documents, _ = read_documents([loaded('a "b".md', PAGE)], Reading("src", None, ('g"1', "g2")))
    tokenizer = load_tokenizer("all-MiniLM-L6-v2")
    cutting = Cutting(ChunkingSettings(), tokenizer, 256, "generation", "prefix: ")
    rows, uncut = cut_documents(pa.Table.from_batches([documents]), cutting)
    assert (rows.schema, uncut) == (schemas.CHUNKS, [])
    for row in rows.to_pylist():
        row_hash = row.pop("row_hash")
        parts = {name: value for name, value in row.items() if name not in ("text", "input_text")}
        assert fingerprint(**parts) == row_hash
        assert row["input_hash"] == sha256_hex("prefix: " + row["input_text"])
    [(_, document)] = documents_of(pa.Table.from_batches([documents]))
    wanted = chunk_document(document, ChunkingSettings(), tokenizer, max_input_tokens=256)
    assert rows["text"].to_pylist() == [chunk.text for chunk in wanted]


@given(st.lists(st.tuples(IDS, IDS), max_size=20), st.integers(1, 5))
def test_a_data_version_of_columns_is_that_of_the_same_pairs(pairs: list[tuple[str, str]], size: int) -> None:
    batches = [
        (pa.array([key for key, _ in part], pa.string()), pa.array([value for _, value in part], pa.string()))
        for part in (pairs[start : start + size] for start in range(0, len(pairs), size))
    ]
    assert data_version_of_columns(iter(batches), "configuration") == data_version(pairs, "configuration")
