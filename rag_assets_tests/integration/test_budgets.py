"""Budgets in real runs against a provider on loopback: what must not be paid is not sent, by the server's own log."""

from __future__ import annotations

import json

import pytest

from rag_assets.assets import sync_partitions
from rag_assets.assets.release_state import STATE_TAG
from rag_assets.automation.attempts import Attempts, Standing, attempts_of
from rag_assets.automation.history import RELEASE_INDEX, newest_ended
from rag_assets.automation.sensors.files import tick
from rag_assets.errors import BudgetError
from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.questions import make_question
from rag_assets.evaluation.review import review
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent
from rag_assets.tuning.writing import write
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.evaluation.test_evaluate_http import quoting
from rag_assets_tests.integration.gateway import gateway_settings, use_gateway
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.openai_server import OpenAIServer, openai_server

__all__ = ["openai_server"]

PAGES = 12
QUESTION = "How long does the gateway wait?"
JUDGED = "evaluation:\n  judge: {provider: gateway, model: gpt-4o-mini}\n"
DOLLAR_A_TOKEN = """\
  prices:
    text-embedding-3-small: {input_usd: 1000000}
    gpt-4o-mini: {input_usd: 1000000, output_usd: 1000000}
"""


def configure(project: SmallProject, server: OpenAIServer, budgets: str, *, more: str = "") -> None:
    settings = gateway_settings(server, batch_size=1) + DOLLAR_A_TOKEN + f"spend: {budgets}\n"
    project.configure(settings + more, wiki="")


