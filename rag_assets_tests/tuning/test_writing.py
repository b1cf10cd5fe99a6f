from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from rag_assets import schemas
from rag_assets.errors import ConfigurationError, QueryError
from rag_assets.ledger.columns import utc_now
from rag_assets.models.embedded.prompt_format import parse_prompt
from rag_assets.project import Project
from rag_assets.tuning.writing import write
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.gateway import use_gateway
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.openai_server import PICTURE, OpenAIServer, openai_server

__all__ = ["openai_server"]

POST = "# The long wait\n\nForty seconds is what the gateway gives you."
STYLE = """
examples:
  notes:
    kind: posts
    files: ["posts/*.md"]
    style: field-notes
"""


@pytest.fixture
def writer(small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    use_gateway(small_project, openai_server, monkeypatch)
    with small_project.config_file.open("a", encoding="utf-8") as file:
        file.write(STYLE)
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def _post(body: dict[str, Any]) -> str:
    passage = next(one for one in parse_prompt(body["messages"][-1]["content"]).passages if "forty seconds" in one.text)
    return f"Patience\n\nThe gateway waits forty seconds [{passage.n}]. It invents the rest [9]."


def test_writes_with_the_citations_that_hold(writer: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.reply = _post
    with writer.open() as project:
        done = write(project, "How long the gateway waits", words=500)
        calls = project.ledger.usage(answer_id=done.answer_id)
    assert done.text.startswith("Patience")
    assert [citation.quote for citation in done.citations] == ["The gateway waits forty seconds"]
    assert "[9]" not in done.text
    assert (done.grounded, done.only_quotes, done.model) == (True, False, "gpt-4o-mini")
    assert {call.asset for call in calls} == {"write"}
    request = openai_server.requests[-1].body
    assert request["max_completion_tokens"] == 1_000
    assert "at most 500 words" in request["messages"][-1]["content"]


def test_a_text_of_which_nothing_is_in_the_documents_is_marked(
    writer: SmallProject, openai_server: OpenAIServer
) -> None:
    openai_server.reply = lambda body: "Whales sing in the deep [1]."
    with writer.open() as project:
        done = write(project, "the gateway")
    assert (done.grounded, done.citations) == (False, ())


@pytest.mark.slow
def test_nothing_in_the_documents_is_no_text(writer: SmallProject, openai_server: OpenAIServer) -> None:
    with writer.open() as project:
        openai_server.reply = lambda body: project.prompts.refusal
        with pytest.raises(QueryError, match="say nothing about 'whales'"):
            write(project, "whales")


@pytest.mark.slow
def test_an_unknown_style_is_refused_before_anything_is_asked(
    writer: SmallProject, openai_server: OpenAIServer
) -> None:
    asked = len(openai_server.requests)
    with writer.open() as project, pytest.raises(ConfigurationError, match="styles: field-notes"):
        write(project, "the gateway", style="haiku")
    assert len(openai_server.requests) == asked


def test_shows_the_model_texts_of_the_style(writer: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.reply = _post
    with writer.open() as project:
        with pytest.raises(ConfigurationError, match="not collected yet"):
            write(project, "the gateway", style="field-notes")
        project.store.training_examples("notes").apply(_rows(), [])
        write(project, "How long the gateway waits", style="field-notes")
    system, asked, shown, _ = openai_server.requests[-1].body["messages"]
    assert 'Write in the style "field-notes".' in system["content"]
    assert (asked["content"], shown["content"]) == ("Write about: The long wait", POST)


def test_draws_a_picture_and_records_what_it_cost(writer: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.reply = _post
    with writer.config_file.open("r+", encoding="utf-8") as file:
        text = file.read().replace("models:\n", "models:\n  image: {provider: gateway}\n", 1)
        file.seek(0)
        file.write(text)
    with writer.open() as project:
        done = write(project, "How long the gateway waits", picture=writer.root / "cover.png")
        (drawn,) = [one for one in project.ledger.usage(answer_id=done.answer_id) if one.operation == "image"]
    assert (writer.root / "cover.png").read_bytes() == PICTURE
    assert (drawn.input_tokens, drawn.output_tokens) == (12, 272)
    assert "Patience" in openai_server.requests[-1].body["prompt"]


def test_a_picture_that_cannot_be_written_costs_nothing(writer: SmallProject, openai_server: OpenAIServer) -> None:
    asked = len(openai_server.requests)
    with writer.open() as project:
        with pytest.raises(ConfigurationError, match="cannot be written"):
            write(project, "the gateway", picture=writer.root / "nowhere" / "cover.png")
        with pytest.raises(ConfigurationError, match="cannot draw"):
            write(_drawing_embedded(project), "the gateway", picture=writer.root / "cover.png")
    assert len(openai_server.requests) == asked


def test_the_embedded_reader_quotes_and_says_so(small_project: SmallProject) -> None:
    small_project.configure(wiki="")
    small_project.write("wiki/bread.md", "# Bread\n\nRye bread needs a sourdough starter that is fed twice a day.\n")
    assert all(run.succeeded for run in ingest(small_project).runs)
    with small_project.open() as project:
        done = write(project, "What rye bread needs")
        with pytest.raises(ConfigurationError, match="cannot draw"):
            write(_drawing_embedded(project), "What rye bread needs", picture=small_project.root / "cover.png")
    assert (done.only_quotes, done.grounded) == (True, True)
    assert "sourdough starter" in done.text


def _rows() -> pa.Table:
    empty: dict[str, Any] = {"accepted": [], "quotes": [], "expected": [], "style": "field-notes"}
    row = dict.fromkeys(schemas.TRAINING_EXAMPLES.names, "") | empty
    row |= {"prompt": "The long wait", "answer": POST, "answerable": True, "closed_book": False, "loaded_at": utc_now()}
    return pa.Table.from_pylist([row | {"example_id": "a"}], schema=schemas.TRAINING_EXAMPLES)


def _drawing_embedded(project: Project) -> Project:
    image = project.settings.models.image.model_copy(update={"provider": "embedded"})
    models = project.settings.models.model_copy(update={"image": image})
    return replace(project, settings=project.settings.model_copy(update={"models": models}))
