"""The shipped configuration and the example documents."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rag_assets.config import ExampleSetSettings, FilesSource, Settings
from rag_assets.config_file import load_settings, parse_settings
from rag_assets.documents.parsing import SUPPORTED_SUFFIXES, parse

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "rag_assets.yaml"
DOCUMENTS = sorted(
    file
    for folder in ("handbook", "reference", "playbooks")
    for file in (ROOT / "examples" / folder).rglob("*")
    if file.is_file()
)


SECTIONS = [name for name, field in Settings.model_fields.items() if hasattr(field.annotation, "model_fields")]
OWN: dict[str, Any] = {"sources": {}, "examples": {}}
"""What the shipped configuration says of itself, taken back."""


def without_own(settings: Settings) -> Settings:
    evaluation = settings.evaluation.model_copy(update={"questions": (), "minima": {}})
    return settings.model_copy(update=OWN | {"evaluation": evaluation}).rooted(Path())


def test_the_shipped_configuration_changes_nothing_but_the_sources_and_what_is_asked_and_learnt_of_them():
    settings = load_settings(CONFIG, {})
    assert list(settings.sources) == ["handbook", "reference", "playbooks"]
    assert settings.evaluation.questions and settings.evaluation.minima
    assert {one.kind for one in settings.examples.values()} == {"golden", "questions", "posts", "chat", "ratings"}
    assert without_own(settings) == Settings()


def test_what_is_shown_in_comments_is_every_setting_with_its_default():
    text = re.sub(r"^#(?=(?: {2}| {4})?[a-z_]+:)", "", CONFIG.read_text("utf-8"), flags=re.MULTILINE)
    text = text.replace("\nprompts_dir: null\n", "\n")
    shown = parse_settings(text, CONFIG)
    assert without_own(shown) == Settings()
    for section in SECTIONS:
        part = getattr(shown, section)
        assert part.model_fields_set == set(type(part).model_fields), section
    for part in (shown.models.embedding, shown.models.chat):
        assert part.model_fields_set == set(type(part).model_fields)


def test_what_is_shown_of_a_source_is_every_key_with_its_default():
    text = re.sub(r"^    # (?=[a-z_]+: )", "    ", CONFIG.read_text("utf-8"), flags=re.MULTILINE)
    shown = parse_settings(text, CONFIG).source("playbooks")
    assert shown.model_fields_set | {"connector"} == set(FilesSource.model_fields)
    plain = FilesSource(path=shown.path, include=shown.include, language="en")
    assert shown == plain


def test_what_is_shown_of_a_set_of_examples_is_every_key_with_its_default():
    text = re.sub(r"^    # (?=[a-z_]+: )", "    ", CONFIG.read_text("utf-8"), flags=re.MULTILINE)
    shown = parse_settings(text, CONFIG).example_set("faq")
    assert shown.model_fields_set == set(ExampleSetSettings.model_fields)
    assert shown == ExampleSetSettings(files=shown.files)


def test_every_document_belongs_to_one_source_and_every_type_is_there():
    assert len(DOCUMENTS) >= 25
    assert {file.suffix for file in DOCUMENTS} == set(SUPPORTED_SUFFIXES) - {".markdown", ".htm", ".text"}
    settings = load_settings(CONFIG, {})
    for source in settings.sources.values():
        folder = settings.resolve(source.path)
        listed = [file for file in DOCUMENTS if file.is_relative_to(folder)]
        assert listed
        assert {f"**/*{file.suffix}" for file in listed} == set(source.include)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_a_document_is_read_whole(file: Path):
    document = parse(file.read_bytes(), file.name)
    text = "\n".join(document.text[block.start : block.end] for block in document.blocks)
    assert 350 <= len(text.split()) <= 900
    assert document.language == "en"
    assert document.title
    if file.suffix != ".txt":
        assert len([block for block in document.blocks if block.kind == "heading"]) >= 4
        assert document.published_at is not None and document.published_at.year == 2026
    for page_furniture in ("Was this page helpful", "Back to the top", "reportlab", "import {"):
        assert page_furniture not in text


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    pytest.importorskip("reportlab", reason="reportlab is not installed (the dev dependency group)")
    spec = importlib.util.spec_from_file_location("build_documents", ROOT / "examples" / "build_documents.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_built_documents_are_those_of_their_sources(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "again").mkdir()
    built = builder.build_all(tmp_path)
    again = builder.build_all(tmp_path / "again")
    assert [file.read_bytes() for file in built] == [file.read_bytes() for file in again]
    assert {file.suffix for file in built} == {".pdf", ".docx"}
    for file in built:
        # Another version of a library may write other bytes; what is read from them must be the same.
        committed = parse((ROOT / "examples" / "playbooks" / file.name).read_bytes(), file.name)
        assert parse(file.read_bytes(), file.name).text == committed.text
