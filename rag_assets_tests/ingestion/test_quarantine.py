"""A failed document is tried again when something that decided it changed, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.documents.model import Listed, Loaded
from rag_assets.errors import ChunkError, LoadError, ParseError, UnfitDocumentError
from rag_assets.fingerprints import document_id, sha256_hex
from rag_assets.ingestion import ChunksResult, RawDocumentsResult, sync_chunks, sync_raw_documents
from rag_assets.ingestion.quarantine import FIRST_WAIT, LONGEST_WAIT, retry_after
from rag_assets.ledger import FailedDocument, Failure
from rag_assets.project import Project
from rag_assets_tests.conftest import SmallProject

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8
UNREADABLE = LoadError("fork.md cannot be read: the store does not answer.")


def failure(*, gate: str = "as it was", waited: timedelta | None = None, state: str = "failed") -> Failure:
    """One that failed at `NOW` and is tried again after `waited`, or only when it changes."""
    after = None if waited is None else NOW + waited
    return Failure("kitchen", "a.md", "d", "load", "no", 1, NOW, NOW, gate, after, state)


@pytest.mark.parametrize(
    ("known", "gate", "hours", "due"),
    [
        (failure(), "as it was", 1e6, False),
        (failure(), "changed", 0, True),
        (failure(waited=timedelta(hours=2)), "as it was", 1.9, False),
        (failure(waited=timedelta(hours=2)), "as it was", 2, True),
        (failure(state="dropped"), "as it was", 1e6, False),
        (failure(state="dropped"), "changed", 0, True),
    ],
)
def test_what_is_due(known: Failure, gate: str, hours: float, due: bool) -> None:
    assert known.is_due(gate, NOW + timedelta(hours=hours)) is due


def test_what_may_pass_by_itself_is_tried_at_once_and_then_after_waits_that_double() -> None:
    assert retry_after(None, "now", UNREADABLE, NOW) == NOW
    assert retry_after(failure(gate="before", waited=LONGEST_WAIT), "now", UNREADABLE, NOW) == NOW
    waits = [timedelta(0)]
    while waits[-1] < LONGEST_WAIT:
        after = retry_after(failure(waited=waits[-1]), "as it was", UNREADABLE, NOW)
        assert after is not None
        waits.append(after - NOW)
    assert waits[1:4] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert retry_after(failure(waited=LONGEST_WAIT), "as it was", UNREADABLE, NOW) == NOW + LONGEST_WAIT


@pytest.mark.parametrize("error", [ParseError("broken"), ChunkError("no room"), UnfitDocumentError("too large")])
def test_what_only_a_change_can_mend_is_not_tried_by_itself(error: Exception) -> None:
    assert retry_after(None, "now", error, NOW) is None
    assert retry_after(failure(waited=timedelta(0)), "as it was", error, NOW) is None


@dataclass
class Shelf:
    """A connector over documents in memory: uri → its bytes, or why it cannot be read. `opened` counts the loads."""

    documents: dict[str, bytes | LoadError] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)

    def put(self, uri: str, content: bytes | LoadError, *, touch: bool = True) -> None:
        self.documents[uri] = content
        if touch:
            self.version[uri] = self.version.get(uri, 0) + 1

    def list(self) -> Iterator[Listed]:
        yield from (Listed(uri, str(self.version[uri])) for uri in sorted(self.documents))

    def load(self, uri: str) -> Loaded:
        self.opened.append(uri)
        content = self.documents[uri]
        if isinstance(content, LoadError):
            raise content
        return Loaded(uri, content, sha256_hex(content), str(self.version[uri]))


@pytest.fixture
def project(small_project: SmallProject) -> Iterator[Project]:
    small_project.configure(kitchen="")
    with small_project.open() as opened:
        yield opened


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    for name in ("fork", "ladle"):
        shelf.put(f"{name}.md", f"# {name}\n\nIt is kept in drawer 3.\n".encode())
    return shelf


def read(project: Project, shelf: Shelf, *, verify_contents: bool = False) -> RawDocumentsResult:
    """Runs the first stage; `shelf.opened` is then what this run opened."""
    shelf.opened.clear()
    return sync_raw_documents(
        "kitchen",
        project.settings.source("kitchen"),
        connector=shelf,
        table=project.store.raw_documents("kitchen"),
        ledger=project.ledger,
        verify_contents=verify_contents,
    )


def attempts(project: Project) -> dict[str, tuple[str, int]]:
    return {one.uri: (one.stage, one.attempts) for one in project.ledger.failures("kitchen")}


def test_a_document_that_failed_is_not_opened_again_until_it_changes(project: Project, shelf: Shelf) -> None:
    shelf.put("spoon.pdf", NO_PDF)
    first = read(project, shelf)
    assert (first.failed, first.retried, len(shelf.opened)) == (1, 1, 3)
    again = read(project, shelf)
    assert (again.failed, again.retried, again.unchanged, again.opened, shelf.opened) == (1, 0, 2, 0, [])
    assert again.why == "No document changed. In quarantine: 1, not tried again before they change."
    assert (again.data_version, again.commits) == (first.data_version, 0)
    shelf.put("spoon.pdf", NO_PDF + b"!")
    assert read(project, shelf).retried == 1
    assert (shelf.opened, attempts(project)) == (["spoon.pdf"], {"spoon.pdf": ("parse", 2)})
    del shelf.documents["spoon.pdf"]
    assert (read(project, shelf).failed, project.ledger.quarantined()) == (0, [])


def test_settings_that_reading_obeys_make_it_due(small_project: SmallProject, shelf: Shelf) -> None:
    shelf.put("spoon.pdf", NO_PDF)
    for settings, opened in (("", 3), ("max_file_bytes: 900", 1), ("max_file_bytes: 900", 0), ("language: en", 3)):
        small_project.configure(kitchen=settings)
        with small_project.open() as project:
            read(project, shelf)
            assert len(shelf.opened) == opened, settings


def test_one_that_cannot_be_read_is_tried_by_the_next_run_and_then_waits(project: Project, shelf: Shelf) -> None:
    shelf.put("fork.md", UNREADABLE)
    for opened in (2, 1, 0):
        read(project, shelf)
        assert len(shelf.opened) == opened
    assert attempts(project) == {"fork.md": ("load", 2)}
    now = datetime.now(UTC)
    assert project.ledger.sources_to_retry(now) == frozenset()
    assert project.ledger.sources_to_retry(now + FIRST_WAIT) == {"kitchen"}
    shelf.put("fork.md", b"# Fork\n", touch=False)
    project.ledger.retry_failures("kitchen", ["fork.md"])
    assert (read(project, shelf).added, shelf.opened, attempts(project)) == (1, ["fork.md"], {})


def test_a_document_that_is_again_what_was_read_has_not_failed(project: Project, shelf: Shelf) -> None:
    read(project, shelf)
    good = shelf.documents["fork.md"], shelf.version["fork.md"]
    shelf.put("fork.md", UnfitDocumentError("fork.md is too large."))
    assert read(project, shelf).failed == 1
    shelf.documents["fork.md"], shelf.version["fork.md"] = good  # as a store gives an earlier ETag again
    assert (read(project, shelf).failed, shelf.opened, attempts(project)) == (0, [], {})


def test_reading_every_file_tries_those_that_failed_too(project: Project, shelf: Shelf) -> None:
    read(project, shelf)
    shelf.put("fork.md", UnfitDocumentError("fork.md is damaged."), touch=False)
    assert read(project, shelf).opened == 0
    assert read(project, shelf, verify_contents=True).failed == 1
    # An ordinary run knows nothing better of just this version.
    assert (read(project, shelf).failed, attempts(project)) == (1, {"fork.md": ("load", 1)})
    assert project.store.raw_documents("kitchen").count() == 2


def cut(project: Project, *, max_input_tokens: int) -> ChunksResult:
    """Runs the second stage; with 2 tokens nothing can be cut, for these are the special ones."""
    with project.embedder() as embedder:
        return sync_chunks(
            "kitchen",
            raw_documents=project.store.raw_documents("kitchen"),
            chunks=project.store.chunks("kitchen"),
            generation=project.generation,
            tokenizer=embedder.tokenizer,
            max_input_tokens=max_input_tokens,
            ledger=project.ledger,
        )


def test_a_document_that_cannot_be_cut_is_not_cut_again_until_something_changes(project: Project, shelf: Shelf) -> None:
    read(project, shelf)
    for rechunked in (2, 0):
        result = cut(project, max_input_tokens=2)
        assert (result.documents_rechunked, result.failed_documents) == (rechunked, 2)
    assert attempts(project) == {"fork.md": ("chunk", 1), "ladle.md": ("chunk", 1)}
    assert read(project, shelf).opened == 0  # that it could not be cut is no reason to read it
    project.ledger.retry_failures("kitchen", ["fork.md"])
    assert cut(project, max_input_tokens=2).documents_rechunked == 1
    shelf.put("ladle.md", b"# Ladle\n\nIt hangs on the wall.\n")
    read(project, shelf)
    assert cut(project, max_input_tokens=2).documents_rechunked == 1
    assert attempts(project) == {"fork.md": ("chunk", 2), "ladle.md": ("chunk", 2)}
    result = cut(project, max_input_tokens=256)
    assert (result.documents_rechunked, result.failed_documents, attempts(project)) == (2, 0, {})


def test_what_an_earlier_stage_says_of_a_document_stands(project: Project, shelf: Shelf) -> None:
    read(project, shelf)
    shelf.put("fork.md", UnfitDocumentError("fork.md is too large."))
    read(project, shelf)
    cut(project, max_input_tokens=2)
    assert attempts(project) == {"fork.md": ("load", 1), "ladle.md": ("chunk", 1)}
    assert read(project, shelf).opened == 0


def test_a_document_that_was_given_up_counts_as_gone_until_it_changes(project: Project, shelf: Shelf) -> None:
    read(project, shelf)
    shelf.put("fork.md", UnfitDocumentError("fork.md is too large."))
    read(project, shelf)
    [known] = project.ledger.failures()
    project.ledger.drop_failures("kitchen", {"fork.md": known.gate})
    result = read(project, shelf, verify_contents=True)
    assert (result.rows, result.removed, result.failed, result.dropped, result.unchanged) == (1, 1, 0, 1, 1)
    assert (shelf.opened, project.ledger.failures()) == (["ladle.md"], [])
    assert project.ledger.denied().documents == {document_id("kitchen", "fork.md")}
    shelf.put("fork.md", b"# Fork\n")
    assert (read(project, shelf).rows, project.ledger.quarantined()) == (2, [])


def test_attempts_count_what_was_tried(project: Project) -> None:
    told = FailedDocument("a.md", "d", "embed", "refused", "gate", attempted=False)
    project.ledger.record_failures("kitchen", [told])
    assert attempts(project) == {"a.md": ("embed", 0)}
