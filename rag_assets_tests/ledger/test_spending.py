"""Budgets: what is spent and set aside counts once, also among processes that ask at the same moment."""

from __future__ import annotations

import ast
import multiprocessing
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import text

import rag_assets
from rag_assets.config import SpendSettings
from rag_assets.errors import BudgetError, LedgerError
from rag_assets.ledger import Ledger, may_fit_now, spending, usage_sink
from rag_assets.models.usage import ExpectedCall, admitted
from rag_assets_tests.ledger.test_calls import commits, usage

HOUR = timedelta(hours=1)
ROUNDS = 8


def limits(month_usd: float | None = None, **assets: float) -> SpendSettings:
    return SpendSettings(month_usd=month_usd, assets=assets)


def expected(cost_usd: float | None) -> ExpectedCall:
    return ExpectedCall("openai", "gpt-4o", "chat", 1_000, 100, cost_usd)


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """What the ledger takes for now."""
    for module in (spending, usage_sink):
        monkeypatch.setattr(module, "utc_now", lambda: now)


def test_what_is_set_aside_is_not_left_for_others(ledger: Ledger):
    budget = limits(10.0, answers=4.0)
    ledger.record_usage([usage(cost_usd=3.0)], asset="embeddings")
    first = ledger.reserve("answers", 4.0, model="gpt-4o", limits=budget)
    assert ledger.left_this_month(budget, "answers") == 0.0
    assert ledger.left_this_month(budget, "embeddings") == 3.0
    assert ledger.left_this_month(limits(search=1.0), "answers") is None
    with pytest.raises(BudgetError, match="the month's budget of answers") as caught:
        ledger.reserve("answers", 0.01, model="gpt-4o", limits=budget)
    assert "$0.00 spent and $4.00 set aside of $4.00, $0.00 left in 2" in str(caught.value)
    assert "spend.assets.answers" in caught.value.fix
    with pytest.raises(BudgetError, match=r"\$3.00 spent and \$4.00 set aside of \$10.00, \$3.00 left"):
        ledger.reserve("embeddings", 3.01, model="m", limits=budget)
    ledger.reserve("embeddings", 3.0, model="m", limits=budget)  # exactly what is left
    assert ledger.release_reservation(first) and not ledger.release_reservation(first)
    assert ledger.left_this_month(budget, "answers") == 4.0


def test_settling_counts_the_money_once_and_once_only(ledger: Ledger):
    budget = limits(10.0)
    reserved = ledger.reserve("fine_tuning_job", 8.0, model="gpt-4o", source="posts", run_id="run", limits=budget)
    paid = usage(operation="fine_tuning", cost_usd=5.0)
    assert ledger.settle(reserved, paid)
    assert not ledger.settle(reserved, paid)  # as after a crash between settling and noting that it was settled
    assert not ledger.release_reservation(reserved)
    [row] = ledger.usage()
    assert (row.asset, row.source, row.run_id, row.cost_usd) == ("fine_tuning_job", "posts", "run", 5.0)
    assert ledger.spent_this_month("fine_tuning_job") == ledger.spent_this_month() == 5.0
    assert ledger.left_this_month(budget, "fine_tuning_job") == 5.0
    stored = ledger.reservation(reserved)
    assert stored is not None and stored.actual_usd == 5.0 and stored.settled_at is not None
    unpaid = ledger.reserve("fine_tuning_job", 5.0, model="gpt-4o", limits=budget)
    ledger.settle(unpaid, None)
    assert ledger.left_this_month(budget, "fine_tuning_job") == 5.0
    with pytest.raises(LedgerError, match="no reservation"):
        ledger.settle("unknown", None)


