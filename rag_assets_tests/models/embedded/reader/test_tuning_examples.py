"""The lines of a training file become examples, or say why they cannot."""

from __future__ import annotations

import pytest

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.chat import REFUSAL
from rag_assets.models.embedded.prompt_format import PromptPassage, render_passages, render_question
from rag_assets.models.embedded.reader.tuning import example_from_messages

TEXT = "The tower is\n90 metres high. Its door [3] is red.\n\n```\ntower --open\ntower --shut\n```"
PASSAGES = [PromptPassage(1, "Tower", TEXT, 0.5), PromptPassage(2, "Bridge", "The bridge is 80 metres long.", 0.4)]


def messages(
    answer: str,
    passages: list[PromptPassage] = PASSAGES,
    question: str = "How high?",
    system: str = "Say: I do not know that.",
) -> list[dict[str, str]]:
    asked = f"{render_passages(passages)}\n\n{render_question(question)}"
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": answer},
    ]


@pytest.mark.parametrize(
    ("answer", "quotes"),
    [
        ("The tower is 90 metres high. [1]", [(1, "The tower is 90 metres high.")]),
        ("the TOWER is 90 metres high [1].", [(1, "the TOWER is 90 metres high")]),
        (
            "The tower is 90 metres high. [1]\nThe bridge is 80 metres long. [2]",
            [(1, "The tower is 90 metres high."), (2, "The bridge is 80 metres long.")],
        ),
        ("Its door (3) is red. [1]", [(1, "Its door (3) is red.")]),
        ("tower --open\ntower --shut [1]", [(1, "tower --open\ntower --shut")]),
        ("It is tall, I think. [1] The bridge is 80 metres long. [2]", [(2, "The bridge is 80 metres long.")]),
        ("The bridge is 80 metres long. [1][2]", [(2, "The bridge is 80 metres long.")]),
    ],
)
def test_quotes_are_found_in_the_passages_they_cite(answer, quotes):
    example = example_from_messages(messages(answer))
    assert list(example.quotes) == quotes and not example.refusal
    assert example.question == "How high?" and example.passages[0].text == TEXT and example.passages[1].score == 0.4


@pytest.mark.parametrize("answer", [REFUSAL, f" {REFUSAL.upper()}\n", "I do not know that."])
def test_a_refusal_is_the_readers_own_or_the_one_that_a_system_message_prescribes(answer):
    assert example_from_messages(messages(answer)).refusal


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (messages("It is 90 metres high."), "cites no passage"),
        (messages("It is rather high. [1]"), "word for word"),
        (messages("The bridge is 80 metres long. [7]"), "word for word"),
        (messages("[1]"), "cites no passage"),
        (messages(""), "cites no passage"),
        (messages("x [1]", passages=[]), "no passage to quote"),
        (messages("x [1]", question=" "), "question is empty"),
        (messages("x [1]")[:2], "last message"),
        ([{"role": "assistant", "content": "x [1]"}], "no user message"),
        ([{"role": "user", "content": "How?"}, {"role": "assistant", "content": "x [1]"}], "<passages>"),
        ([{"role": "user", "content": [{"type": "image_url"}]}, {"role": "assistant", "content": "x"}], "not text"),
        ([], "last message"),
    ],
)
def test_what_cannot_be_learnt_from_says_why(lines, said):
    with pytest.raises(InvalidRequestError, match=said):
        example_from_messages(lines)


def test_equal_examples_have_equal_keys_and_others_do_not():
    keys = [example_from_messages(messages(answer)).key for answer in ("Its door [1]", "Its door [1]", "tower [1]")]
    assert keys[0] == keys[1] != keys[2]
