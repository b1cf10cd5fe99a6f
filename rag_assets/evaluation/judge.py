"""A generative model that says whether an answer is right, by the accepted answers.

A verdict that cannot be read counts as "incorrect" and is kept word for word: a judge that rambles must not make a
release look better than it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.config import ChatSettings, JudgeSettings, ModelSettings
from rag_assets.errors import ConfigurationError, InvalidRequestError
from rag_assets.models.chat import Chat
from rag_assets.prompts import judge_messages

SAID_CHARACTERS = 300
VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"correct": {"type": "boolean"}, "reason": {"type": "string"}},
    "required": ["correct", "reason"],
    "additionalProperties": False,
}
STRUCTURED = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "verdict", "strict": True, "schema": VERDICT_SCHEMA},
    }
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict. `said` is the judge's reason, or why its answer is none."""

    correct: bool
    said: str


def judge_models(settings: JudgeSettings, models: ModelSettings) -> ModelSettings:
    """The project's models with the judge as the chat model. Raises `ConfigurationError`."""
    provider = models.all_providers().get(settings.provider)
    if provider is None:
        known = ", ".join(sorted(models.all_providers()))
        raise ConfigurationError(
            f"evaluation.judge.provider is {settings.provider!r}, which is not declared; known providers: {known}.",
            fix=f"Declare models.providers.{settings.provider}, or name another one.",
        )
    if provider.kind == "embedded":
        raise ConfigurationError(
            "evaluation.judge.provider is an embedded one, whose reader quotes and cannot judge.",
            fix="Name a provider with a generative model, or remove evaluation.judge.",
        )
    chat = ChatSettings(
        provider=settings.provider, model=settings.model, temperature=0.0, max_output_tokens=settings.max_output_tokens
    )
    return models.model_copy(update={"chat": chat})


class Judge:
    """Asks for verdicts. Thread safe. `chat_of_question` gives the model to ask, anew for each question.

    A structured answer is asked for, until the provider refuses a request for one but not the same without.
    """

    def __init__(self, template: str, chat_of_question: Callable[[], Chat]) -> None:
        self._template = template
        self._chat_of_question = chat_of_question
        self._structured = True

    def judge(self, question: str, accepted: Sequence[str], answer: str) -> Judgement:
        """Whether `answer` says what one of `accepted` says. Raises a `ModelError`."""
        messages = judge_messages(
            self._template, question=_data(question), accepted=_data(list(accepted)), answer=_data(answer)
        )
        chat = self._chat_of_question()
        if self._structured:
            try:
                return read_verdict(chat.complete(messages, extra=STRUCTURED).text)
            except InvalidRequestError:
                said = chat.complete(messages).text
                self._structured = False
                return read_verdict(said)
        return read_verdict(chat.complete(messages).text)


def read_verdict(said: str) -> Judgement:
    """The verdict in a judge's answer: its first JSON object with a boolean `correct`, whatever words stand around."""
    decoder = json.JSONDecoder()
    start = said.find("{")
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(said, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and isinstance(value.get("correct"), bool):
            return Judgement(value["correct"], str(value.get("reason") or ""))
        start = said.find("{", start + 1)
    shown = " ".join(said.split())
    shown = f"{shown[:SAID_CHARACTERS]}…" if len(shown) > SAID_CHARACTERS else shown
    return Judgement(False, f"unreadable verdict: {shown}" if shown else "unreadable verdict: no words")


def _data(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
