"""The format gate: every rule of OpenAI's chat format, by its name and with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates import BUDGET, FORMAT, TOKENS, judge_training_file
from rag_assets.tuning.gates.file_format import judge_format
from rag_assets.tuning.gates.reading import read_contents
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.tuning.files import Lines, clean_examples, example, write_clean, write_file

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "How hot is the oven?"}
ANSWER = {"role": "assistant", "content": "250 degrees."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"what": "oven"}'}}
ASKS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOLD = {"role": "tool", "tool_call_id": "call_1", "content": "250"}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Looks it up.", "parameters": {}}}


def chat(*messages: Any, **keys: Any) -> dict[str, Any]:
    return {"messages": list(messages), **keys}


def judged(folder: Path, train: Lines, validation: Lines) -> GateVerdict:
    return judge_format(read_contents(write_file(folder, train, validation)), "this file")


BROKEN: list[tuple[str, Any]] = [
    ("not_utf8", b'{"messages": "\xff"}'),
    ("byte_order_mark", b"\xef\xbb\xbf{}"),
    ("blank_line", "  "),
    ("not_json", "{'messages': []}"),
    ("not_json", '{"messages": [], "messages": []}'),
    ("not_json", '{"messages": NaN}'),
    ("not_json", "[" * 200_000),
    ("data_type", "[1]"),
    ("example_unrecognized_key", chat(USER, ANSWER, prompt="x")),
    ("unwritable_character", chat({"role": "user", "content": "half a pair: \ud800"}, ANSWER)),
    ("missing_messages_list", {"prompt": "x", "completion": "y"}),
    ("missing_messages_list", {"messages": []}),
    ("missing_messages_list", {"messages": {"role": "user"}}),
    ("message_data_type", chat("How hot?", ANSWER)),
    ("message_missing_key", chat({"content": "How hot?"}, ANSWER)),
    ("message_missing_key", chat({"role": "user"}, ANSWER)),
    ("message_unrecognized_key", chat({**USER, "temperature": 1}, ANSWER)),
    ("message_unrecognized_key", chat({**USER, "weight": 0}, ANSWER)),
    ("unrecognized_role", chat({"role": "developer", "content": "Be brief."}, USER, ANSWER)),
    ("unrecognized_role", chat({"role": ["user"], "content": "How hot?"}, ANSWER)),
    ("missing_content", chat({"role": "user", "content": None}, ANSWER)),
    ("missing_content", chat({"role": "user", "content": 7}, ANSWER)),
    ("missing_content", chat(USER, {"role": "assistant", "content": None})),
    ("missing_content", chat({"role": "user", "content": [{"type": "text"}]}, ANSWER)),
    ("unsupported_content", chat({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, ANSWER)),
    ("empty_content", chat({"role": "user", "content": " \n"}, ANSWER)),
    ("empty_content", chat(USER, {"role": "assistant", "content": ""})),
    ("example_missing_assistant_message", chat(SYSTEM, USER)),
    ("last_message_not_assistant", chat(ANSWER, USER)),
    ("nothing_to_train_on", chat(USER, {**ANSWER, "weight": 0})),
    ("bad_weight", chat(USER, {**ANSWER, "weight": 0.5}, USER, ANSWER)),
    ("bad_weight", chat(USER, {**ANSWER, "weight": True})),
    ("bad_name", chat({**USER, "name": "Ann Lee"}, ANSWER)),
    ("bad_tool_call", chat(USER, {**ASKS, "tool_calls": [{**CALL, "type": "tool"}]}, TOLD, ANSWER)),
    ("bad_tool_call", chat(USER, {**ANSWER, "function_call": {"name": "look_up", "arguments": "{"}})),
    ("bad_tool_call", chat(USER, ASKS, {"role": "tool", "content": "250"}, ANSWER)),
    ("tool_message_without_call", chat(USER, TOLD, ANSWER)),
    ("tool_message_without_call", chat(USER, ASKS, TOLD, TOLD, ANSWER)),
    ("tool_call_without_answer", chat(USER, ASKS, USER, ANSWER)),
    ("bad_tools", chat(USER, ANSWER, tools=[{"type": "function", "function": {"name": "look up"}}])),
    ("bad_tools", chat(USER, ANSWER, tools={})),
    ("bad_tools", chat(USER, ANSWER, functions=[])),
    ("bad_tools", chat(USER, ANSWER, parallel_tool_calls="yes")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "line"), BROKEN)
def test_every_rule_is_told_by_its_name_and_line(tmp_path: Path, kind: str, line: Any) -> None:
    train, validation = clean_examples()
    verdict = judged(tmp_path, [*train[:4], line, *train[4:]], [*validation[:1], line])
    assert not verdict.passed
    found = verdict.details["errors"][kind]
    assert found["count"] == 2
    assert [place.split(": ")[0] for place in found["places"]] == ["train.jsonl:5", "validation.jsonl:2"]
    assert "train.jsonl:5" in verdict.reason and kind in verdict.reason


SOUND = [
    chat(SYSTEM, USER, ANSWER),
    chat(USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}),
    chat({**USER, "name": "Ann-Lee_2"}, ANSWER),
    chat({"role": "user", "content": [{"type": "text", "text": "How hot?"}]}, ANSWER),
    chat(USER, ASKS, tools=[TOOL], parallel_tool_calls=False),
    chat(USER, {**ASKS, "content": ""}, TOLD, ANSWER, tools=[TOOL]),
    chat(USER, {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "b"}]},
         {**TOLD, "tool_call_id": "b"}, TOLD, ANSWER),
    chat(USER, {"role": "assistant", "content": None, "function_call": CALL["function"]},
         {"role": "function", "name": "look_up", "content": "250"}, ANSWER, functions=[TOOL["function"]]),
]  # fmt: skip


def test_what_the_format_allows_passes(tmp_path: Path) -> None:
    train, validation = clean_examples()
    verdict = judged(tmp_path, [*train, *SOUND], validation)
    assert verdict.passed, verdict.reason


def test_a_line_that_comes_twice_is_told_with_the_first(tmp_path: Path) -> None:
    train, validation = clean_examples()
    again = json.dumps(dict(reversed(train[2].items())), indent=None, separators=(", ", " : "))
    verdict = judged(tmp_path, [*train, again], validation)
    assert verdict.details["errors"]["duplicate_line"]["places"] == ["train.jsonl:17 equals train.jsonl:3"]


def test_openai_trains_on_no_fewer_than_ten(tmp_path: Path) -> None:
    train, validation = clean_examples()
    few = judged(tmp_path, train[:9], validation)
    enough = judged(tmp_path, train[:10], validation[:2])
    assert few.details["errors"]["too_few_examples"]["places"] == ["train.jsonl has 9 of at least 10"]
    assert enough.passed, "the validation file may be smaller"


def test_a_file_that_is_too_large_is_not_read(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("reading", "file_format"):
        monkeypatch.setattr(f"rag_assets.tuning.gates.{module}.MAX_FILE_BYTES", 400)
    with small_project.open() as project:
        verdicts = judge_training_file(project, write_clean(project))
    assert "file_too_large" in verdicts[0].details["errors"]
    assert not any(verdict.passed for verdict in verdicts if verdict.gate in (FORMAT, TOKENS, BUDGET))


def test_a_separator_inside_a_text_is_no_end_of_the_line(tmp_path: Path) -> None:
    train, validation = clean_examples()
    odd = example("What stands\u2028between the\x85lines of the menu?", "Nothing.")
    verdict = judged(tmp_path, [*train, odd], validation)
    assert verdict.passed and verdict.details["lines"] == 21
