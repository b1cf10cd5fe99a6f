"""Two scripted models over HTTP that answer the same eight questions, each right about some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.question_table import sync_questions
from rag_assets.evaluation.questions import make_question
from rag_assets.ledger import TunedModel
from rag_assets.project import Project
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.openai_server import OpenAIServer
from rag_assets_tests.tuning.champions import BASE, FACTS, released, tuned

ONE = "ft:test-chat:us::one"
TWO = "ft:test-chat:us::two"
RULES = "tuning: {comparison: {min_questions: 8, bootstrap_samples: 2000}}\n"
NUMBERS = range(1, len(FACTS) + 1)


def answering(right: dict[str, Iterable[int]]) -> Callable[[dict[str, Any]], str]:
    """Each model quotes the right passage for the machines that `right` has for it, and another one for the others."""
    known = {model: set(numbers) for model, numbers in right.items()}

    def reply(body: dict[str, Any]) -> str:
        prompt = body["messages"][-1]["content"]
        number = int(re.findall(r"machine (\d)\?", prompt)[-1])
        passages = re.findall(r'<passage n="(\d+)"[^>]*>\n(.*?)\n</passage>', prompt, re.S)
        wanted = number in known[body["model"]]
        n, text = next(one for one in passages if (f"machine {number} is" in one[1]) == wanted)
        return f"{text} [{n}]"

    return reply


def questions(numbers: Iterable[int] = NUMBERS) -> list[GoldenQuestion]:
    """One question a machine, all of them in the split gate."""
    made = (
        make_question(
            f"q{n}", f"What is the colour of machine {n}?", expected=[Expected(f"page{n}.md")],
            answers=[f"shade number {n * 111}"],
        )
        for n in numbers
    )  # fmt: skip
    return [replace(one, split="gate") for one in made]


def arena(small: SmallProject, server: OpenAIServer, *, extra: str = "", rules: str = RULES) -> None:
    """A release with the base model, questions, and two registered models; the base is right about two machines."""
    released(small, server, rules + extra)
    server.models |= {ONE, TWO}
    server.reply = answering({BASE: (1, 2), ONE: NUMBERS, TWO: (1, 2)})
    with small.open() as project:
        sync_questions(project.store.golden_questions(), questions())
        for name in (ONE, TWO):
            tuned(project.ledger, name)


def model(project: Project, model_id: str = ONE) -> TunedModel:
    found = project.ledger.tuned_model(model_id)
    assert found is not None
    return found


def chats(server: OpenAIServer, model_id: str | None = None) -> int:
    """How many answers were asked for, of one model or of all."""
    asked = [one for one in server.requests if one.path.endswith("/chat/completions")]
    return sum(model_id in (None, one.body["model"]) for one in asked)
