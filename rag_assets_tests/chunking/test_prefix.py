"""What is embedded in front of the text."""

from __future__ import annotations

from rag_assets.chunking import Tokenizer
from rag_assets.chunking.prefix import HeadingPrefixes
from rag_assets_tests.chunking.builders import chunks_of, heading, paragraph, sentences


def test_title_and_path_stand_on_a_line_of_their_own(tokenizer: Tokenizer):
    chunks = chunks_of([heading("Index", 1), heading("Repair"), sentences(14)], tokenizer)
    assert chunks[1].input_text == f"Handbook > Index > Repair\n{chunks[1].text}"


def test_the_heading_that_the_text_begins_with_is_not_repeated(tokenizer: Tokenizer):
    chunks = chunks_of([heading("Index", 1), paragraph(40), heading("Repair"), paragraph(20)], tokenizer)
    assert chunks[0].input_text == f"Handbook\n{chunks[0].text}"
    assert chunks[1].input_text == f"Handbook > Index\n{chunks[1].text}"


def test_a_title_that_is_the_first_heading_is_said_once(tokenizer: Tokenizer):
    chunks = chunks_of([heading("Handbook", 1), sentences(14)], tokenizer)
    assert chunks[0].input_text == chunks[0].text
    assert chunks[1].input_text == f"Handbook\n{chunks[1].text}"


def test_without_prefix_the_input_is_the_text(tokenizer: Tokenizer):
    assert all(
        chunk.input_text == chunk.text for chunk in chunks_of([heading("A"), sentences(9)], tokenizer, prefix=False)
    )


def test_a_long_prefix_loses_names_from_the_left(tokenizer: Tokenizer):
    prefixes = HeadingPrefixes("A title of several words", tokenizer, budget_tokens=8)
    assert prefixes.fit(("Chapter", "Section"))[0] == "Chapter > Section\n"
    assert prefixes.fit(("Chapter", "Section"), room_tokens=2)[0] == "Section\n"
    assert prefixes.fit(("Chapter", "Section"), room_tokens=0) == ("", 0)


def test_a_name_that_is_too_long_keeps_its_end(tokenizer: Tokenizer):
    prefixes = HeadingPrefixes("Title", tokenizer, budget_tokens=6)
    line, tokens = prefixes.fit(("one two three four five six seven eight nine ten",))
    assert line.endswith(" nine ten\n") and tokens == tokenizer.count(line) <= 6


def test_the_prefix_takes_a_third_at_most(tokenizer: Tokenizer):
    parts = [heading(f"A rather long heading with number {level} in it", level) for level in range(1, 7)]
    for chunk in chunks_of([*parts, sentences(20)], tokenizer):
        prefix = chunk.input_text.removesuffix(chunk.text)
        assert tokenizer.count(prefix) <= 64 // 3


def test_line_breaks_in_names_become_spaces(tokenizer: Tokenizer):
    assert HeadingPrefixes("A\n title", tokenizer, budget_tokens=20).fit(("A  title", "x"))[0] == "A title > x\n"