@pytest.fixture
def project(small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    use_gateway(small_project, openai_server, monkeypatch)
    return small_project


def model_calls(server: OpenAIServer) -> int:
    return sum(request.path.endswith(("/embeddings", "/chat/completions")) for request in server.requests)


def test_a_budget_stops_embeddings_in_the_middle_with_nothing_lost_or_paid_twice(
    project: SmallProject, openai_server: OpenAIServer
) -> None:
    for number in range(PAGES):
        project.write(f"wiki/page{number}.md", f"# Page {number}\n\nThe machine of page {number} hums quietly.\n")
    configure(project, openai_server, "{assets: {embeddings: 100}}")
    failed = ingest(project, release=False).sources["wiki"]
    assert not failed.succeeded and failed.error is not None and "the month's budget of embeddings" in failed.error
    steps = [record for record in project.instance.all_logs(failed.run_id) if record.dagster_event]
    assert not any(record.dagster_event.is_step_up_for_retry for record in steps if record.dagster_event)
    bought = openai_server.paid.copy()
    assert 0 < len(bought) < PAGES + 2
    with project.open() as opened:
        spent = opened.ledger.spent_this_month("embeddings")
        assert 0 < spent <= 100
        assert opened.ledger.usage_totals(asset="embeddings").calls == model_calls(openai_server)
        assert opened.ledger.open_reservations() == []
        space = opened.generation.space
        assert opened.store.embeddings(space.name, space.dimension).count() == len(bought)
    asked = model_calls(openai_server)
    assert not ingest(project, release=False).sources["wiki"].succeeded
    assert model_calls(openai_server) - asked <= 4  # smaller texts may still have fitted, and nothing else was sent
    configure(project, openai_server, "{assets: {embeddings: 100000}}")
    assert ingest(project, release=False).sources["wiki"].succeeded
    assert len(openai_server.paid) == PAGES + 2 and set(openai_server.paid.values()) == {1}


def test_a_source_that_the_budget_stopped_goes_on_by_itself(project: SmallProject, openai_server: OpenAIServer) -> None:
    configure(project, openai_server, "{month_usd: 0}")
    with project.open() as opened:
        sync_partitions(project.instance, opened)
        launched = tick(opened, project.instance, None)
    assert [request.partition_key for request in launched.run_requests or ()] == ["wiki"]
    assert not ingest(project, release=False).sources["wiki"].succeeded
    assert model_calls(openai_server) == 0
    with project.open() as opened:
        paused = tick(opened, project.instance, launched.cursor)
        assert not paused.run_requests
        assert opened.ledger.watches()["wiki"].paused_at is not None
    configure(project, openai_server, "{month_usd: 100000}")
    with project.open() as opened:
        resumed = tick(opened, project.instance, paused.cursor)
    assert [request.partition_key for request in resumed.run_requests or ()] == ["wiki"]


def test_every_paid_call_is_in_the_ledger_with_what_it_was_for_until_its_budget_is_reached(
    project: SmallProject, openai_server: OpenAIServer
) -> None:
    openai_server.reply = quoting
    configure(project, openai_server, "{month_usd: 100000, assets: {answers: 50000}}", more=JUDGED)
    assert all(run.succeeded for run in ingest(project).runs)
    with project.open() as opened:
        opened.search("sourdough")
        opened.ask(QUESTION)
        write(opened, "how long the gateway waits")
        content = ReleaseContent.of(opened.release(), opened.ledger)
        golden = [make_question("q1", QUESTION, expected=[Expected("limits.md")], answers=["forty seconds"])]
        usage = opened.ledger.usage_sink(asset="eval", limits=opened.settings.spend)
        assert review(opened, content, golden, usage=usage).evaluation.items[0].error is None
        rows = opened.ledger.usage()
        assert len(rows) == model_calls(openai_server)
        assert {row.asset for row in rows} == {"embeddings", "search", "answers", "write", "eval"}
        assert sum(row.operation == "chat" for row in rows if row.asset == "eval") == 2  # the answer and the judge
        for row in rows:
            assert row.cost_usd == row.input_tokens + row.output_tokens > 0
            assert row.model == ("gpt-4o-mini" if row.operation == "chat" else "text-embedding-3-small")
        assert all(row.run_id and row.source == "wiki" for row in rows if row.asset == "embeddings")
        assert all(row.answer_id for row in rows if row.asset in ("answers", "write"))
        assert opened.ledger.spent_this_month() == sum(row.cost_usd or 0.0 for row in rows)
        assert opened.ledger.open_reservations() == []
    asked = model_calls(openai_server)
    configure(project, openai_server, "{assets: {answers: 0.5}}")
    with project.open() as opened:
        with pytest.raises(BudgetError, match="budget of answers"):
            opened.ask(QUESTION)
        assert model_calls(openai_server) == asked
        assert opened.search("sourdough")[1]  # that has no budget of its own


@pytest.mark.slow
def test_a_release_whose_evaluation_was_over_budget_is_made_once_that_fits(
    project: SmallProject, openai_server: OpenAIServer
) -> None:
    words = ("wait", "pause", "stand by", "hold on", "hesitate", "stay", "delay")  # some are of the split gate
    lines = [{"question": QUESTION.replace("wait", word), "answers": ["forty seconds"]} for word in words]
    project.write("questions.jsonl", "\n".join(json.dumps(line | {"expected_uris": ["limits.md"]}) for line in lines))
    asked = "evaluation: {questions: [questions.jsonl]}\n"
    configure(project, openai_server, "{assets: {eval_report: 1}}", more=asked)
    outcome = ingest(project)
    assert outcome.sources["wiki"].succeeded and outcome.release is not None
    assert not outcome.release.succeeded and "the month's budget of eval_report" in str(outcome.release.error)
    for budgets, standing in (("{assets: {eval_report: 1}}", Standing.REFUSED), ("{}", Standing.DUE)):
        configure(project, openai_server, budgets, more=asked)
        with project.open() as opened:
            assert refused(project, opened).standing == standing


def refused(project: SmallProject, opened: Project) -> Attempts:
    """What became of the newest release, for whatever state it was."""
    [last] = newest_ended(project.instance, RELEASE_INDEX, limit=1)
    state = last.tags.get(STATE_TAG, "")
    return attempts_of(project.instance, RELEASE_INDEX, state, cancels=5, spend=opened.settings.spend)
