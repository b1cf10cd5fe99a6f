"""Evaluations of a generative model over real HTTP: replayed answers, the judge, and outages."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from rag_assets.errors import AuthenticationError, ConfigurationError, ProviderUnavailableError
from rag_assets.evaluation.evaluate import evaluate
from rag_assets.evaluation.model import Evaluation, Expected, GoldenQuestion
from rag_assets.evaluation.questions import make_question
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.openai_server import Fault, OpenAIServer, openai_server

pytestmark = pytest.mark.slow

__all__ = ["openai_server"]

SETTINGS = """
models:
  providers:
    local: {{base_url: "{base_url}", api_key_env: null, max_retries: 0, max_concurrency: {concurrency}}}
  chat: {{provider: local, model: test-chat}}
  prices:
    test-chat: {{input_usd: 1.0, output_usd: 1.0}}
"""
JUDGED = """
evaluation:
  judge: {provider: local, model: test-chat}
"""
FACTS = {f"page{n}.md": f"The colour of machine {n} is shade number {n * 111}." for n in range(1, 9)}
QUESTIONS = [
    make_question(
        f"q{n}",
        f"What is the colour of machine {n}?",
        expected=[Expected(f"page{n}.md")],
        answers=[f"shade number {n * 111}"],
    )
    for n in range(1, 9)
]


DOWN = Fault(status=503)


def quoting(body: dict[str, Any]) -> str:
    """A chat model that repeats its first passage, and a judge that likes what holds an accepted answer."""
    prompt = body["messages"][-1]["content"]
    if "Accepted answers:" in prompt:
        accepted = json.loads(re.search(r"^Accepted answers: (.*)$", prompt, re.M)[1])  # type: ignore[index]
        answer = json.loads(re.search(r"^Answer to grade: (.*)$", prompt, re.M)[1])  # type: ignore[index]
        return json.dumps({"correct": any(one in answer for one in accepted), "reason": "as accepted"})
    first = re.search(r'<passage n="1"[^>]*>\n(.*?)\n</passage>', prompt, re.S)
    return f"{first[1]} [1]" if first else "No."


@pytest.fixture
def server(openai_server: OpenAIServer) -> OpenAIServer:
    openai_server.reply = quoting
    return openai_server


def release(small: SmallProject, server: OpenAIServer, *, extra: str = "", concurrency: int = 2) -> None:
    small.configure(SETTINGS.format(base_url=server.base_url, concurrency=concurrency) + extra, docs="")
    for uri, text in FACTS.items():
        small.write(f"docs/{uri}", text)
    assert all(run.succeeded for run in ingest(small).runs)


def measure(small: SmallProject, questions: list[GoldenQuestion] = QUESTIONS) -> Evaluation:
    with small.open() as project:
        return evaluate(project, ReleaseContent.of(project.release(), project.ledger), questions)


def chats(server: OpenAIServer) -> int:
    return sum(request.path.endswith("/chat/completions") for request in server.requests)


def test_what_a_model_said_is_paid_for_once(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server)

    def slow(body: dict[str, Any]) -> str:
        time.sleep(0.1)
        return quoting(body)

    server.reply = slow
    first = measure(small_project)
    assert (chats(server), server.most_in_flight) == (8, 2)
    assert first.metrics["answer_contains"].value == first.metrics["citation_correctness"].value == 1.0
    cost = first.metrics["cost_per_question_usd"].value or 0.0
    assert cost > 0
    # Other content, equal prompts: every question is measured anew, and the model is asked nothing.
    small_project.configure(
        SETTINGS.format(base_url=server.base_url, concurrency=3) + "answering: {max_question_characters: 999}\n",
        docs="",
    )
    assert all(run.succeeded for run in ingest(small_project).runs)
    second = measure(small_project)
    assert second.measured_id != first.measured_id
    assert (second.reused_items, chats(server)) == (0, 8)
    assert [item.answer for item in second.items] == [item.answer for item in first.items]
    assert second.metrics["cost_per_question_usd"].value == pytest.approx(cost)


def test_a_question_is_embedded_by_a_remote_model_once_for_all_evaluations(
    small_project: SmallProject, server: OpenAIServer
) -> None:
    server.dimension = 1_536
    embedding = "  embedding: {provider: local, model: text-embedding-3-small}\n"
    measured = []
    for limit in (998, 999):
        models = SETTINGS.format(base_url=server.base_url, concurrency=2).replace("  prices:", f"{embedding}  prices:")
        small_project.configure(f"{models}answering: {{max_question_characters: {limit}}}\n", docs="")
        for uri, text in FACTS.items():
            small_project.write(f"docs/{uri}", text)
        assert all(run.succeeded for run in ingest(small_project).runs)
        measured.append(measure(small_project))
        asked = [text for text in server.inputs() if text.startswith("What is the colour")]
        assert sorted(asked) == sorted(question.question for question in QUESTIONS)
    first, second = measured
    assert (second.reused_items, first.measured_id == second.measured_id) == (0, False)
    assert [item.retrieved for item in second.items] == [item.retrieved for item in first.items]


def test_at_another_temperature_nothing_is_replayed(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server)
    measure(small_project)
    for limit in (998, 999):
        warm = SETTINGS.format(base_url=server.base_url, concurrency=2).replace(
            "test-chat}", "test-chat, temperature: 1}", 1
        )
        small_project.configure(f"{warm}answering: {{max_question_characters: {limit}}}\n", docs="")
        assert all(run.succeeded for run in ingest(small_project).runs)
        measure(small_project)
    assert chats(server) == 24


def test_an_outage_is_no_bad_release(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server)
    server.script(*[DOWN] * 8)
    with pytest.raises(ProviderUnavailableError, match="The evaluation was given up: 5 of 5 questions failed"):
        measure(small_project)
    asked = chats(server)
    assert asked <= 7
    server._script.clear()
    assert measure(small_project).metrics["answer_contains"].value == 1.0


def test_a_partial_outage_gives_no_figures_and_only_the_rest_is_asked_again(
    small_project: SmallProject, server: OpenAIServer
) -> None:
    release(small_project, server, concurrency=1)
    server.script(Fault(), DOWN, Fault(), DOWN, Fault(), DOWN)
    with pytest.raises(ProviderUnavailableError, match="3 of 8 questions failed"):
        measure(small_project)
    again = measure(small_project)
    assert (again.reused_items, again.metrics["answer_contains"].value, chats(server)) == (5, 1.0, 8 + 3)


def test_a_refused_key_ends_it_at_once(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server, concurrency=1)
    server.script(Fault(), Fault(), Fault(status=401))
    with pytest.raises(AuthenticationError, match="1 of 3 questions failed"):
        measure(small_project)
    after = measure(small_project)
    assert (after.reused_items, chats(server)) == (2, 3 + 6)


def test_a_few_failures_are_failures_and_are_asked_again(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server, concurrency=1)
    server.script(Fault(), Fault(), Fault(status=500, message="Upset."))
    first = measure(small_project)
    failed = [item for item in first.items if item.error]
    assert [item.question_id for item in failed] == ["q3"]
    assert "Upset." in (failed[0].error or "")
    assert (first.metrics["answer_contains"].value, first.metrics["mrr_at_10"].n) == (7 / 8, 8)
    # A chat model that is down has no say in what was found.
    assert (failed[0].scores["mrr_at_10"], failed[0].scores["citation_correctness"]) == (1.0, 0.0)
    assert failed[0].retrieved[0].relevant and first.metrics["mrr_at_10"].value == 1.0
    second = measure(small_project)
    assert (second.reused_items, second.metrics["answer_contains"].value) == (7, 1.0)


def test_a_judge_grades_and_its_rambling_counts_as_failure(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server, extra=JUDGED, concurrency=1)

    def reply(body: dict[str, Any]) -> str:
        prompt = body["messages"][-1]["content"]
        if "Accepted answers:" in prompt and "machine 4?" in prompt:
            return "Well, it depends."
        return quoting(body)

    server.reply = reply
    wrong = make_question("wrong", "What is the colour of machine 5, roughly?", answers=["no such shade"])
    evaluation = measure(small_project, [*QUESTIONS, wrong, make_question("none", "Who is on the moon?")])
    judged = {item.question_id: item for item in evaluation.items}
    assert judged["q1"].scores["judge"] == 1.0
    assert judged["q1"].judged == "as accepted"
    assert (judged["q4"].scores["judge"], judged["q4"].judged) == (0.0, "unreadable verdict: Well, it depends.")
    assert judged["wrong"].scores["judge"] == 0.0
    assert "judge" not in judged["none"].scores
    assert evaluation.metrics["judge"].n == 9
    formats = [request.body.get("response_format", {}) for request in server.requests if "chat" in request.path]
    assert [one["type"] for one in formats if one] == ["json_schema"] * 9


def test_a_judge_without_structured_output_is_asked_in_plain_words(
    small_project: SmallProject, server: OpenAIServer
) -> None:
    release(small_project, server, extra=JUDGED, concurrency=1)
    server.script(Fault(), Fault(status=400, message="response_format is not supported"))
    evaluation = measure(small_project)
    assert evaluation.metrics["judge"].value == 1.0
    formatted = [bool(request.body.get("response_format")) for request in server.requests if "chat" in request.path]
    assert formatted.count(True) == 1
    assert len(formatted) == 8 * 2 + 1


def test_a_judge_must_be_able_to_judge(small_project: SmallProject, server: OpenAIServer) -> None:
    release(small_project, server)
    for provider, said in (
        ("embedded", "cannot judge"),
        ("nobody", "is not declared; known providers: embedded, local"),
    ):
        judge = f"evaluation:\n  judge: {{provider: {provider}, model: x}}\n"
        small_project.configure(SETTINGS.format(base_url=server.base_url, concurrency=1) + judge, docs="")
        with pytest.raises(ConfigurationError, match=said):
            measure(small_project)
