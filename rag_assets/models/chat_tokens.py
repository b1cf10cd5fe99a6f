"""Tokens of a conversation as OpenAI counts them for training: its cookbook, "Data preparation and analysis for chat
model fine-tuning" and "How to count tokens".

A message costs three tokens beyond its texts, its role among them, a name one more, and the reply that a conversation
ends in is begun with three. What a conversation may hold beyond texts (calls of tools and their descriptions) is
counted as the JSON it is written in; OpenAI publishes no rule for that, so there it is an estimate.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rag_assets.chunking.tokenizer import Tokenizer

TOKENS_PER_MESSAGE = 3
TOKENS_PER_NAME = 1
TOKENS_OF_REPLY = 3
_NOT_SENT = ("weight",)
_DESCRIPTIONS = ("tools", "functions")


def message_tokens(messages: Iterable[Mapping[str, Any]], tokenizer: Tokenizer) -> int:
    """Tokens of `messages` together with the start of the reply."""
    return TOKENS_OF_REPLY + sum(_tokens_of(message, tokenizer) for message in messages)


def example_tokens(example: Mapping[str, Any], tokenizer: Tokenizer) -> int:
    """Tokens of one example of a training file: its messages, and the tools that it describes."""
    described = [example[key] for key in _DESCRIPTIONS if example.get(key)]
    return message_tokens(example["messages"], tokenizer) + sum(_tokens_in(value, tokenizer) for value in described)


def _tokens_of(message: Mapping[str, Any], tokenizer: Tokenizer) -> int:
    tokens = TOKENS_PER_MESSAGE + (TOKENS_PER_NAME if "name" in message else 0)
    return tokens + sum(_tokens_in(value, tokenizer) for key, value in message.items() if key not in _NOT_SENT)


def _tokens_in(value: Any, tokenizer: Tokenizer) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        return tokenizer.count(value)
    if isinstance(value, Sequence) and all(isinstance(part, Mapping) and "text" in part for part in value):
        return sum(_tokens_in(part["text"], tokenizer) for part in value)
    return tokenizer.count(json.dumps(value, ensure_ascii=False))
