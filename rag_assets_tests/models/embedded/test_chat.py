from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from rag_assets.models.embedded.chat import MODEL, REFUSAL
from rag_assets.models.embedded.prompt_format import PromptPassage, render_passages, render_question
from rag_assets.models.embedded.provider import EmbeddedProvider
from rag_assets.models.embedded.tokenizer import get_tokenizer
from rag_assets.prompts import load_prompts

BRIDGE = (
    "The Alder bridge was opened in 1931 after four years of work. It crosses the river Lune at its narrowest place. "
    "About 40,000 vehicles use it each day [1], and its toll was abolished in 1987."
)
BAKERY = "The bakery sells rye bread on Mondays. Its owner learned the craft in Lyon."


def prompt(question: str) -> Any:
    passages = [PromptPassage(1, "Bakery", BAKERY), PromptPassage(2, "Bridges > Alder", BRIDGE)]
    return load_prompts().messages(passages=render_passages(passages), question=render_question(question))


def ask(client: openai.OpenAI, question: str, **settings: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=prompt(question), **settings)


def test_the_answer_quotes_the_sentence_and_marks_its_passage(client):
    answer = ask(client, "When was the Alder bridge opened?", temperature=0)
    message = answer.choices[0].message
    assert "opened in 1931" in message.content
    assert message.content.splitlines()[0].endswith(" [2]")
    assert (answer.model, answer.object, answer.choices[0].finish_reason) == (MODEL, "chat.completion", "stop")
    extras = message.model_extra["rag_assets"]
    assert extras["answerable"] is True
    assert 0 <= extras["confidence"] <= 1
    assert 1 <= len(extras["quotes"]) <= 5
    passages = {1: BAKERY, 2: BRIDGE}
    for quote in extras["quotes"]:
        assert passages[quote["n"]][quote["start"] : quote["end"]] == quote["text"]


def test_the_same_question_gets_the_same_answer(client):
    answers = {ask(client, "When was the toll abolished?").choices[0].message.content for _ in range(3)}
    assert len(answers) == 1


def test_what_looks_like_a_citation_in_a_document_is_not_one_in_the_answer(client):
    message = ask(client, "How many vehicles use the Alder bridge each day?").choices[0].message
    assert "40,000 vehicles use it each day (1)" in message.content
    assert "[1]" not in message.content
    assert "each day [1]" in message.model_extra["rag_assets"]["quotes"][0]["text"]


def test_usage_counts_the_word_pieces_of_all_messages_and_of_the_answer(client):
    answer = ask(client, "When was the Alder bridge opened?")
    count = get_tokenizer().count
    messages = prompt("When was the Alder bridge opened?")
    assert answer.usage.prompt_tokens == sum(count(message["content"]) for message in messages)
    assert answer.usage.completion_tokens == count(answer.choices[0].message.content)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_question_that_the_passages_do_not_answer_is_refused(client):
    message = ask(client, "Which enzyme unwinds the double helix of DNA?").choices[0].message
    assert message.content == REFUSAL == load_prompts().refusal
    extras = message.model_extra["rag_assets"]
    assert (extras["answerable"], extras["quotes"]) == (False, [])


def test_no_passages_at_all_is_a_refusal_too(client):
    messages = [{"role": "user", "content": f"{render_passages([])}{render_question('When?')}"}]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert answer.choices[0].message.content == REFUSAL


def test_a_streamed_answer_is_the_whole_answer_in_pieces(client):
    question = "When was the Alder bridge opened?"
    whole = ask(client, question)
    chunks = list(ask(client, question, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0] for chunk in chunks[:-1]]
    assert "".join(delta.delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert deltas[0].delta.role == "assistant"
    assert [delta.finish_reason for delta in deltas] == [None] * (len(deltas) - 1) + ["stop"]
    assert deltas[-1].delta.model_extra["rag_assets"] == whole.choices[0].message.model_extra["rag_assets"]
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_has_no_usage_unless_asked_for_and_may_be_left_early(client):
    chunks = list(ask(client, "When was the Alder bridge opened?", stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    with ask(client, "When was the Alder bridge opened?", stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.role == "assistant"


def test_events_are_made_as_they_are_asked_for():
    body = json.dumps({"model": MODEL, "messages": prompt("When was the Alder bridge opened?"), "stream": True})
    reply = EmbeddedProvider().handle("POST", "/v1/chat/completions", {}, body.encode())
    assert not isinstance(reply.body, bytes)
    assert next(reply.body).startswith(b'data: {"id":')
    assert list(reply.body)[-1] == b"data: [DONE]\n\n"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_tokens_leaves_whole_quotes_out_and_says_so(client, limit):
    question = "When was the Alder bridge opened?"
    tokens = get_tokenizer().count(ask(client, question).choices[0].message.content.splitlines()[0])
    fits = ask(client, question, **{limit: tokens})
    assert fits.usage.completion_tokens == tokens
    cut = ask(client, question, **{limit: tokens - 1}).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("", "length")


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}}, "response_format"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"stop": ["."]}, "stop"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream": True, "stream_options": [1]}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": "text"}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": "What is a release?"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages"),
        ({"model": "all-MiniLM-L6-v2"}, "model"),
        ({"model": None}, "model"),
    ],
)
def test_what_the_reader_cannot_do_is_an_error_that_names_the_parameter(settings, param):
    request = {"model": MODEL, "messages": prompt("When?")} | settings
    reply = EmbeddedProvider().handle("POST", "/v1/chat/completions", {}, json.dumps(request).encode())
    assert isinstance(reply.body, bytes)
    assert (reply.status, json.loads(reply.body)["error"]["param"]) == (400, param)


def test_settings_without_effect_are_accepted(client):
    ask(client, "When?", temperature=0.7, top_p=0.5, seed=1, n=1, response_format={"type": "text"}, user="u")


def test_content_in_parts_of_text_is_read_like_one_text(client):
    system, user = prompt("When was the Alder bridge opened?")
    half = len(user["content"]) // 2
    parts = [{"type": "text", "text": text} for text in (user["content"][:half], user["content"][half:])]
    messages = [system, {"role": "user", "content": parts}]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert "1931" in answer.choices[0].message.content


def test_the_log_has_the_hashes_of_the_messages(client, log):
    ask(client, "When was the Alder bridge opened?")
    assert [(entry.path, entry.model, entry.inputs) for entry in log] == [("/v1/chat/completions", MODEL, 2)]
