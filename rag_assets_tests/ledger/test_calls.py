"""Answers and usage."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from rag_assets.errors import LedgerError
from rag_assets.ledger import Ledger, new_answer_id
from rag_assets.models.usage import Usage, UsageTotal
from rag_assets_tests.ledger.test_releases import release


def usage(**changes: Any) -> Usage:
    values: dict[str, Any] = {
        "provider": "openai",
        "model": "text-embedding-3-small",
        "operation": "embedding",
        "input_tokens": 100,
        "output_tokens": 0,
        "requests": 1,
        "cost_usd": 0.25,
        "latency_ms": 12.5,
    }
    return Usage(**(values | changes))


@contextmanager
def commits(ledger: Ledger) -> Iterator[list[int]]:
    """Counts the transactions that are committed meanwhile."""
    seen: list[int] = []
    with ledger.writing() as connection:
        engine = connection.engine

    def committed(_: Any) -> None:
        seen.append(1)

    event.listen(engine, "commit", committed)
    yield seen
    event.remove(engine, "commit", committed)


def answer(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "release_id": "r1",
        "question": "How large is a chunk?",
        "answer": "240 tokens [1].",
        "answerable": True,
        "citations": [{"n": 1, "chunk_id": "c1", "quote": "240 tokens"}],
        "model": "extractive-reader",
        "usage": {"input_tokens": 900, "output_tokens": 8},
        "cost_usd": None,
        "latency_ms": 85.0,
    }
    return values | changes


def test_an_answer_comes_back_as_it_was_given(ledger: Ledger):
    release(ledger, "r1")
    answer_id = ledger.record_answer(**answer())
    stored = ledger.answer(answer_id)
    assert stored is not None
    assert {name: getattr(stored, name) for name in answer()} == answer()
    assert ledger.answer("unknown") is None


def test_a_hostile_question_is_kept_as_text(ledger: Ledger):
    release(ledger, "r1")
    question = '\'; DROP TABLE answers; -- "[:]" 😀 \0 \ud800' + "x" * 100_000
    stored = ledger.answer(ledger.record_answer(**answer(question=question, citations=[{"quote": "\ud800\0"}])))
    assert stored is not None and stored.question.startswith('\'; DROP TABLE answers; -- "[:]" 😀 \ufffd ?x')


def test_an_answer_needs_its_release(ledger: Ledger):
    with pytest.raises(LedgerError, match="'r1'"):
        ledger.record_answer(**answer())


def test_answers_come_newest_first(ledger: Ledger):
    release(ledger, "r1")
    recorded = [ledger.record_answer(**answer(question=f"question {number}")) for number in range(3)]
    assert [each.answer_id for each in ledger.answers(limit=2)] == recorded[:0:-1]


def test_the_calls_of_an_answer_can_be_recorded_before_it(ledger: Ledger):
    release(ledger, "r1")
    answer_id = new_answer_id()
    ledger.usage_sink(answer_id=answer_id).record(usage(operation="chat", output_tokens=8))
    assert ledger.record_answer(**answer(answer_id=answer_id)) == answer_id
    assert ledger.usage_totals(answer_id=answer_id).output_tokens == 8


def test_a_call_is_in_the_ledger_when_record_returns(ledger: Ledger):
    call = usage(request_id="req_1", estimated=True)
    ledger.usage_sink(run_id="run", source="handbook", asset="embeddings").record(call)
    [row] = ledger.usage(run_id="run")
    names = [name for name in Usage.__slots__ if name != "call_id"]
    assert {name: getattr(row, name) for name in names} == {name: getattr(call, name) for name in names}
    assert (row.run_id, row.source, row.asset, row.answer_id) == ("run", "handbook", "embeddings", None)


def test_totals_say_how_many_calls_have_no_price(ledger: Ledger):
    calls = [usage(), usage(cost_usd=None), usage(estimated=True), usage(model="gpt-4o", operation="chat")]
    ledger.record_usage(calls, run_id="run", source="handbook")
    ledger.record_usage([usage()], run_id="other")
    assert ledger.usage_totals(run_id="run") == UsageTotal(4, 4, 400, 0, 0.75, 1, 1)
    assert ledger.usage_totals(run_id="run", source="reference") == UsageTotal()
    assert ledger.usage_totals().calls == 5
    by_model = ledger.usage_by_model(run_id="run")
    assert {model: total.calls for model, total in by_model.items()} == {"gpt-4o": 1, "text-embedding-3-small": 3}


def test_totals_since_a_time(ledger: Ledger):
    ledger.record_usage([usage()])
    [first] = ledger.usage()
    ledger.record_usage([usage(), usage()])
    later = ledger.usage(limit=1)[0].created_at
    assert ledger.usage_totals(since=first.created_at).calls == 3
    assert ledger.usage_totals(since=later).calls == 2


def test_usage_is_narrowed_by_known_names_only(ledger: Ledger):
    with pytest.raises(TypeError, match="runs"):
        ledger.usage(runs="run")


def test_a_batch_is_one_transaction(ledger: Ledger):
    with commits(ledger) as seen, ledger.usage_sink(run_id="run", batch_size=100) as sink:
        for _ in range(250):
            sink.record(usage())
        assert len(seen) == 2
    assert ledger.usage_totals(run_id="run").calls == 250
    assert len(seen) == 3


def test_an_empty_batch_writes_nothing(ledger: Ledger):
    with commits(ledger) as seen:
        ledger.record_usage([])
        ledger.usage_sink().flush()
    assert seen == []


def test_threads_share_a_sink(ledger: Ledger):
    with ledger.usage_sink(run_id="run", batch_size=7) as sink, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: sink.record(usage()), range(100)))
    assert ledger.usage_totals(run_id="run").calls == 100
