"""`rag-assets models`, as a person uses it: look, promote, go back, retire."""

from __future__ import annotations

import pytest

from rag_assets_tests.cli.command import Ran, rag_assets
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.openai_server import OpenAIServer, openai_server
from rag_assets_tests.tuning.arena import ONE, TWO, arena, model
from rag_assets_tests.tuning.champions import BASE

__all__ = ["openai_server"]


@pytest.mark.slow
def test_a_person_looks_promotes_goes_back_and_retires(small_project: SmallProject, openai_server: OpenAIServer):
    from rag_assets.tuning.registry import decide_model

    arena(small_project, openai_server)

    def models(*arguments: str) -> Ran:
        return rag_assets(small_project.root, "models", *arguments)

    listed = models("list", "--json").json
    assert [(row["model_id"], row["status"], row["decision"]) for row in listed] == [
        (TWO, "challenger", None),
        (ONE, "challenger", None),
    ]
    refused = models("promote", ONE)
    assert (refused.code, refused.out) == (1, "")
    assert refused.error.startswith(f"{ONE} was not compared with {BASE}, which answers now.")
    assert "needs a reason" in models("promote", ONE, "--force").error
    assert "No model 'None' came out of a tuning job" in models("show", "None").error
    forced = models("promote", ONE, "--force", "--reason", "it is urgent", "--json")
    assert forced.code == 0
    assert forced.json["status"] == "champion"
    same = models("promote", ONE)
    assert (same.code, same.out) == (0, f"{ONE} is the champion already\n")
    assert forced.json["decided"]["forced"] and forced.json["decided"]["reason"] == "it is urgent"
    assert models("list").out.splitlines()[1].startswith(f"* {ONE}  champion (promoted)  from {BASE}")
    assert "what serves is not retired" in models("retire", ONE).error
    back = models("rollback", "--reason", "it is rude", "--json").json
    assert (back["model"], back["left"]) == (BASE, ONE)
    with small_project.open() as project:
        decide_model(project, model(project, TWO), by="run 1")
    shown = models("show", TWO)
    assert f"compared with {BASE}" in shown.out and "rejected by run 1" in shown.out
    details = models("show", TWO, "--json").json
    assert [one["decision"] for one in details["decisions"]] == ["rejected"]
    assert details["comparisons"][0]["primary"]["difference"] == 0.0
    openai_server.models.remove(ONE)
    to = next(
        release
        for release in rag_assets(small_project.root, "releases", "list", "--json").json
        if release["chat_model"] == ONE
    )
    again = rag_assets(small_project.root, "releases", "rollback", "--to", to["release"])
    assert again.out.splitlines()[1] == f"  its model {ONE} is gone: {BASE} answers"
    asked = rag_assets(small_project.root, "ask", "What is the colour of machine 1?")
    assert f"note: {ONE}, the model of release {to['release']}, is gone; {BASE} answered." in asked.err
    gone = models("retire", TWO, "--delete", "--json").json
    assert (gone["status"], gone["deleted"], TWO in openai_server.models) == ("retired", True, False)
