"""Sentences, code blocks, rows and items are the units, whatever the text is written in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.models.embedded.reader.sentences import Unit, clauses, units


def texts(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in units(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met J. R. Jones of Acme Inc. in Boston.",
        "The rate rose by 3.5 percent, i.e. more than before.",
        "See Fig. 4 and Sec. 2 for the U.S. figures.",
        "It costs approx. 5 dollars... and more.",
        "The file is config.yaml and version 1.2.3 is needed.",
        "He asked (why?) and left.",
    ],
)
def test_points_inside_a_sentence_do_not_end_it(text):
    assert texts(text) == [text]


def test_sentences_end_at_their_marks_and_keep_the_quotes_after_them():
    text = 'He said "stop." Then he left! Did he? Yes… He moved to the U.S. The rest stayed.'
    assert texts(text) == [
        'He said "stop."',
        "Then he left!",
        "Did he?",
        "Yes…",
        "He moved to the U.S.",
        "The rest stayed.",
    ]


def test_marks_of_east_asian_sentences_need_no_space():
    assert texts("東京は首都です。人口は多い。") == ["東京は首都です。", "人口は多い。"]


def test_a_soft_line_break_does_not_end_a_sentence_and_a_blank_line_does():
    assert texts("One sentence over\ntwo lines\n\nanother") == ["One sentence over\ntwo lines", "another"]


MARKDOWN = """# Deploying

Run the server. It listens on port 3000.

- first item. With a second sentence
  that goes on
- second item
1. numbered

```bash
pip install x. Then
run it
```

| key | value |
| --- | ----- |
| port | 3000 |

> quoted text

Last words"""


def test_markdown_blocks_are_units():
    found = [(unit.kind, MARKDOWN[unit.start : unit.end]) for unit in units(MARKDOWN)]
    assert found == [
        ("heading", "Deploying"),
        ("sentence", "Run the server."),
        ("sentence", "It listens on port 3000."),
        ("sentence", "first item."),
        ("sentence", "With a second sentence\n  that goes on"),
        ("sentence", "second item"),
        ("sentence", "numbered"),
        ("code", "```bash\npip install x. Then\nrun it\n```"),
        ("row", "| key | value |"),
        ("row", "| port | 3000 |"),
        ("sentence", "quoted text"),
        ("sentence", "Last words"),
    ]


def test_restructuredtext_titles_and_literal_blocks_are_units():
    text = "Title\n=====\n\nUse it so::\n\n    import x\n    x.run()\n\nDone."
    found = [(unit.kind, text[unit.start : unit.end]) for unit in units(text)]
    assert found == [
        ("heading", "Title"),
        ("code", "Use it so::\n\n    import x\n    x.run()"),
        ("sentence", "Done."),
    ]


def test_labels_and_images_are_never_quoted():
    text = '> [!NOTE]\n> Mind the gap.\n\n!!! warning "Care"\n    Back up first.\n\n    Then go.\n\n![a view](x.png)\n'
    assert [text[unit.start : unit.end] for unit in units(text) if unit.kind != "heading"] == [
        "Mind the gap.",
        "Back up first.",
        "Then go.",
    ]


def test_code_takes_in_the_sentence_that_leads_to_it():
    text = "Be careful. Import from a backup:\n\n```\nimport < backup\n```"
    assert texts(text) == ["Be careful.", "Import from a backup:\n\n```\nimport < backup\n```"]


def test_a_fence_that_is_never_closed_is_code_to_the_end():
    assert [unit.kind for unit in units("Before.\n\n```\ncode. More\n\ncode")] == ["sentence", "code"]


@given(st.text(alphabet=st.sampled_from(list("Ab1.!?,;:()\"'`~#|-*>= \n\t。—")), max_size=120))
def test_units_and_clauses_cover_every_word_once(text):
    found = units(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    for unit in found:
        piece = text[unit.start : unit.end]
        assert piece and piece == piece.strip()
        cut = clauses(text, unit, most_words=5)
        assert "".join("".join(text[a:b] for a, b in cut).split()) == "".join(piece.split())
        assert all(len(text[a:b].split()) <= 5 for a, b in cut)
    letters = [n for n, character in enumerate(text) if character == "A"]  # a "b" may be a list mark: b)
    assert all(any(unit.start <= n < unit.end for unit in found) for n in letters)


def test_clauses_break_at_commas_and_conjunctions():
    text = "The bridge over the river was built in 1901, which was two years late, and it fell down in 1950."
    assert [text[a:b] for a, b in clauses(text, Unit(0, len(text), "sentence"), most_words=40)] == [
        "The bridge over the river was built in 1901,",
        "which was two years late,",
        "and it fell down in 1950.",
    ]


def test_rows_of_a_rendered_table_are_units():
    text = "Cause | What to do\nthe sensor stopped | start it\nthe source is held | confirm or restore"
    assert [(unit.kind, text[unit.start : unit.end]) for unit in units(text)] == [
        ("row", "Cause | What to do"),
        ("row", "the sensor stopped | start it"),
        ("row", "the source is held | confirm or restore"),
    ]
