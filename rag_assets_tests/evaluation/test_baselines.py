"""Reviews whose baseline cannot be measured, wholly or in part: an outage decides nothing, in neither direction."""

from __future__ import annotations

from typing import Any

import pytest

from rag_assets.errors import AuthenticationError, ConfigurationError, ProviderUnavailableError
from rag_assets.evaluation.evaluate import evaluate
from rag_assets.evaluation.questions import make_question
from rag_assets.evaluation.review import Review, review
from rag_assets.releasing import QUALITY, ReleaseContent
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.evaluation.test_evaluate_http import FACTS, QUESTIONS, quoting
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.openai_server import UNAUTHORIZED, Fault, OpenAIServer, openai_server

pytestmark = pytest.mark.slow

__all__ = ["openai_server"]

PROVIDER = "  providers:\n    local: {{base_url: {base_url}, api_key_env: {key}, max_retries: 0, max_concurrency: 1}}\n"
DOWN = Fault(status=503, message="Down.")
NEW = make_question("new", "Which colour has machine 3?", answers=["shade number 333"])


@pytest.fixture
def served(small_project: SmallProject, openai_server: OpenAIServer) -> SmallProject:
    """A release that answers with a model on the server, measured; the settings of now answer with the embedded one."""
    openai_server.reply = quoting
    chat = "  chat: {provider: local, model: test-chat}\n"
    configure(small_project, openai_server, chat)
    for uri, text in FACTS.items():
        small_project.write(f"docs/{uri}", text)
    assert all(run.succeeded for run in ingest(small_project).runs)
    with small_project.open() as project:
        evaluate(project, ReleaseContent.of(project.release(), project.ledger), QUESTIONS)
    configure(small_project, openai_server)
    return small_project


def configure(small: SmallProject, server: OpenAIServer, chat: str = "", key: str = "null") -> None:
    small.configure("models:\n" + PROVIDER.format(base_url=server.base_url, key=key) + chat, docs="")


def judged(small: SmallProject, *questions: Any) -> Review:
    """The review of what the settings of now would release."""
    with small.open() as project:
        snapshot = project.ledger.snapshot(project.release().snapshot_id)
        assert snapshot is not None
        return review(project, project.content(snapshot), [*QUESTIONS, *questions], record_verdict=True)


def verdicts(small: SmallProject) -> int:
    with small.open() as project:
        return sum(bool(one.details.get("against")) for one in project.ledger.verdicts(QUALITY))


@pytest.mark.parametrize(("fault", "kind"), [(DOWN, ProviderUnavailableError), (UNAUTHORIZED, AuthenticationError)])
def test_no_verdict_while_the_serving_release_cannot_be_asked(
    served: SmallProject, openai_server: OpenAIServer, fault: Fault, kind: type[Exception]
) -> None:
    openai_server.script(*[fault] * 2)
    with pytest.raises(kind, match="There is no verdict, for the serving release"):
        judged(served, NEW)
    assert verdicts(served) == 0
    openai_server._script.clear()
    found = judged(served, NEW)
    assert [one.name for one in found.baselines] == ["serving"]
    assert (found.skipped, verdicts(served)) == ({}, 1)


def test_a_key_that_is_missing_here_is_no_reason_to_compare_with_nothing(
    served: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ABSENT_KEY", raising=False)
    configure(served, openai_server, key="ABSENT_KEY")
    with pytest.raises(ConfigurationError, match=r"There is no verdict, .*take it out of models\.providers"):
        judged(served, NEW)


def test_a_provider_that_was_removed_is_skipped_in_plain_sight(served: SmallProject) -> None:
    served.configure(docs="")
    found = judged(served, NEW)
    assert (found.baselines, list(found.skipped)) == ((), ["serving"])
    said = "not compared with serving "
    assert found.verdict.passed and found.verdict.reason.startswith(said)
    assert "does not declare 'local' any more" in found.verdict.reason
    assert found.verdict.details["warnings"][0].startswith(said)
    assert found.report.markdown.read_text("utf-8").count("not compared with serving") == 2  # why, and a warning


def test_a_model_that_its_provider_no_longer_has_is_skipped(served: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.script(*[Fault(status=404, message="No such model.")] * 18)
    with served.open() as project:
        asked = [make_question(f"x{n}", f"Of machine {n}, which is the colour?", answers=["x"]) for n in range(1, 10)]
        snapshot = project.ledger.snapshot(project.release().snapshot_id)
        assert snapshot is not None
        found = review(project, project.content(snapshot), asked)
    assert "No such model" in found.verdict.reason


def test_a_baseline_with_holes_gives_no_verdict(served: SmallProject, openai_server: OpenAIServer) -> None:
    more = [
        make_question(f"n{n}", f"Which colour does machine {n} have?", answers=[f"shade number {n * 111}"])
        for n in range(1, 7)
    ]
    openai_server.script(Fault(), DOWN, Fault(), DOWN)
    with pytest.raises(ProviderUnavailableError, match="2 of 6 questions failed"):
        judged(served, *more)
    for faults in ([DOWN], []):  # what was answered is kept, and one of fourteen may be missing
        openai_server.script(*faults)
        (serving,) = judged(served, *more).baselines
        assert sum(item.error is not None for item in serving.evaluation.items) == len(faults)
    assert sum(request.path.endswith("/chat/completions") for request in openai_server.requests) == 8 + 6 + 2 + 1
