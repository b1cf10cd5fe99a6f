from __future__ import annotations

import pytest

from rag_assets.errors import NoReleaseError
from rag_assets.ledger import DocumentVersion, Ledger
from rag_assets.ledger.columns import utc_now
from rag_assets_tests.ledger.test_releases import release, snapshot


def version(document: str, document_hash: str, *, run_id: str | None = "r1", source: str = "wiki") -> DocumentVersion:
    return DocumentVersion(document, document_hash, source, f"{document}.md", "c" * 64, "markdown@1", run_id, utc_now())


def test_a_version_keeps_the_run_that_stored_it_first(ledger: Ledger):
    ledger.record_document_versions([version("d1", "h1"), version("d2", "h1", source="cellar")])
    ledger.record_document_versions([version("d1", "h1", run_id="r2"), version("d1", "h2", run_id="r2")])
    assert {one.document_hash: one.run_id for one in ledger.versions_of("d1")} == {"h1": "r1", "h2": "r2"}
    assert ledger.document_version_keys() == {("d1", "h1"), ("d1", "h2"), ("d2", "h1")}
    assert ledger.document_version_keys("cellar") == {("d2", "h1")}


def test_forgetting_takes_exactly_what_is_named(ledger: Ledger):
    ledger.record_document_versions([version("d1", "h1"), version("d1", "h2"), version("d2", "h1")])
    ledger.forget_document_versions([("d1", "h1"), ("d3", "h1")])
    ledger.forget_document_versions([])
    assert ledger.document_version_keys() == {("d1", "h2"), ("d2", "h1")}


def test_a_stage_is_recorded_when_its_state_changes_not_when_a_shared_table_does(ledger: Ledger):
    ledger.record_stage_run("vector_index", "wiki", "v1", run_id="r1", table_version=3)
    ledger.record_stage_run("vector_index", "wiki", "v1", run_id="r2", table_version=9)
    ledger.record_stage_run("vector_index", "cellar", "v1", run_id="r3", table_version=10)
    ledger.record_stage_run("vector_index", "wiki", "v2", run_id="r4", table_version=11)
    ledger.record_stage_run("vector_index", "wiki", "v1", run_id="r5", table_version=12)
    assert [(one.data_version, one.run_id) for one in ledger.stage_runs("vector_index", "wiki")] == [
        ("v1", "r5"),
        ("v2", "r4"),
        ("v1", "r1"),
    ]


def test_answers_are_found_by_what_they_cite(ledger: Ledger):
    release(ledger, "r1")

    def answer(*cited: tuple[str, str]) -> str:
        return ledger.record_answer(
            release_id="r1",
            question="What?",
            answer="This.",
            answerable=True,
            citations=[{"n": 1, "chunk_id": "c", "source": source, "uri": uri} for source, uri in cited],
            model="m",
            usage={},
            cost_usd=None,
            latency_ms=1.0,
        )

    odd = 'ä_b%c"d.md'
    first, second = answer(("wiki", "a.md")), answer(("wiki", odd), ("wiki", "a.md"))
    answer(("cellar", "a.md"))
    answer(("wiki", "aa.md"))
    assert [one.answer_id for one in ledger.answers_citing("a.md", source="wiki")] == [second, first]
    assert [one.answer_id for one in ledger.answers_citing("a.md", source="wiki", limit=1)] == [second]
    assert [one.answer_id for one in ledger.answers_citing(odd, source="wiki")] == [second]
    assert ledger.answers_citing("%", source="wiki") == []


def test_what_serves_is_never_let_go_and_what_is_let_go_never_serves(ledger: Ledger):
    release(ledger, "r1", "s1")
    release(ledger, "r2", "s2", prompts={"answer": "Say it."})
    ledger.serve("r1", "first", "a test")
    assert ledger.mark_unpinned(["s1", "s2", "s3"]) == ["s2"]
    assert ledger.mark_unpinned(["s2"]) == []
    with pytest.raises(NoReleaseError, match="Release r2 was pruned"):
        ledger.serve("r2", "second", "a test")
    serving = ledger.serving()
    assert serving is not None and serving.release_id == "r1"
    assert snapshot(ledger, "s2").unpinned_at is None  # pinned again
    assert ledger.serve("r2", "second", "a test")
