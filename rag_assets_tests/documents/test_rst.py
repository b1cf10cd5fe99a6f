from __future__ import annotations

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from rag_assets.documents.model import Document
from rag_assets.documents.parsing import parse
from rag_assets_tests.documents.invariants import check, outline


def rst(text: str) -> Document:
    document = parse(dedent(text).encode(), "guide.rst")
    check(document)
    return document


def test_the_tree_is_written_as_readable_text(capfd: pytest.CaptureFixture[str]) -> None:
    document = rst(
        """\
        Title
        =====

        A *wrapped*
        paragraph with |name|, a `link <https://e.example>`_ and ``code`` [1]_.

        .. |name| replace:: the name
        .. a comment

        Part
        ----

        - one
        - two::

            literal
              block

        3. three

        term
            What it means.

        ===  ===
        a    b
        ===  ===
        1    2
        ===  ===

        .. note:: Beware.

        Then:

            Quoted.

        .. [1] The footnote.

        badly underlined
        ---
        """
    )
    assert document.title == "Title"
    assert outline(document) == [
        ("heading", "Title"),
        ("paragraph", "A wrapped paragraph with the name, a link and code [1]."),
        ("heading", "Part"),
        ("list", "- one"),
        ("list", "- two:"),
        ("code", "literal\n  block"),
        ("list", "3. three"),
        ("list", "term: What it means."),
        ("table", "a | b\n1 | 2"),
        ("paragraph", "Note: Beware."),
        ("paragraph", "Then:"),
        ("quote", "Quoted."),
        ("list", "[1] The footnote."),
        ("paragraph", "badly underlined ---"),
    ]
    assert {block.heading_path for block in document.blocks[3:]} == {("Title", "Part")}
    assert capfd.readouterr() == ("", "")


def test_what_only_sphinx_knows_is_read_for_its_words() -> None:
    document = rst(
        """\
        See :mod:`~os.path` and :ref:`the guide <guide>`.

        .. versionadded:: 3.5
           It *came*.

        .. code-block:: python
           :caption: x.py
           :emphasize-lines: 1

           def f():
               pass

        .. toctree::

           other
        """
    )
    assert outline(document) == [
        ("paragraph", "See os.path and the guide."),
        ("paragraph", "3.5 It came."),
        ("code", "def f():\n    pass"),
    ]


def test_a_proposal_header_gives_title_and_date() -> None:
    document = rst("PEP: 1\nTitle: The Purpose\nAuthor: A,\n  B\nCreated: 13-Jun-2000\n\n\nAbstract\n====\n\nText.\n")
    assert (document.title, document.published_at) == ("PEP 1: The Purpose", datetime(2000, 6, 13, tzinfo=UTC))
    assert document.metadata["author"] == "A, B"
    assert outline(document)[0] == ("other", "PEP: 1\nTitle: The Purpose\nAuthor: A, B\nCreated: 13-Jun-2000")


def test_no_file_is_read_and_nothing_raw_passes(tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("secret") / "secret.txt"
    secret.write_text("the secret")
    document = rst(
        f".. include:: {secret}\n\n.. raw:: html\n\n   <script>x</script>\n\n.. csv-table::\n   :file: {secret}\n\n"
        f".. literalinclude:: {secret}\n\n.. |today| date:: %Y\n\nText |today|.\n"
    )
    assert "secret\n" not in document.text
    assert outline(document)[-1] == ("paragraph", "Text today.")
    assert "script" not in document.text


def test_a_role_does_not_leak_into_the_next_document() -> None:
    rst(".. role:: special\n\n:special:`x`\n")
    assert outline(rst(":special:`x`\n")) == [("paragraph", "x")]
    from docutils.parsers.rst import roles

    assert "special" not in vars(roles)["_roles"]
