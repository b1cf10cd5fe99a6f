"""Failures, revocations, holds and verdicts: what the ledger knows of documents and sources."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from rag_assets.errors import LedgerError
from rag_assets.ledger import Denied, FailedDocument, Ledger


def test_a_failure_counts_its_attempts_and_keeps_its_last_error(ledger: Ledger):
    ledger.record_failures("handbook", [FailedDocument("a.pdf", "d1", "load", "no permission")])
    ledger.record_failures("handbook", [FailedDocument("a.pdf", "d1", "parse", "not a PDF")])
    [failure] = ledger.failures()
    assert (failure.stage, failure.error, failure.attempts) == ("parse", "not a PDF", 2)
    assert failure.first_seen < failure.last_seen
    assert failure.first_seen.tzinfo == UTC


def test_attempts_are_not_lost_in_a_race(ledger: Ledger):
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda _: ledger.record_failures("handbook", [FailedDocument("a.pdf", "d1", "load", "gone")]), range(20)
            )
        )
    assert [failure.attempts for failure in ledger.failures()] == [20]


def test_failures_are_cleared_by_document_and_by_source(ledger: Ledger):
    for source, uri in [("handbook", "a.pdf"), ("handbook", "b.pdf"), ("reference", "a.pdf")]:
        ledger.record_failures(source, [FailedDocument(uri, f"{source}-{uri}", "load", "gone")])
    assert ledger.clear_failures("handbook", ["a.pdf", "never-failed.md"]) == 1
    assert ledger.clear_failures("handbook", ["a.pdf"]) == 0
    assert [(each.source, each.uri) for each in ledger.failures()] == [("handbook", "b.pdf"), ("reference", "a.pdf")]
    assert ledger.clear_failures("handbook") == 1
    assert ledger.failures("handbook") == []
    assert len(ledger.failures("reference")) == 1


def test_a_failure_is_retried_or_given_up_by_its_document(ledger: Ledger):
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    ledger.record_failures("handbook", [FailedDocument(f"{name}.md", name, "parse", "no", "as it is") for name in "ab"])
    assert [(each.gate, each.retry_after) for each in ledger.failures()] == [("as it is", None)] * 2
    assert ledger.sources_to_retry(datetime.now(UTC)) == frozenset()
    ledger.drop_failures("handbook", {"a.md": "given up"})
    assert [each.uri for each in ledger.failures()] == ["b.md"]
    assert [(each.uri, each.gate, each.dropped) for each in ledger.quarantined("handbook")] == [
        ("a.md", "given up", True),
        ("b.md", "as it is", False),
    ]
    assert ledger.dropped_documents() == ledger.dropped_documents("handbook") == {"a"}
    ledger.retry_failures("handbook", ["a.md"])
    assert [(each.uri, each.attempts) for each in ledger.failures()] == [("a.md", 1), ("b.md", 1)]
    assert ledger.sources_to_retry(datetime.now(UTC)) == {"handbook"}
    assert ledger.sources_to_retry(long_ago) == frozenset()
    ledger.drop_failures("handbook", {"b.md": "given up"})
    ledger.record_failures("handbook", [FailedDocument("b.md", "b", "load", "gone", "changed")])
    assert ledger.dropped_documents() == frozenset()


def test_refused_inputs_are_known_by_their_space_until_they_are_forgotten(ledger: Ledger):
    ledger.record_refused("small", {"h1": "too odd", "h2": "too odd"})
    ledger.record_refused("small", {"h1": "still too odd"})
    ledger.record_refused("large", {"h1": "no"})
    assert ledger.refused("small") == {"h1": "still too odd", "h2": "too odd"}
    ledger.forget_refused(["h1", "h3"])
    assert (ledger.refused("small"), ledger.refused("large")) == ({"h2": "too odd"}, {})


def test_names_and_messages_that_no_database_holds_are_kept_readable(ledger: Ledger):
    uri = "na\udcffme\0.md"
    ledger.record_failures("handbook", [FailedDocument(uri, "d1", "load", "byte \0 in it")])
    assert [failure.error for failure in ledger.failures()] == ["byte \ufffd in it"]
    assert ledger.clear_failures("handbook", [uri]) == 1


def test_documents_are_denied_until_allowed(ledger: Ledger):
    assert ledger.denied() == Denied(frozenset(), frozenset())
    ledger.deny_documents("handbook", [("d1", "a.md"), ("d2", "b.md")], "removed")
    ledger.deny_documents("handbook", [("d2", "b.md"), ("d3", "c.md")], "removed again")
    ledger.deny_documents("handbook", [], "nothing to do")
    assert ledger.denied().documents == {"d1", "d2", "d3"}
    assert ledger.allow(["d1", "d3", "unknown"]) == 2
    assert ledger.denied() == Denied(frozenset({"d2"}), frozenset())


def test_many_documents_are_denied_and_allowed_at_once(ledger: Ledger):
    many = [(f"{number:032x}", f"{number}.md") for number in range(5_000)]
    ledger.deny_documents("handbook", many, "source removed")
    assert len(ledger.denied().documents) == 5_000
    assert ledger.allow(document_id for document_id, _ in many) == 5_000
    assert not ledger.denied().documents


def test_a_source_is_denied_apart_from_its_documents(ledger: Ledger):
    ledger.deny_documents("handbook", [("d1", "a.md")], "removed")
    ledger.deny_source("handbook")
    ledger.deny_source("handbook", "twice")
    assert ledger.denied() == Denied(frozenset({"d1"}), frozenset({"handbook"}))
    assert ledger.allow_source("handbook")
    assert not ledger.allow_source("handbook")
    assert ledger.denied() == Denied(frozenset({"d1"}), frozenset())


def test_a_confirmation_counts_for_exactly_what_was_shown(ledger: Ledger):
    assert ledger.hold_for("handbook") is None
    held = ledger.hold("handbook", "more than half is gone", 30, 20, "digest-1")
    assert not held.confirmed
    assert ledger.confirm_hold("handbook").confirmed
    again = ledger.hold("handbook", "more than half is gone", 30, 20, "digest-1")
    assert again.confirmed and again.held_at == held.held_at
    other = ledger.hold("handbook", "now all of it", 50, 0, "digest-2")
    assert not other.confirmed and other.held_at > held.held_at
    assert (other.removed, other.listed) == (50, 0)


def test_a_hold_ends(ledger: Ledger):
    ledger.hold("handbook", "gone", 3, 1, "digest")
    assert [each.source for each in ledger.holds()] == ["handbook"]
    assert ledger.release_hold("handbook")
    assert not ledger.release_hold("handbook")
    assert ledger.holds() == []


def test_there_is_nothing_to_confirm_where_nothing_is_held(ledger: Ledger):
    with pytest.raises(LedgerError, match="not held"):
        ledger.confirm_hold("handbook")


def test_the_newest_verdict_about_exactly_these_inputs_holds(ledger: Ledger):
    ledger.record_verdict("integrity", "index@7", True, {"chunks": 12})
    ledger.record_verdict("integrity", "index@8", False, {"null_vectors": 1})
    ledger.record_verdict("integrity", "index@7", False, {"null_vectors": 2})
    verdict = ledger.verdict("integrity", "index@7")
    assert verdict is not None
    assert (verdict.passed, verdict.details, verdict.created_at.tzinfo) == (False, {"null_vectors": 2}, UTC)
    assert [each.passed for each in ledger.verdicts("integrity", "index@7")] == [False, True]
    assert len(ledger.verdicts("integrity")) == 3


def test_no_verdict_is_no_pass(ledger: Ledger):
    ledger.record_verdict("integrity", "index@7", True, {})
    assert ledger.verdict("integrity", "index@9") is None
    assert ledger.verdict("completeness", "index@7") is None
