"""The reference pages are what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["configuration.md", "commands.md"])
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    written = (DOCS / "reference" / page).read_text("utf-8")
    assert written == generator().PAGES[page](), "run: python docs/generate.py"


def test_every_key_says_what_it_means() -> None:
    rows = [line for line in generator().configuration_page().splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if row.split("|")[4].strip() == ""] == []


def test_every_command_shows_an_example() -> None:
    helps = generator().command_page().split("\n## ")[1:]
    groups = [text for text in helps if "\nCommands:\n" in text]
    named = {text.splitlines()[0].strip("`") for text in groups}
    groups_of_commands = ("sources", "quarantine", "releases", "generations", "eval", "models")
    assert named == {"rag-assets"} | {f"rag-assets {name}" for name in groups_of_commands}
    assert [text.splitlines()[0] for text in helps if text not in groups and "Example: rag-assets " not in text] == []
