"""What the examples of a training file ask: the texts that a held-out question could be found in again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.prompt_format import parse_prompt, question_in
from rag_assets.tuning.gates.words import words_of

LEAST_WORDS_OF_A_TURN = 4
"""In a conversation of several turns a shorter one ("Thanks!", "Tell me more") asks nothing of its own."""
MOST_WORDS_OF_A_LINE = 60

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")


def asked(example: Mapping[str, Any]) -> list[str]:
    """What the user asks: the question or topic of a prompt of this project, else the whole message."""
    texts = [question_in(text) or text for text in _texts(example, "user")]
    if len(texts) > 1:
        return [text for text in texts if len(words_of(text)) >= LEAST_WORDS_OF_A_TURN]
    return texts


def mentioned(example: Mapping[str, Any]) -> list[str]:
    """What is asked and every other question and line that an answer, an instruction or a free prompt holds.

    Passages are left out. They are the documents, which the model is shown in service as well.
    """
    found = asked(example)
    for text in _texts(example, "user"):
        if not _has_passages(text):
            found += _pieces(text)
    for role in ("system", "assistant"):
        for text in _texts(example, role):
            found += _questions(text)
    return list(dict.fromkeys(found))


def _has_passages(text: str) -> bool:
    try:
        parse_prompt(text)
    except InvalidRequestError:
        return False
    return True


def _pieces(text: str) -> list[str]:
    """Its lines, as far as they are short enough for a question, and its questions."""
    lines = [line.strip() for line in text.split("\n")]
    short = [line for line in lines if line and len(line.split()) <= MOST_WORDS_OF_A_LINE]
    return [*short, *_questions(text)]


def _questions(text: str) -> list[str]:
    """The sentences that end in a question mark."""
    return [sentence.strip() for sentence in _SENTENCE.findall(text) if sentence.endswith("?")]


def _texts(example: Mapping[str, Any], role: str) -> Iterator[str]:
    """The texts of the messages by `role`; parts of one message are one text."""
    for message in example["messages"]:
        content = message.get("content") if message.get("role") == role else None
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            yield "\n".join(part for part in parts if isinstance(part, str))
