"""`rag-assets estimate`, called as a function."""

from __future__ import annotations

import json

import pytest
import typer

from rag_assets.cli.estimate import estimate, money
from rag_assets.errors import ConfigurationError
from rag_assets_tests.conftest import SmallProject

SOURCE = {
    "documents", "chunks", "texts_to_embed", "tokens_to_embed", "requests", "cost_usd", "tokens", "budget_tokens",
    "opened", "sampled_documents", "due_documents", "limits",
}  # fmt: skip


@pytest.fixture
def kitchen(small_project: SmallProject) -> SmallProject:
    small_project.configure(kitchen="", pantry="")
    small_project.write("kitchen/fork.md", "# Fork\n\nThe fork is in drawer 1.\n")
    small_project.write("pantry/salt.md", "# Salt\n\nThe salt is in jar 2.\n")
    return small_project


def test_json_has_every_figure(kitchen: SmallProject, capsys: pytest.CaptureFixture[str]) -> None:
    (kitchen.root / "golden.jsonl").write_text('{"id": "q", "question": "Where is the fork?", "answers": ["drawer 1"]}')
    kitchen.configure("evaluation: {questions: [golden.jsonl]}", kitchen="", pantry="")
    estimate(as_json=True, sample=None)
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err == ""
    assert set(found["sources"]) == {"kitchen", "pantry"}
    for one in found["sources"].values():
        assert one.keys() == SOURCE
    assert set(found["total"]) == SOURCE - {"budget_tokens"}
    assert found["total"]["texts_to_embed"] == 2
    assert found["cost_usd"] == 0.0
    assert found["generation"]["new"] is True
    assert found["evaluation"]["questions"] in (0, 1)  # by the split of the question


def test_text_names_what_would_be_done_and_what_stands_in_the_way(
    kitchen: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    (kitchen.root / "pantry/salt.md").unlink()
    (kitchen.root / "pantry").rmdir()
    with pytest.raises(typer.Exit) as stopped:
        estimate(changes=["sources.kitchen.token_budget=5"])
    assert stopped.value.exit_code == 3
    printed = capsys.readouterr()
    assert "kitchen: documents 1 to add, 0 to change, 0 to remove, 0 unchanged; chunks 1 to add" in printed.out
    assert "pantry: cannot be listed; what it has stays" in printed.out
    assert "limit: kitchen: " in printed.out and "exceed the token_budget of 5" in printed.out
    assert printed.err.startswith("error: pantry: The folder ")
    with pytest.raises(typer.Exit) as stopped:
        estimate(source=["pantry"])
    assert stopped.value.exit_code == 1


def test_mistakes_are_named(small_project: SmallProject) -> None:
    with pytest.raises(ConfigurationError, match="No source is configured"):
        estimate()
    with pytest.raises(ConfigurationError, match="--sample and --exact were both given"):
        estimate(sample=40, exact=True)


def test_an_unknown_price_is_no_number() -> None:
    assert money(None) == "unknown: models.prices has no price for it"
    assert [money(cost) for cost in (0.0, 0.00123, 1234.5)] == ["0.00 USD", "0.0012 USD", "1,234.50 USD"]
