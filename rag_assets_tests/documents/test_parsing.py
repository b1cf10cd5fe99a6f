from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.documents.parsing import SUPPORTED_SUFFIXES, parse, parser_for
from rag_assets.errors import ParseError
from rag_assets_tests.corpora import corpus
from rag_assets_tests.documents.invariants import check, outline

ENGLISH = "The quick brown fox jumps over the lazy dog, and nobody knows what the dog thinks about it."
GERMAN = "Der schnelle braune Fuchs springt über den faulen Hund, und niemand weiß, was der Hund davon hält."
_PIECES = [
    *("# ", "## ", "- ", "1. ", "> ", "```", "~~~", "---", "===", "    ", "*", "!!! note", "{", "}", "import x", "+++"),
    *("<", "</", "<!--", "-->", "<p>", "<table><tr><td>", "<pre>", "<li>", "&lt;", "|", "---\ntitle: ", "\\"),
    *("::", ".. ", ".. note::", ".. raw:: html", ".. _", "`", ":ref:`", "[1]_", "|x|"),
    *("a", "word", "é", "😀", " ", "\n", "\n\n", "\r", "\x0c", "\t", "\u2028"),
]


@pytest.mark.parametrize("suffix", SUPPORTED_SUFFIXES)
@given(data=st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_bytes_give_a_document_or_a_parse_error(suffix: str, data: bytes) -> None:
    try:
        check(parse(data, f"some/file{suffix}"))
    except ParseError as error:
        assert error.problem.startswith(f"some/file{suffix} ")


@pytest.mark.parametrize("suffix", [".md", ".mdx", ".rst", ".txt", ".html"])
@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=40))
@settings(max_examples=80, deadline=None)
def test_any_markup_gives_a_sound_document(suffix: str, pieces: list[str]) -> None:
    check(parse("".join(pieces).encode(), f"file{suffix}"))


@pytest.mark.parametrize("suffix", SUPPORTED_SUFFIXES)
def test_an_empty_file_is_an_empty_document(suffix: str) -> None:
    document = parse(b"", f"file{suffix}")
    assert (document.text, document.blocks, document.title) == ("", (), "File")
    assert document.parser == parser_for(f"x{suffix.upper()}")


def test_an_unsupported_suffix_has_no_parser() -> None:
    assert parser_for("a.png") is None
    with pytest.raises(ParseError, match="is of no supported type"):
        parse(b"x", "a.png")


def test_parsing_travels_to_another_process() -> None:
    with ProcessPoolExecutor(1) as pool:
        there = pool.submit(pickle.loads(pickle.dumps(parse)), b"# A\n\ntext", "a.md").result()
    assert there == parse(b"# A\n\ntext", "a.md")


@pytest.mark.parametrize(
    ("text", "expected"), [(ENGLISH, "en"), (GERMAN, "de"), ("too short", None), ("12 34 " * 20, None)]
)
def test_the_language_is_detected_where_there_is_enough_prose(text: str, expected: str | None) -> None:
    assert parse(text.encode(), "a.txt").language == expected
    assert parse(text.encode(), "a.txt", language="fr").language == "fr"


def test_code_says_nothing_of_the_language() -> None:
    assert parse(f"```\n{ENGLISH}\n```\n\n{GERMAN}\n".encode(), "a.md").language == "de"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_in_any_usual_encoding(encoding: str) -> None:
    text = f"{GERMAN}\n\nZweiter Absatz, größer als der erste.\n"
    document = parse(text.encode(encoding), "a.txt")
    assert document.text == text
    assert outline(document) == [("paragraph", part) for part in text.strip().split("\n\n")]


def test_binary_data_is_not_text() -> None:
    with pytest.raises(ParseError, match="holds binary data"):
        parse(bytes(range(256)) * 20 + b"\0\0\1\0" * 100, "a.txt")


def _parse_all(folder: Path, pattern: str, *, every: int = 1) -> None:
    files = sorted(folder.rglob(pattern))[::every]
    assert files
    for file in files:
        uri = file.relative_to(folder).as_posix()
        document = parse(file.read_bytes(), uri)
        check(document)
        assert document.blocks, uri
        if document.media_type == "application/pdf":
            assert all(block.page for block in document.blocks), uri


CORPORA = [("argocd_docs", "*.md", 40), ("fastapi_docs", "*.md", 30), ("peps", "*.rst", 150), ("ntsb_pdf", "*.pdf", 7)]


@pytest.mark.parametrize(("name", "pattern", "every"), CORPORA)
def test_a_sample_of_each_corpus_parses(name: str, pattern: str, every: int) -> None:
    _parse_all(corpus(name), pattern, every=every)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pattern", "every"), CORPORA)
def test_each_corpus_parses_whole(name: str, pattern: str, every: int) -> None:
    _parse_all(corpus(name), pattern)
