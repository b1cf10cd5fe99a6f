"""Observers see every step of a real answer, and cannot break one."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from rag_assets.answering import Observer, Step
from rag_assets.errors import QueryError
from rag_assets.models.usage import UsageMeter
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import refresh

QUESTION = "At how many degrees is green tea brewed?"


class Trace:
    """Writes down what it is told, as a tracer would."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.finished_steps: dict[str, Step] = {}

    def started(self, step: Step) -> None:
        self.told.append(("started", step.name))

    def finished(self, step: Step) -> None:
        self.told.append(("finished", step.name))
        self.finished_steps[step.name] = step


class Broken:
    """Fails whenever it is told anything."""

    def started(self, step: Step) -> None:
        raise RuntimeError("the collector is down")

    def finished(self, step: Step) -> None:
        raise RuntimeError("the collector is down")


@pytest.fixture
def project(small_project: SmallProject) -> SmallProject:
    small_project.configure(wiki="")
    small_project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at eighty degrees.\n")
    refresh(small_project)
    return small_project


def test_every_step_is_told_with_its_tokens_cost_and_time(project: SmallProject) -> None:
    trace, paid = Trace(), UsageMeter()
    with project.open() as opened, opened.pipeline(usage=paid, observers=[trace]) as pipeline:
        answer = pipeline.ask(QUESTION, answer_id="a1")
    assert answer.answerable
    steps = ["guard", "retrieve", "generate", "verify"]
    assert trace.told == [(when, step) for step in steps for when in ("started", "finished")]
    seen = trace.finished_steps
    assert {step.answer_id for step in seen.values()} == {"a1"}
    assert all(step.duration_ms > 0 and step.error is None for step in seen.values())
    assert sum(step.duration_ms for step in seen.values()) <= answer.latency_ms + 1
    assert seen["retrieve"].attributes["chunk_ids"] == [one.chunk_id for one in answer.citations]
    assert seen["generate"].attributes.items() >= answer.usage.items()
    with_calls = [step.attributes for step in seen.values() if "input_tokens" in step.attributes]
    assert len(with_calls) == 2
    assert sum(one["input_tokens"] for one in with_calls) == paid.total.input_tokens
    assert seen["retrieve"].attributes["input_tokens"] > 0
    assert sum(one["cost_usd"] for one in with_calls) == paid.total.cost_usd == 0.0


def test_an_observer_that_fails_does_not_break_an_answer(
    project: SmallProject, caplog: pytest.LogCaptureFixture
) -> None:
    trace = Trace()
    watched: list[Observer] = [Broken(), trace]
    with caplog.at_level(logging.WARNING), project.open() as opened, opened.pipeline(observers=watched) as pipeline:
        assert pipeline.ask(QUESTION, answer_id="a1").answerable
    assert len(trace.told) == 8
    assert "The observer Broken failed when step generate finished." in caplog.text
    assert "the collector is down" in caplog.text


def test_the_error_of_a_step_is_told(project: SmallProject) -> None:
    trace = Trace()
    with project.open() as opened, opened.pipeline(observers=[trace]) as pipeline, pytest.raises(QueryError):
        pipeline.ask("   ", answer_id="a1")
    assert trace.told == [("started", "guard"), ("finished", "guard")]
    assert str(trace.finished_steps["guard"].error).startswith("QueryError: The question is empty.")


def test_questions_at_once_keep_their_tokens_apart(project: SmallProject) -> None:
    questions = [QUESTION, "Is green tea brewed at eighty degrees, or at some other number of degrees, and why?"]

    def tokens(question: str) -> int:
        trace = Trace()
        with project.open() as opened, opened.pipeline(observers=[trace]) as pipeline:
            pipeline.ask(question, answer_id="a1")
        return int(trace.finished_steps["retrieve"].attributes["input_tokens"])

    alone = [tokens(question) for question in questions]
    assert alone[0] != alone[1]
    traces = [Trace() for _ in range(12)]
    with project.open() as opened, opened.pipeline() as pipeline, ThreadPoolExecutor(4) as pool:

        def ask(at: int) -> None:
            replace(pipeline, observers=(traces[at],)).ask(questions[at % 2], answer_id=f"a{at}")

        list(pool.map(ask, range(len(traces))))
    together = [trace.finished_steps["retrieve"].attributes["input_tokens"] for trace in traces]
    assert together == alone * 6
