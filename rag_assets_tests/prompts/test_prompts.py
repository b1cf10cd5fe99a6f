"""Templates are read whole or refused with the file's name; a wrong one is never used."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_assets.errors import ConfigurationError
from rag_assets.prompts import REFUSAL_FILE, USER_FILE, load_prompts


@pytest.mark.parametrize(
    ("name", "content", "said", "fix"),
    [
        (REFUSAL_FILE, "Désolé".encode("latin-1"), "is not UTF-8 text", "Save it as UTF-8"),
        (REFUSAL_FILE, b" \n", "is empty", "remove the file"),
        (USER_FILE, b"\n", "is empty", "remove the file"),
        (USER_FILE, b"{{question}}", "lacks the placeholder {{passages}}", "Add it"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: bytes, said: str, fix: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_prompts(tmp_path)
    assert caught.value.problem == f"The prompt template {tmp_path / name} {said}."
    assert fix in caught.value.fix


def test_a_template_replaces_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / REFUSAL_FILE).write_text("Désolé, aucune réponse.\n", "utf-8")
    replaced, shipped = load_prompts(tmp_path), load_prompts()
    assert replaced.refusal == "Désolé, aucune réponse."
    assert (replaced.system, replaced.user) == (shipped.system, shipped.user)
    assert replaced.fingerprint != shipped.fingerprint
