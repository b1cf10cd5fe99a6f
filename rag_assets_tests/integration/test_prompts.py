"""A template of the project's own replaces the shipped one and is kept in the release word for word."""

from __future__ import annotations

from rag_assets.prompts import load_prompts
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest, serving

BREAD = "# Bread\n\nRye bread needs a sourdough starter that is fed twice a day.\n"
OWN = "Ask the baker."
QUESTION = "Who won the chess championship of 1972?"


def test_a_template_of_the_project_ends_up_in_the_release(small_project: SmallProject) -> None:
    small_project.configure("prompts_dir: prompts", kitchen="")
    small_project.write("kitchen/bread.md", BREAD)
    own = small_project.write("prompts/refusal.md", OWN + "\n")
    ingest(small_project)
    first, shipped = serving(small_project), load_prompts()
    with small_project.open() as project:
        assert project.release().prompts == {
            "system": shipped.system, "user": shipped.user, "refusal": OWN,
        }  # fmt: skip
        assert project.ask(QUESTION).answer == OWN
    own.write_text("Ask the miller.\n", "utf-8")
    with small_project.open() as project:
        assert project.ask(QUESTION).answer == OWN  # until the next release
    ingest(small_project)
    assert serving(small_project) != first
    with small_project.open() as project:
        assert project.ask(QUESTION).answer == "Ask the miller."
    own.write_text(OWN, "utf-8")
    ingest(small_project)
    assert serving(small_project) == first
