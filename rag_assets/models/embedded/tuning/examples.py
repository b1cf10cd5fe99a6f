"""Reads the files that a job trains on, and says line by line what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.reader.tuning import TuningExample, example_from_messages

LEAST_EXAMPLES = 10
"""OpenAI's own minimum for training: https://platform.openai.com/docs/guides/supervised-fine-tuning"""
_LINES_NAMED = 5
_ROLES = ("system", "developer", "user", "assistant")
_KEYS = frozenset({"role", "content", "name", "weight"})


class UnfitFileError(Exception):
    """Why a job cannot be trained on a file: OpenAI's `code`, a sentence, and the parameter that named the file."""

    def __init__(self, code: str, message: str, param: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def read_training_file(path: Path) -> list[TuningExample]:
    """The examples to train on, at least `LEAST_EXAMPLES`. Raises `UnfitFileError`."""
    examples = _read(path, "training")
    if len(examples) < LEAST_EXAMPLES:
        raise UnfitFileError(
            "invalid_n_examples",
            f"Training file has {len(examples)} example(s), but must have at least {LEAST_EXAMPLES} examples",
            "training_file",
        )
    return examples


def read_validation_file(path: Path) -> list[TuningExample]:
    """The examples to choose the best step by. Raises `UnfitFileError`."""
    return _read(path, "validation")


def _read(path: Path, kind: str) -> list[TuningExample]:
    examples, mistakes = [], []
    for number, line in _lines(path):
        try:
            examples.append(_example(line))
        except ValueError as error:
            mistakes.append(f"line {number}: {error}")
        except InvalidRequestError as error:
            mistakes.append(f"line {number}: {error.problem.rstrip('.')}")
    if mistakes:
        named = "; ".join(mistakes[:_LINES_NAMED])
        more = f"; and {len(mistakes) - _LINES_NAMED} more" if len(mistakes) > _LINES_NAMED else ""
        count = f"{len(mistakes)} of {len(mistakes) + len(examples)} examples"
        raise UnfitFileError(
            f"invalid_{kind}_file", f"{count} of the {kind} file are invalid: {named}{more}.", f"{kind}_file"
        )
    return examples


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, from 1; what follows the last line break is no line if it is empty."""
    with path.open("rb") as file:  # not as text, which has more line breaks than JSON lines have
        yield from enumerate(file, start=1)


def _example(line: bytes) -> TuningExample:
    """Raises `ValueError` for what is not OpenAI's format, `InvalidRequestError` for what the reader cannot learn."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("messages"), list) or not content["messages"]:
        raise ValueError("it is not an object with a list `messages`")
    if unknown := content.keys() - {"messages"}:
        raise ValueError(f"the reader cannot learn from `{min(unknown)}`")
    for number, message in enumerate(content["messages"]):
        _check(message, f"messages[{number}]")
    if content["messages"][-1].get("weight", 1) == 0:
        raise ValueError("its last message has the weight 0, so that there is nothing to learn")
    return example_from_messages(content["messages"])


def _check(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise ValueError(f"`{where}` is not an object")
    if message.get("role") not in _ROLES:
        raise ValueError(f"`{where}.role` is not one of {', '.join(_ROLES)}")
    if unknown := message.keys() - _KEYS:
        raise ValueError(f"`{where}` has the unknown key `{min(unknown)}`")
    if not isinstance(message.get("content"), (str, list)):
        raise ValueError(f"`{where}.content` is not text")
    if message.get("weight", 1) not in ((0, 1) if message["role"] == "assistant" else (1,)):
        raise ValueError(f"`{where}.weight` is not 0 or 1, which an assistant's message may have")