def test_a_call_is_set_aside_before_it_leaves_and_counts_with_what_it_cost(ledger: Ledger):
    budget = limits(1.0)
    sink = ledger.usage_sink(asset="answers", source="handbook", run_id="run", limits=budget)
    with admitted(sink, lambda: expected(0.9)) as call_id:
        assert ledger.left_this_month(budget, "answers") == pytest.approx(0.1)
        with pytest.raises(BudgetError), admitted(sink, lambda: expected(0.2)):
            raise AssertionError("it must not leave")
        sink.record(usage(cost_usd=0.3, call_id=call_id))
        assert ledger.left_this_month(budget, "answers") == pytest.approx(0.7)
    assert ledger.open_reservations() == []
    assert ledger.usage_totals().calls == 1
    with pytest.raises(TimeoutError), admitted(sink, lambda: expected(0.5)):
        raise TimeoutError
    assert ledger.open_reservations() == []
    assert ledger.left_this_month(budget, "answers") == pytest.approx(0.7)


def test_a_batch_of_calls_ends_what_was_set_aside_for_them(ledger: Ledger):
    budget = limits(1.0)
    with ledger.usage_sink(asset="answers", limits=budget, batch_size=10) as sink:
        for _ in range(3):
            with admitted(sink, lambda: expected(0.2)) as call_id:
                sink.record(usage(cost_usd=0.1, call_id=call_id))
        assert len(ledger.open_reservations()) == 3
    assert ledger.open_reservations() == [] and ledger.spent_this_month() == pytest.approx(0.3)


def test_without_a_budget_nothing_is_asked_and_nothing_is_written(ledger: Ledger):
    def never() -> ExpectedCall:
        raise AssertionError("nobody needs to know")

    for sink in (ledger.usage_sink(asset="answers"), ledger.usage_sink(asset="answers", limits=limits(search=1.0))):
        with commits(ledger) as seen, admitted(sink, never):
            pass
        assert seen == []
    free = ledger.usage_sink(asset="answers", limits=limits(0.0))
    with commits(ledger) as seen, admitted(free, lambda: expected(0.0)):
        pass
    assert seen == []


def test_an_unknown_price_is_refused_where_a_budget_applies(ledger: Ledger):
    sink = ledger.usage_sink(asset="answers", limits=limits(1.0))
    with (
        pytest.raises(BudgetError, match="price of gpt-4o is not known") as caught,
        admitted(sink, lambda: expected(None)),
    ):
        raise AssertionError("it must not leave")
    assert "models.prices.gpt-4o" in caught.value.fix
    assert ledger.reserve("answers", None, model="gpt-4o", limits=limits(search=1.0))


def test_a_refusal_says_when_it_may_be_tried_again(ledger: Ledger):
    budget = limits(1.0, answers=0.5)
    with pytest.raises(BudgetError) as of_all:
        ledger.reserve("search", 2.0, model="m", limits=budget)
    with pytest.raises(BudgetError) as of_one:
        ledger.reserve("answers", 0.75, model="m", limits=budget)
    now = datetime.now(UTC)
    for refused in (str(of_all.value), str(of_one.value)):
        assert not may_fit_now(refused, budget, now)
        assert may_fit_now(refused, budget, now + timedelta(days=31))
        assert may_fit_now(refused, limits(), now)
    assert may_fit_now(str(of_all.value), limits(3.0, answers=0.5), now)
    assert not may_fit_now(str(of_one.value), limits(3.0, answers=0.5), now)
    both = f"{of_all.value} {of_one.value}"
    assert not may_fit_now(both, limits(3.0, answers=0.5), now) and may_fit_now(both, limits(3.0, answers=1.5), now)
    assert not may_fit_now("The provider is down.", budget, now + timedelta(days=31))


def test_a_second_try_sets_nothing_aside_again(ledger: Ledger):
    budget = limits(1.0)
    for _ in range(3):
        ledger.reserve("fine_tuning_job", 0.8, model="m", limits=budget, reservation_id="intent")
    assert ledger.left_this_month(budget, "fine_tuning_job") == pytest.approx(0.2)


