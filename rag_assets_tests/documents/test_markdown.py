from __future__ import annotations

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from rag_assets.documents.model import Document
from rag_assets.documents.parsing import parse
from rag_assets.errors import ParseError
from rag_assets_tests.documents.invariants import check, outline


def markdown(text: str, uri: str = "guide/set_up-notes.md") -> Document:
    document = parse(dedent(text).encode(), uri)
    check(document)
    return document


def test_blocks_are_lines_of_the_source() -> None:
    source = dedent(
        """\
        # Title of *it*

        First line
        second line.

        > A quote
        > of two lines

        | a | b |
        |---|---|
        | 1 | 2 |

        Setext
        ------

            indented code

        ---
        <div align="center">
        <b>shown</b>
        </div>
        """
    )
    document = markdown(source)
    assert document.text == source
    assert document.title == "Title of it"
    assert outline(document) == [
        ("heading", "# Title of *it*"),
        ("paragraph", "First line\nsecond line."),
        ("quote", "> A quote\n> of two lines"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("heading", "Setext\n------"),
        ("code", "    indented code"),
        ("other", '<div align="center">\n<b>shown</b>\n</div>'),
    ]
    assert [block.heading_path for block in document.blocks if block.kind == "code"] == [("Title of it", "Setext")]


def test_heading_paths_follow_levels() -> None:
    document = markdown("# A\n## B `code` & [link](x.md)\n#### D\ntext\n## E { #anchor }\nmore\n# F\n")
    headings = [(block.level, block.heading_path) for block in document.blocks if block.kind == "heading"]
    assert headings == [
        (1, ("A",)),
        (2, ("A", "B code & link")),
        (4, ("A", "B code & link", "D")),
        (2, ("A", "E")),
        (1, ("F",)),
    ]
    assert ("heading", "## E") in outline(document)


def test_each_list_item_is_a_block_and_what_it_fences_is_another() -> None:
    document = markdown(
        """\
        - one
          - nested
        - two

          ```sh
          run it

          again
          ```

          after
        1. ```
           first line
           ```
        """
    )
    assert outline(document) == [
        ("list", "- one"),
        ("list", "- nested"),
        ("list", "- two"),
        ("code", "  ```sh\n  run it\n\n  again\n  ```"),
        ("list", "after"),
        ("code", "1. ```\n   first line\n   ```"),
    ]


def test_a_fence_in_an_admonition_stays_whole() -> None:
    document = markdown(
        "!!! note\n\n    Prose here.\n\n    ```yaml\n    # not a heading\n    a: 1\n    ```\n\n# Real\n"
    )
    assert outline(document) == [
        ("paragraph", "!!! note"),
        ("paragraph", "Prose here."),
        ("code", "    ```yaml\n    # not a heading\n    a: 1\n    ```"),
        ("heading", "# Real"),
    ]


def test_comments_styles_and_link_definitions_are_no_blocks() -> None:
    document = markdown(
        "<!-- hidden\n\n# not a heading -->\n\n<style>p {}</style>\n\nA <https://e.example>.\n\n[x]: y\n"
    )
    assert outline(document) == [("paragraph", "A <https://e.example>.")]


def test_mdx_statements_and_bare_components_are_no_blocks() -> None:
    source = "import A from './a'\nexport const b = 1\n\n# T\n\n<Tabs>\n\nText of a tab.\n\n</Tabs>\n\n{/* note */}\n"
    assert outline(markdown(source, "x.mdx")) == [("heading", "# T"), ("paragraph", "Text of a tab.")]
    assert ("paragraph", "import A from './a'\nexport const b = 1") in outline(markdown(source, "x.md"))


@pytest.mark.parametrize(
    "source",
    [
        "---\ntitle: The Title\ndate: 2024-05-06\nlang: de-AT\ntags: [a, b]\nauthor: Someone\n---\n# Other\n",
        '+++\ntitle = "The Title"\ndate = 2024-05-06\nlang = "de"\nauthor = "Someone"\n+++\n# Other\n',
    ],
)
def test_front_matter_gives_title_date_and_language(source: str) -> None:
    document = markdown(source)
    assert (document.title, document.language) == ("The Title", "de")
    assert document.published_at == datetime(2024, 5, 6, tzinfo=UTC)
    assert document.metadata["author"] == "Someone"
    assert outline(document) == [("heading", "# Other")]


@pytest.mark.parametrize(
    "source", ["---\n: [\n---\ntext\n", "---\ntext\n", "---\n- a\n---\ntext", "---\nd: 2024-13-45\n---\ntext"]
)
def test_what_is_no_front_matter_is_text(source: str) -> None:
    assert "text" in outline(markdown(source))[-1][1]


def test_line_ends_and_marks_do_not_move_offsets() -> None:
    document = parse(b"\xef\xbb\xbf# A\r\n\r\nb \xf0\x9f\x98\x80 c\r\rd\r\n", "x.md")
    check(document)
    assert outline(document) == [("heading", "# A"), ("paragraph", "b 😀 c"), ("paragraph", "d")]


def test_the_title_falls_back_to_the_file_name() -> None:
    assert markdown("no heading").title == "Set up notes"
    assert markdown("").title == "Set up notes"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("> " * 40 + "Deep words.", "quote"),
        ("".join("  " * depth + f"- item {depth}\n" for depth in range(30)) + "  " * 30 + "- Deep words.", "list"),
    ],
)
def test_deep_nesting_loses_no_text(source: str, kind: str) -> None:
    document = markdown(f"{source}\n\nAfter it.\n")
    blocks = outline(document)
    assert blocks[-1] == ("paragraph", "After it.")
    assert blocks[-2][0] == kind
    assert blocks[-2][1].endswith("Deep words.")


@pytest.mark.parametrize("source", ["> " * 20_000 + "Deep words.", "- " * 200 + "Deep words.\n\nAfter it."])
def test_text_nested_too_deeply_is_an_error_and_not_an_empty_document(source: str) -> None:
    with pytest.raises(ParseError, match="nested more than 100 deep"):
        markdown(source)
