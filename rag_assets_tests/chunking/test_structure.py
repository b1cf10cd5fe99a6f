"""Where chunks begin and end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from rag_assets.chunking import Tokenizer, chunk_document
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Document
from rag_assets.errors import ChunkError
from rag_assets_tests.chunking.builders import Part, chunks_of, code, document, heading, paragraph, sentences, table


def test_an_empty_document_has_no_chunks(tokenizer: Tokenizer):
    assert chunks_of([], tokenizer) == []
    assert chunks_of(Document(" \n ", (), "Empty", "text/plain", "text@1"), tokenizer) == []


def test_blocks_of_one_section_share_a_chunk_until_it_is_full(tokenizer: Tokenizer):
    chunks = chunks_of([heading("Setup"), paragraph(19, "A"), paragraph(19, "B"), paragraph(19, "C")], tokenizer)
    assert [chunk.text.split()[0] for chunk in chunks] == ["##", "C"]
    assert "A the index" in chunks[0].text and "B the index" in chunks[0].text
    assert [chunk.heading_path for chunk in chunks] == [("Setup",), ("Setup",)]


def test_a_heading_begins_a_chunk_and_is_never_left_behind(tokenizer: Tokenizer):
    parts = [part for i in range(20) for part in (heading(f"Part {i}"), paragraph(9 + 3 * i))]
    for chunk in chunks_of(parts, tokenizer):
        assert not chunk.text.splitlines()[-1].startswith("#")


def test_a_heading_without_text_goes_with_the_next_section(tokenizer: Tokenizer):
    chunks = chunks_of(
        [heading("Guide", 1), heading("Install"), paragraph(30), heading("Run"), paragraph(30)], tokenizer
    )
    assert [chunk.text[:20].split("\n")[0] for chunk in chunks] == ["# Guide", "## Run"]
    assert chunks[0].heading_path == ("Guide", "Install")


def test_a_heading_stays_with_the_first_piece_of_a_long_paragraph(tokenizer: Tokenizer):
    chunks = chunks_of([heading("Long"), sentences(12)], tokenizer)
    assert chunks[0].text.startswith("## Long\n\nSentence0")
    assert all(chunk.text.startswith("Sentence") and chunk.text.endswith(".") for chunk in chunks[1:])
    assert min(chunk.token_count for chunk in chunks) > 25


def test_small_neighbours_share_a_chunk_and_large_ones_do_not(tokenizer: Tokenizer):
    small = [part for i in range(4) for part in (heading(f"F{i}"), paragraph(2))]
    assert len(chunks_of(small, tokenizer, max_tokens=240)) == 1
    assert chunks_of(small, tokenizer, max_tokens=240)[0].heading_path == ()
    large = [part for i in range(4) for part in (heading(f"F{i}"), paragraph(40))]
    assert [chunk.heading_path for chunk in chunks_of(large, tokenizer, max_tokens=240)] == [
        (f"F{i}",) for i in range(4)
    ]


def test_small_sections_under_different_parents_stay_apart(tokenizer: Tokenizer):
    parts = [heading("A", 1), paragraph(40), heading("A1"), paragraph(2), heading("B", 1), paragraph(2)]
    assert [chunk.heading_path for chunk in chunks_of(parts, tokenizer, max_tokens=240)] == [
        ("A",),
        ("A", "A1"),
        ("B",),
    ]


def test_a_small_introduction_joins_the_first_section_below_it_where_both_fit(tokenizer: Tokenizer):
    parts = [heading("A", 1), paragraph(3), heading("A1"), paragraph(40)]
    assert len(chunks_of(parts, tokenizer, max_tokens=240)) == 1
    parts[-1] = sentences(30)
    assert chunks_of(parts, tokenizer, max_tokens=240)[0].heading_path == ("A",)


def test_code_and_tables_that_fit_are_whole(tokenizer: Tokenizer):
    for block in (code(5), table(4)):
        for words in range(1, 45, 4):
            parts = [heading("Deep enough a heading to matter"), paragraph(words), block, paragraph(words)]
            assert sum(block[1] in chunk.text for chunk in chunks_of(parts, tokenizer)) == 1


def test_the_prefix_gives_way_to_code_that_just_fits(wordpiece: Tokenizer):
    block = code(1)
    room = 64 - wordpiece.special_tokens - wordpiece.count(block[1])
    block = (block[0], block[1].replace("verbose", "verbose" + " x" * room), 0)
    assert wordpiece.count(block[1]) == 62
    chunks = chunks_of([heading("A heading"), paragraph(30), block], wordpiece)
    assert (chunks[-1].text, chunks[-1].input_text, chunks[-1].token_count) == (block[1], block[1], 64)


def test_what_introduces_code_goes_with_it(tokenizer: Tokenizer):
    introduction: Part = ("paragraph", "Run this:", 0)
    chunks = chunks_of([heading("Setup"), paragraph(30), introduction, code(3)], tokenizer)
    assert chunks[-1].text.startswith("Run this:\n\n```sh")


def test_long_code_is_cut_between_lines(tokenizer: Tokenizer):
    block = code(40, indent="    ")
    chunks = chunks_of([heading("Setup"), block], tokenizer)
    lines = [line for chunk in chunks for line in chunk.text.splitlines() if line and not line.startswith("#")]
    assert lines == block[1].splitlines()
    assert len(chunks) > 3


def test_a_long_table_is_cut_between_rows_and_its_head_repeated_in_the_input(tokenizer: Tokenizer):
    block = table(40)
    chunks = chunks_of([heading("Keys"), block], tokenizer, max_tokens=96)
    rows = [line for chunk in chunks for line in chunk.text.splitlines() if line.startswith("|")]
    assert rows == block[1].splitlines()
    for chunk in chunks[1:]:
        assert chunk.input_text == f"Handbook > Keys\n| setting | meaning |\n{chunk.text}"


def test_overlap_repeats_whole_words_within_one_block_only(tokenizer: Tokenizer):
    parts = [heading("One"), sentences(14), heading("Two"), sentences(2)]
    chunks = chunks_of(parts, tokenizer, overlap=8)
    pieces = [chunk for chunk in chunks if chunk.heading_path == ("One",)]
    for before, after in pairwise(pieces):
        repeated = before.text[after.start - before.start :]
        assert 0 < tokenizer.count(repeated) <= 9
        assert before.text[after.start - before.start - 1].isspace()
    assert chunks[len(pieces)].start == pieces[-1].end + 2


def test_text_without_spaces_is_cut_at_its_sentences(tokenizer: Tokenizer):
    text = "索引はチャンクごとにベクトルを一つ持つ。台帳は費用と判断を記録する。" * 12
    chunks = chunks_of([("paragraph", text, 0)], tokenizer, max_tokens=96)
    assert "".join(chunk.text for chunk in chunks) == text
    assert all(chunk.text.endswith("。") for chunk in chunks)


def test_text_of_no_block_between_a_heading_and_its_text_makes_no_chunk(tokenizer: Tokenizer):
    for words in (20, 60, 200):
        made = document([heading("Alone"), sentences(9)], gap=f"\n\n<!-- {'word ' * words}-->\n\n")
        chunks = chunks_of(made, tokenizer)
        assert chunks[0].text.startswith("## Alone") and chunks[-1].text.endswith(".")
        assert all("Alone" in chunk.text or "Sentence" in chunk.text for chunk in chunks)


@pytest.mark.parametrize("word", ["QUJD/x9+", "deadbeef", "ｶﾀｶﾅ", "🙂"])
def test_a_word_without_end_is_cut_and_nothing_is_lost(word: str, tokenizer: Tokenizer):
    chunks = chunks_of([("paragraph", word * 4_000, 0)], tokenizer)
    assert "".join(chunk.text for chunk in chunks) == word * 4_000
    assert max(len(chunk.text) for chunk in chunks) <= 64 * 128


def test_no_chunk_has_text_of_two_pages(tokenizer: Tokenizer):
    made = document([heading("Report"), paragraph(3), paragraph(3), heading("End"), paragraph(3)])
    pages = (1, 1, 2, 2, 3)
    blocks = tuple(replace(block, page=page) for block, page in zip(made.blocks, pages, strict=True))
    chunks = chunks_of(replace(made, blocks=blocks), tokenizer)
    assert [chunk.page for chunk in chunks] == [1, 2, 3]
    assert "End" in chunks[2].text


def test_a_limit_without_room_for_text_is_an_error(wordpiece: Tokenizer):
    with pytest.raises(ChunkError, match="leaves no room"):
        chunk_document(document([paragraph(3)]), ChunkingSettings(), wordpiece, max_input_tokens=2)


def test_a_character_of_more_tokens_than_the_limit_is_an_error(bytepair: Tokenizer):
    with pytest.raises(ChunkError, match="the character at 0 alone"):
        chunk_document(document([("paragraph", "𐀀", 0)]), ChunkingSettings(), bytepair, max_input_tokens=1)


def test_the_input_limit_of_the_model_counts_too(tokenizer: Tokenizer):
    chunks = chunk_document(document([sentences(30)]), ChunkingSettings(max_tokens=240), tokenizer, max_input_tokens=50)
    assert max(chunk.token_count for chunk in chunks) <= 50
