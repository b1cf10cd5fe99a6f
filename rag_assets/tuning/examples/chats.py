"""Conversations in OpenAI's chat format: `{"messages": [{"role": "user", "content": "…"}, …]}`, one on a line.

The last message is the assistant's: it is what is learnt. Only texts are read, for passages are put before the last
user message and a prompt with tools or pictures would not be what the model is asked in service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_assets.config import ExampleSetSettings
from rag_assets.evaluation.labelled_rows import Problem, check_keys, rows_of_json_lines
from rag_assets.tuning.examples.model import Example

ROLES = ("system", "developer", "user", "assistant")


def chat_examples(
    text: str, place: str, *, set_name: str, settings: ExampleSetSettings
) -> tuple[list[Example], list[Problem]]:
    """The examples and the mistakes of one file. `place` is its name for people."""
    found, problems = rows_of_json_lines(text, place, _messages)
    examples = [
        Example(
            example_set=set_name,
            kind="chat",
            origin=row.place,
            prompt=row.value[-2]["content"],
            answer=row.value[-1]["content"],
            messages=tuple(row.value),
            closed_book=settings.closed_book,
            style=settings.style,
        )
        for row in found
    ]
    return examples, problems


def _messages(values: Mapping[str, Any]) -> list[dict[str, str]]:
    check_keys(values, ("messages",))
    given = values.get("messages")
    if not isinstance(given, list) or not given:
        raise ValueError("messages must be a list with a user's and the assistant's message")
    messages = [_message(message, number) for number, message in enumerate(given, start=1)]
    roles = [message["role"] for message in messages]
    if roles[-1] != "assistant":
        raise ValueError("the last message must be the assistant's")
    if roles[-2:-1] != ["user"]:
        raise ValueError("the message before the last must be the user's")
    if any(role == "system" for role in roles[1:]):
        raise ValueError("the system message must be the first")
    return messages


def _message(message: Any, number: int) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise ValueError(f"message {number} must be an object with role and content")
    check_keys(message, ("role", "content"))
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise ValueError(f"the role of message {number} must be one of {', '.join(ROLES)}")
    if not isinstance(content, str) or not content.strip():
        raise ValueError(f"the content of message {number} must be a text")
    return {"role": "system" if role == "developer" else role, "content": content.strip()}
