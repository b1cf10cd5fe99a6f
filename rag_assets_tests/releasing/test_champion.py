"""The champion is carried forward, and a model that is gone never keeps anybody from an answer."""

from __future__ import annotations

import pytest

from rag_assets.assets.comparison_metadata import of_models
from rag_assets.assets.release_state import release_state
from rag_assets.cli.doctor_models import look_at_models
from rag_assets.config import ChatSettings, ModelSettings
from rag_assets.errors import InvalidRequestError
from rag_assets.evaluation.evaluate import evaluate
from rag_assets.ledger import TunedModel
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent
from rag_assets.releasing.champion import check_presence, fits
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.openai_server import Fault, OpenAIServer, openai_server
from rag_assets_tests.tuning.arena import questions
from rag_assets_tests.tuning.champions import BASE, released, serve, tuned

__all__ = ["openai_server"]

ONE = "ft:test-chat:us::one"
QUESTION = "What is the colour of machine 3?"


def carried(project: Project) -> str:
    """The chat model of what a release would be made of now."""
    return project.content(project.snapshot(project.release().snapshot_id)).chat.model


def asked_for(server: OpenAIServer) -> list[str]:
    return [one.body["model"] for one in server.requests if one.path.endswith("/chat/completions")]


def test_the_champion_is_carried_forward(small_project: SmallProject, openai_server: OpenAIServer):
    released(small_project, openai_server)
    openai_server.models.add(ONE)
    with small_project.open() as project:
        tuned(project.ledger, ONE)
        assert carried(project) == BASE  # a challenger serves nobody
        before = release_state(project).name
        serve(project, ONE)
        assert carried(project) == ONE
        assert release_state(project).name == before  # which a run released; a person who goes back is not undone
        assert project.ask(QUESTION).model == ONE
        openai_server.script(Fault(status=503))
        assert carried(project) == ONE  # a provider that is down says nothing against its model
    small_project.configure(
        small_project.config_file.read_text("utf-8").split("sources:")[0].replace("model: test-chat", "model: other"),
        docs="",
    )
    with small_project.open() as project:
        assert carried(project) == "other"  # which the configuration says now


def test_the_base_answers_for_a_model_that_is_gone(
    small_project: SmallProject, openai_server: OpenAIServer, caplog: pytest.LogCaptureFixture
):
    released(small_project, openai_server)
    openai_server.models.add(ONE)
    with small_project.open() as project:
        tuned(project.ledger, ONE)
        before = release_state(project).name
        serve(project, ONE)
        openai_server.models.remove(ONE)
        answer = project.ask(QUESTION)
        assert (answer.model, answer.answerable) == (BASE, True)
        assert f"{BASE} answers" in caplog.text
        missing = project.ledger.tuned_model(ONE)
        assert missing is not None and missing.missing_since is not None
        assert asked_for(openai_server) == [ONE, BASE]
        assert project.ask(QUESTION).model == BASE
        assert asked_for(openai_server) == [ONE, BASE, BASE]  # and not in vain again
        assert carried(project) == BASE
        assert release_state(project).name != before  # so that the base is released
        openai_server.models.add(ONE)
        assert carried(project) == ONE
        assert project.ask(QUESTION).model == ONE


def test_a_model_that_is_gone_is_found_before_it_serves(small_project: SmallProject, openai_server: OpenAIServer):
    released(small_project, openai_server)
    with small_project.open() as project:
        tuned(project.ledger, ONE)
        serve(project, ONE)
        assert carried(project) == BASE
        assert project.ledger.model_statuses() == {ONE: "retired"}
        assert check_presence(project.ledger, project.settings.models, "ft:unknown") is None
        assert asked_for(openai_server) == []


@pytest.mark.slow
def test_an_evaluation_measures_the_model_and_not_what_stands_in_for_it(
    small_project: SmallProject, openai_server: OpenAIServer
):
    released(small_project, openai_server)
    with small_project.open() as project:
        tuned(project.ledger, ONE)
        serve(project, ONE)
        project.ledger.mark_model_missing(ONE)
        content = ReleaseContent.of(project.release(), project.ledger)
        with pytest.raises(InvalidRequestError, match="does not exist"):
            evaluate(project, content, questions())
        assert 1 <= len(asked_for(openai_server)) <= 4  # and does not ask eight times for what is not there


@pytest.mark.parametrize(
    ("provider", "base", "configured", "expected"),
    [
        ("openai", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini", True),
        ("openai", "ft:gpt-4.1-mini-2025-04-14:us::x1", "gpt-4.1-mini", True),
        ("openai", "gpt-4.1-mini", "gpt-4.1", False),
        ("other", "gpt-4.1-mini", "gpt-4.1-mini", False),
    ],
)
def test_a_model_fits_where_it_was_tuned_from_what_is_configured(
    provider: str, base: str, configured: str, expected: bool
):
    model = TunedModel(
        "ft:x",
        "i",
        provider,
        base,
        "j",
        "f",
        1,
        1,
        {},
        {},
        None,
        None,
        created_at=None,  # type: ignore[arg-type]
    )
    assert fits(model, ModelSettings(chat=ChatSettings(provider="openai", model=configured))) is expected


def test_the_doctor_finds_a_champion_that_is_gone(small_project: SmallProject, openai_server: OpenAIServer):
    released(small_project, openai_server)
    openai_server.models.add(ONE)
    with small_project.open() as project:
        tuned(project.ledger, ONE)
        serve(project, ONE)
        (found,) = look_at_models(project.settings)
        assert (found.ok, found.detail) == (True, f"{ONE} serves")
        openai_server.models.remove(ONE)
        (found,) = look_at_models(project.settings)
        assert not found.ok and found.detail.endswith(f": {BASE} answers")
        assert of_models(project, project.release())["models_missing"].startswith(f"{ONE} since ")
