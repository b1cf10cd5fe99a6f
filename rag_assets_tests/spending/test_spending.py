"""The report of costs: its periods, its lines, its picture, the asset that shows it, and what launches that."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from rag_assets.assets.spending import spend_report
from rag_assets.automation.schedules import report_spending_by_day
from rag_assets.cli.doctor_spending import look_at_spending
from rag_assets.config import SpendSettings
from rag_assets.errors import ConfigurationError
from rag_assets.estimating.budgets import budget_limits
from rag_assets.ledger import usage
from rag_assets.models.usage import UsageTotal
from rag_assets.resources.project import ProjectResource
from rag_assets.spending import Day, cost_report, days, month, since_day, this_month
from rag_assets.spending.plot import OTHERS, spend_png
from rag_assets.spending.plot import _bars as bars
from rag_assets.spending.plot import _sums as sums
from rag_assets_tests.cli.command import rag_assets
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.ledger.test_calls import usage as call

NOW = datetime(2026, 11, 28, 15, 30, tzinfo=UTC)


def spent(project: SmallProject, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four calls at that time: 3 dollars for embeddings, 1 for answers, and one of each without a price."""
    with monkeypatch.context() as patched, project.open() as opened:
        patched.setattr(usage, "utc_now", lambda: at)
        opened.ledger.record_usage([call(cost_usd=3.0), call(cost_usd=None)], asset="embeddings", source="wiki")
        opened.ledger.record_usage([call(cost_usd=1.0), call(cost_usd=None)], asset="answers")


def test_periods_are_whole_days_in_utc():
    assert this_month(NOW).days == [date(2026, 11, day) for day in range(1, 29)]
    assert len(month("2024-02").days) == 29 and month("2026-12").until == datetime(2027, 1, 1, tzinfo=UTC)
    assert since_day("2026-11-27", NOW).days == [date(2026, 11, 27), date(2026, 11, 28)]
    for wrong in ("2026-13", "2026", "november", "0000-01"):
        with pytest.raises(ConfigurationError, match="no month"):
            month(wrong)
    for wrong in ("2026-11-31", "2026-11", "tomorrow", "2026-11-29"):
        with pytest.raises(ConfigurationError):
            since_day(wrong, NOW)


def test_a_report_sums_shares_and_days(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch):
    spent(small_project, NOW - timedelta(days=2), monkeypatch)
    spent(small_project, NOW - timedelta(days=40), monkeypatch)
    with small_project.open() as opened:
        report = cost_report(opened.ledger, SpendSettings(), this_month(NOW))
        assert [(line.key, line.share) for line in report.lines] == [("embeddings", 0.75), ("answers", 0.25)]
        assert report.total == UsageTotal(4, 4, 400, 0, 4.0, 2, 0)
        per_day = days(opened.ledger, since_day("2026-10-01", NOW))
    assert {str(day.day): day.total_usd for day in per_day if day.calls} == {"2026-10-19": 4.0, "2026-11-26": 4.0}
    assert sums(per_day)[-1] == 4.0  # October's are not carried over


def test_a_picture_keeps_the_dearest_assets_apart():
    day = Day(NOW.date(), {f"asset {number}": number + 1.0 for number in range(10)}, 10)
    shown = bars([day])
    assert [name for name, _, _ in shown] == [f"asset {number}" for number in (9, 8, 7, 6, 5)] + [OTHERS]
    assert sum(values[0] for _, values, _ in shown) == day.total_usd
    png = spend_png([day], month_usd=60.0)
    assert png is not None and png.startswith(b"\x89PNG")
    assert spend_png([Day(NOW.date(), {}, 3)]) is None


def test_the_command_and_the_asset_say_the_same(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch):
    small_project.configure("spend: {month_usd: 10, assets: {answers: 2}}")
    now = datetime.now(UTC)
    spent(small_project, now, monkeypatch)
    with small_project.open() as opened:
        opened.ledger.reserve("fine_tuning_job", 5.0, model="gpt-4o", limits=opened.settings.spend)
    ran = rag_assets(small_project.root, "costs", "--by", "source", "--plot", "costs.png", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [(row["source"], row["cost_usd"], row["unpriced_calls"]) for row in ran.json["rows"]] == [
        ("wiki", 3.0, 1),
        (None, 1.0, 1),
    ]
    assert [(one["budget"], one["left_usd"]) for one in ran.json["budgets"]] == [("month", 1.0), ("answers", 1.0)]
    assert (small_project.root / "costs.png").read_bytes().startswith(b"\x89PNG")
    result = dg.materialize([spend_report], resources={"project": ProjectResource()}, instance=small_project.instance)
    [made] = result.asset_materializations_for_node("spend_report")
    shown: dict[str, Any] = {key: value.value for key, value in made.metadata.items()}
    assert shown["month_usd"] == shown["today_usd"] == ran.json["total"]["cost_usd"] == 4.0
    assert shown["month_usd/embeddings"] == 3.0 and shown["calls_without_price"] == 2
    assert shown["left_usd"] == 1.0 and shown["left_usd/answers"] == 1.0 and shown["set_aside_usd"] == 5.0
    assert "data:image/png;base64," in shown["by_day"] and "| embeddings | 2 |" in shown["by_asset"]


def test_an_estimate_names_the_budgets_it_would_meet(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch):
    small_project.configure("spend: {month_usd: 5, assets: {embeddings: 4, eval_report: 3}}")
    spent(small_project, datetime.now(UTC), monkeypatch)
    with small_project.open() as opened:
        assert budget_limits(opened, {"embeddings": 1.0, "eval_report": 0.0}) == ()
        [month, one] = budget_limits(opened, {"embeddings": 1.5, "eval_report": 0.5})
        assert month.startswith("$2.00 is more than the month's budget has left ($4.00 spent")
        assert one.startswith("$1.50 is more than the month's budget of embeddings has left ($3.00 spent")
        assert len(budget_limits(opened, {"embeddings": None, "eval_report": 0.5})) == 2


def test_doctor_says_what_is_left_what_is_used_up_and_what_limits_nothing(
    small_project: SmallProject, monkeypatch: pytest.MonkeyPatch
):
    small_project.configure("""
        spend: {month_usd: 5, assets: {embeddings: 3, embedding: 1}}
        models:
          providers: {team: {base_url: "http://127.0.0.1:9/v1", api_key_env: null}}
          chat: {provider: team, model: mystery}
    """)
    spent(small_project, datetime.now(UTC), monkeypatch)
    with small_project.open() as opened:
        found = {one.name: one for one in look_at_spending(opened.settings)}
    of_all, used_up, misspelt = (found[f"spending{name}"] for name in ("", " of embeddings", " of embedding"))
    assert of_all.ok and "$4.00 spent" in of_all.detail and "$1.00 left" in of_all.detail
    assert not used_up.ok and "$0.00 left" in used_up.detail
    assert not misspelt.ok and "limits nothing" in misspelt.detail and "embeddings" in misspelt.fix
    assert not found["price of mystery"].ok


def test_a_day_without_calls_is_not_reported(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch):
    spent(small_project, NOW, monkeypatch)
    asked: list[Any] = []
    for night in (NOW, NOW + timedelta(days=1), NOW + timedelta(days=2)):
        with dg.build_schedule_context(
            small_project.instance, scheduled_execution_time=night, resources={"project": ProjectResource()}
        ) as context:
            asked.append(report_spending_by_day(context))
    assert [isinstance(one, dg.RunRequest) for one in asked] == [False, True, False]