def test_what_a_dead_run_set_aside_comes_back(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    budget = limits(1.0)
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    at(monkeypatch, now)
    ledger.reserve("answers", 0.6, model="m", run_id="dead", limits=budget, expires_in=HOUR)
    held = ledger.reserve("fine_tuning_job", 0.4, model="m", run_id="dead", limits=budget)
    at(monkeypatch, now + HOUR - timedelta(seconds=1))
    with pytest.raises(BudgetError):
        ledger.reserve("answers", 0.6, model="m", limits=budget)
    at(monkeypatch, now + HOUR)
    ledger.reserve("answers", 0.6, model="m", run_id="late", limits=budget, expires_in=HOUR)
    assert ledger.release_reservations_of("late") == 1
    assert ledger.release_reservations_of("dead") == 0
    assert [one.reservation_id for one in ledger.open_reservations()] == [held]


def test_a_month_ends_at_midnight_in_utc(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    budget = limits(1.0)
    before = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    at(monkeypatch, before)
    sink = ledger.usage_sink(asset="answers", limits=budget)
    sink.record(usage(cost_usd=1.0))
    held = ledger.reserve("fine_tuning_job", 0.0, model="m", limits=budget)
    with pytest.raises(BudgetError, match="2027-01-01"):
        ledger.reserve("answers", 0.5, model="m", limits=budget)
    at(monkeypatch, before + timedelta(minutes=1))
    assert ledger.left_this_month(budget, "answers") == 1.0
    assert ledger.settle(held, usage(cost_usd=0.25))  # paid now, whenever it was set aside
    assert ledger.left_this_month(budget, "answers") == 1.0 - ledger.spent_this_month()


def _reserve_in_step(barrier: Barrier, url: str, rounds: int, won: list[int]) -> None:
    budget = SpendSettings(month_usd=10.0)
    with Ledger(url) as ledger:
        for turn in range(rounds):
            barrier.wait(60)
            try:
                ledger.reserve("fine_tuning_job", 6.0, model="m", run_id=str(turn), limits=budget)
                won.append(turn)
            except BudgetError:
                pass
            barrier.wait(60)
            for one in ledger.open_reservations():
                ledger.release_reservation(one.reservation_id)


def test_of_two_processes_that_fit_alone_exactly_one_gets_it(ledger_url: str):
    Ledger(ledger_url).close()
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    with spawn.Manager() as manager:
        won = manager.list()
        processes = [spawn.Process(target=_reserve_in_step, args=(barrier, ledger_url, ROUNDS, won)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0]
        assert sorted(won) == list(range(ROUNDS))


def test_calls_of_before_count_after_the_migration(ledger: Ledger):
    from importlib import import_module

    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    ledger.record_usage([usage(cost_usd=1.5), usage(cost_usd=None)], asset="answers")
    ledger.record_usage([usage(cost_usd=2.0)])
    migration = import_module("rag_assets.ledger.migrations.versions.0007_tuning")
    with ledger.writing() as connection:
        connection.execute(text("DELETE FROM monthly_spend"))
        with Operations.context(MigrationContext.configure(connection)):
            migration._sum_what_was_spent()
    assert ledger.spent_this_month("answers") == 1.5 and ledger.spent_this_month() == 3.5


def test_sums_are_those_of_the_rows(ledger: Ledger):
    ledger.record_usage([usage(cost_usd=0.1) for _ in range(30)], asset="answers")
    ledger.record_usage([usage(cost_usd=0.7), usage(cost_usd=None)], asset="search")
    assert ledger.spent_this_month() == pytest.approx(ledger.usage_totals().cost_usd)
    assert ledger.spent_this_month("search") == pytest.approx(ledger.usage_totals(asset="search").cost_usd)


def test_every_sink_of_the_package_is_held_to_the_budgets():
    """A call that pays through a sink without limits would be stopped by none: `limits` is named at every one."""
    package = Path(rag_assets.__file__).parent
    sinks = [
        (file.relative_to(package), node.lineno, {keyword.arg for keyword in node.keywords})
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "usage_sink"
    ]
    assert len(sinks) > 5
    assert [(str(file), line) for file, line, named in sinks if "limits" not in named] == []
