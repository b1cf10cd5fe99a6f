"""What changed between two contents, told from a real store and a real ledger."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rag_assets import schemas
from rag_assets.config import AnsweringSettings, ChatSettings, EmbeddingSettings, RetrievalSettings
from rag_assets.evaluation.changes import NAMED_DOCUMENTS, DocumentChange, SourceChange, changes
from rag_assets.fingerprints import document_id
from rag_assets.ledger import DocumentVersion, Ledger
from rag_assets.ledger.columns import utc_now
from rag_assets.prompts import Prompts
from rag_assets.releasing import ReleaseContent
from rag_assets.store import Store

DIMENSION = 4
Texts = dict[str, str]


class Place:
    """A store and a ledger, and contents made of `source/uri` → text."""

    def __init__(self, root: Path) -> None:
        self.store = Store(str(root / "lancedb"), lock_dir=root / "locks")
        self.ledger = Ledger(f"sqlite:///{root / 'ledger.db'}")
        self.made = 0

    def content(self, texts: Texts, *, generation: str = "gen1", parser: str = "markdown@2", max_tokens: int = 240):
        index = self.store.vector_index(generation, DIMENSION)
        rows = [_row(name, text, parser) for name, text in texts.items()]
        kept = {row["chunk_id"] for row in rows}
        gone = [key for key in index.rows(["chunk_id"])["chunk_id"].to_pylist() if key not in kept]
        schema = schemas.vector_index(DIMENSION)
        index.apply(pa.Table.from_pylist(rows, schema=schema), gone)
        version = index.version()
        details = {
            "dimension": DIMENSION,
            "parsers": f"{parser},text@1",
            "chunker": "blocks@1",
            "tokenizer": "wordpiece",
            "chunking": {"max_tokens": max_tokens},
        }
        self.made += 1
        snapshot_id = f"snapshot-{self.made}"
        index.pin(version, snapshot_id)
        snapshot = self.ledger.record_snapshot(
            snapshot_id, generation, index.name, version, "minilm", {}, {"docs": str(version)}, snapshot_id,
            details=details,
        )  # fmt: skip
        return ReleaseContent(
            snapshot=snapshot,
            prompts=Prompts(system="Answer.\nBe brief.", user="{{passages}}\n{{question}}", refusal="I cannot tell."),
            chat=ChatSettings(),
            embedding=EmbeddingSettings(),
            retrieval=RetrievalSettings(),
            answering=AnsweringSettings(),
        )

    def remember(self, texts: Texts, parser: str) -> None:
        """Keeps which bytes and which parser these versions of documents were made of."""
        for name, text in texts.items():
            row = _row(name, text, parser)
            content_hash = hashlib.sha256(text.encode()).hexdigest()
            self.ledger.record_document_versions(
                [
                    DocumentVersion(
                        row["document_id"], row["document_hash"], row["source"], row["uri"], content_hash, parser,
                        None, utc_now(),
                    )
                ]
            )  # fmt: skip


def _row(name: str, text: str, parser: str) -> dict[str, Any]:
    source, _, uri = name.partition("/")
    key = document_id(source, uri)
    digest = hashlib.sha256(f"{text}{parser}".encode()).hexdigest()
    return {
        "chunk_id": f"{key[:8]}{digest[:8]}", "document_id": key, "source": source, "uri": uri, "title": uri,
        "ordinal": 0, "document_chunks": 1, "text": text, "input_hash": digest, "token_count": 3, "heading_path": [],
        "start_offset": 0, "end_offset": len(text), "page": None, "allowed_groups": [], "document_hash": digest,
        "row_hash": digest, "body": text, "vector": [1.0, 0.0, 0.0, 0.0],
    }  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.ledger.close()


def test_documents_that_came_changed_and_went_are_counted_and_named(place: Place) -> None:
    old = {"docs/a.md": "one", "docs/b.md": "two", "wiki/c.md": "three"}
    new = {"docs/a.md": "one", "docs/b.md": "two, edited", "wiki/d.md": "four"}
    before, after = place.content(old), place.content(new)
    place.remember(old, "markdown@2")
    place.remember(new, "markdown@2")
    found = changes(place.store, place.ledger, before, after)
    assert found.sources == (SourceChange("docs", 0, 1, 0), SourceChange("wiki", 1, 0, 1))
    assert found.documents == (
        DocumentChange("added", "wiki", "d.md"),
        DocumentChange("changed", "docs", "b.md", "the file changed"),
        DocumentChange("removed", "wiki", "c.md"),
    )
    assert found.sentences == ("docs: 1 changed", "wiki: 1 added, 1 removed")
    assert not found.settings and not found.prompts and not found.notes
    assert json.loads(json.dumps(found.to_dict()))["documents"][0]["uri"] == "d.md"


def test_a_document_that_another_parser_reads_says_so(place: Place) -> None:
    texts = {"docs/a.md": "one"}
    before = place.content(texts, parser="markdown@1")
    after = place.content(texts, generation="gen2", parser="markdown@2")
    place.remember(texts, "markdown@1")
    place.remember(texts, "markdown@2")
    found = changes(place.store, place.ledger, before, after)
    assert found.documents[0].why == "the same file, read by markdown@2 instead of markdown@1"
    assert [(one.part, one.name, one.before, one.after) for one in found.settings] == [("parser", "markdown", "1", "2")]


def test_many_documents_are_all_counted_and_some_named(place: Place) -> None:
    before = place.content({"docs/a.md": "one"})
    after = place.content({f"docs/{i:03}.md": f"text {i}" for i in range(50)})
    found = changes(place.store, place.ledger, before, after)
    assert found.sources == (SourceChange("docs", 50, 0, 1),)
    assert len(found.documents) == NAMED_DOCUMENTS


def test_settings_models_and_prompts_are_told_one_by_one(place: Place) -> None:
    texts = {"docs/a.md": "one"}
    before = place.content(texts)
    after = dataclasses.replace(
        before,
        retrieval=RetrievalSettings(k=8),
        answering=AnsweringSettings(passages=6),
        chat=ChatSettings(provider="openai", model="gpt-x"),
        prompts=dataclasses.replace(before.prompts, system="Answer.\nBe exact."),
    )
    found = changes(place.store, place.ledger, before, after)
    assert {(one.part, one.name, one.before, one.after) for one in found.settings} == {
        ("retrieval", "k", "5", "8"),
        ("answering", "passages", "4", "6"),
        ("chat model", "provider", "embedded", "openai"),
        ("chat model", "model", before.chat.model, "gpt-x"),
    }
    [prompt] = found.prompts
    assert prompt.name == "system"
    assert prompt.diff.splitlines()[1:] == [" Answer.", "-Be brief.", "+Be exact."]
    assert "retrieval k: 5 → 8" in found.sentences


def test_a_chunker_is_told_apart_from_a_parser(place: Place) -> None:
    texts = {"docs/a.md": "one"}
    before = place.content(texts)
    after = place.content(texts, generation="gen2", max_tokens=120)
    found = changes(place.store, place.ledger, before, after)
    assert [(one.part, one.name, one.after) for one in found.settings] == [("chunker", "max_tokens", "120")]
    assert not found.documents


def test_equal_content_has_no_changes(place: Place) -> None:
    content = place.content({"docs/a.md": "one"})
    assert changes(place.store, place.ledger, content, content).nothing


def test_without_a_former_report_everything_is_new(place: Place) -> None:
    content = place.content({"docs/a.md": "one", "wiki/b.md": "two"})
    found = changes(place.store, place.ledger, None, content)
    assert found.before is None
    assert found.sources == (SourceChange("docs", 1, 0, 0), SourceChange("wiki", 1, 0, 0))


@pytest.mark.parametrize("how", ["unpinned", "dropped", "rebuilt"])
def test_rows_that_are_gone_are_said_to_be_unknown(place: Place, how: str) -> None:
    texts = {"docs/a.md": "one"}
    before = place.content(texts)
    after = place.content({"docs/a.md": "two"}, generation="gen2")
    if how == "unpinned":
        before = dataclasses.replace(before, snapshot=dataclasses.replace(before.snapshot, unpinned_at=utc_now()))
    else:
        place.store.drop(before.snapshot.table)
    if how == "rebuilt":
        place.content({f"docs/{i}.md": "other" for i in range(3)})
    found = changes(place.store, place.ledger, before, after)
    assert not found.documents and not found.sources and not found.nothing
    assert found.notes[0].startswith(f"Snapshot {before.snapshot.snapshot_id} is no longer kept")
