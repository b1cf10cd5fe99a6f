"""The rules of OpenAI's format for chat fine-tuning, for one example.

After the schema `FineTuneChatRequestInput` of OpenAI's published API description and the checks of its cookbook ("Data
preparation and analysis for chat model fine-tuning"), whose names of errors are kept. Stricter in two things: a text
must hold something, and pictures are refused, for their tokens cannot be counted here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rag_assets.evaluation.labelled_rows import check_writable

EXAMPLE_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
_KEYS_BY_ROLE = {
    "system": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": ("role", "content", "name", "weight", "refusal", "tool_calls", "function_call"),
    "tool": ("role", "content", "tool_call_id"),
    "function": ("role", "content", "name"),
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def broken_rules(example: Any) -> Iterator[str]:
    """The kind of each rule that `example`, one line's JSON value, breaks; one for each message that breaks it."""
    if not isinstance(example, dict):
        yield "data_type"
        return
    if any(key not in EXAMPLE_KEYS for key in example):
        yield "example_unrecognized_key"
    try:
        check_writable(example)
    except ValueError:
        yield "unwritable_character"
    yield from _broken_by_tools(example)
    messages = example.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "missing_messages_list"
        return
    for message in messages:
        yield from _broken_by_message(message)
    if all(isinstance(message, dict) for message in messages):
        yield from _broken_together(messages)


def _broken_by_message(message: Any) -> Iterator[str]:
    if not isinstance(message, dict):
        yield "message_data_type"
        return
    role = message.get("role")
    if "role" not in message or ("content" not in message and not _calls(message)):
        yield "message_missing_key"
    known = _KEYS_BY_ROLE.get(role) if isinstance(role, str) else None
    if known is None:
        if "role" in message:
            yield "unrecognized_role"
        known = _KEYS_BY_ROLE["assistant"]
    if any(key not in known for key in message):
        yield "message_unrecognized_key"
    if "content" in message:
        yield from _broken_by_content(message["content"], may_be_null=_calls(message))
    if ("name" in message and not _is_name(message["name"])) or (role == "function" and "name" not in message):
        yield "bad_name"
    if "weight" in message and (type(message["weight"]) is not int or message["weight"] not in (0, 1)):
        yield "bad_weight"
    if role == "tool" and not _is_text(message.get("tool_call_id")):
        yield "bad_tool_call"
    if "refusal" in message and message["refusal"] is not None and not _is_text(message["refusal"]):
        yield "missing_content"
    yield from _broken_by_calls(message)


def _calls(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "assistant" and bool(message.get("tool_calls") or message.get("function_call"))


def _broken_by_content(content: Any, *, may_be_null: bool) -> Iterator[str]:
    if content is None:
        if not may_be_null:
            yield "missing_content"
    elif isinstance(content, str):
        if not content.strip() and not (may_be_null and not content):
            yield "empty_content"
    elif isinstance(content, list) and content:
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("image_url", "input_audio", "file"):
                yield "unsupported_content"
            elif kind != "text" or set(part) != {"type", "text"} or not isinstance(part["text"], str):
                yield "missing_content"
            elif not part["text"].strip():
                yield "empty_content"
    else:
        yield "missing_content"


def _broken_by_calls(message: Mapping[str, Any]) -> Iterator[str]:
    if "tool_calls" in message:
        calls = message["tool_calls"]
        sound = isinstance(calls, list) and calls and all(map(_is_call, calls))
        if not sound or len({call["id"] for call in calls}) != len(calls):
            yield "bad_tool_call"
    if "function_call" in message and not _is_function_call(message["function_call"]):
        yield "bad_tool_call"


def _is_call(call: Any) -> bool:
    return (
        isinstance(call, dict)
        and set(call) == {"id", "type", "function"}
        and _is_text(call["id"])
        and call["type"] == "function"
        and _is_function_call(call["function"])
    )


def _is_function_call(call: Any) -> bool:
    if not isinstance(call, dict) or set(call) != {"name", "arguments"} or not _is_name(call["name"]):
        return False
    try:
        return isinstance(call["arguments"], str) and isinstance(json.loads(call["arguments"]), dict)
    except (ValueError, RecursionError):
        return False


def _broken_together(messages: list[dict[str, Any]]) -> Iterator[str]:
    """What can be told of the messages of one example only together."""
    answers = [message for message in messages if message.get("role") == "assistant"]
    if not answers:
        yield "example_missing_assistant_message"
        return
    if messages[-1].get("role") != "assistant":
        yield "last_message_not_assistant"
    if all(answer.get("weight") == 0 for answer in answers):
        yield "nothing_to_train_on"
    yield from _unanswered_calls(messages)


def _unanswered_calls(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Every call of a tool is answered before anybody speaks, once; only the last message's calls may stay open."""
    open_calls: set[str] = set()
    for message in messages:
        if message.get("role") == "tool":
            answered = str(message.get("tool_call_id"))
            if answered not in open_calls:
                yield "tool_message_without_call"
            open_calls.discard(answered)
        else:
            if open_calls:
                yield "tool_call_without_answer"
            calls = message.get("tool_calls")
            listed = calls if isinstance(calls, list) else []
            open_calls = {str(call.get("id")) for call in listed if isinstance(call, dict)}


def _broken_by_tools(example: Mapping[str, Any]) -> Iterator[str]:
    if "tools" in example:
        tools = example["tools"]
        if not _is_list(tools) or not all(map(_is_tool, tools)):
            yield "bad_tools"
    if "functions" in example:
        functions = example["functions"]
        if not _is_list(functions) or not functions or not all(map(_is_function, functions)):
            yield "bad_tools"
    if "parallel_tool_calls" in example and not isinstance(example["parallel_tool_calls"], bool):
        yield "bad_tools"


def _is_tool(tool: Any) -> bool:
    return (
        isinstance(tool, dict)
        and set(tool) == {"type", "function"}
        and tool["type"] == "function"
        and _is_function(tool["function"])
    )


def _is_function(function: Any) -> bool:
    return (
        isinstance(function, dict)
        and not set(function) - {"name", "description", "parameters", "strict"}
        and _is_name(function.get("name"))
        and isinstance(function.get("description", ""), str)
        and isinstance(function.get("parameters", {}), dict)
        and isinstance(function.get("strict"), bool | None)
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
