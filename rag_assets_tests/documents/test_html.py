from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from rag_assets.documents.model import Document
from rag_assets.documents.parsing import parse
from rag_assets.errors import ParseError
from rag_assets_tests.documents.invariants import check, outline

PAGE = """<!doctype html><html lang="en-GB"><head><title>Tuning | Site</title>
<meta property="article:published_time" content="2024-03-05T10:00:00Z"></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/docs">All documents</a></li></ul></nav>
<main><article><h1>How to tune</h1>
<p>Intro with <code>code</code> and <a href="/x">a link</a>. It is long enough for any extractor to keep it.</p>
<h2>Steps</h2><p>What to do first, &amp; what to leave for later, in a few more words.</p>
<ul><li>one<ul><li>nested</li></ul></li><li>two</li></ul>
<pre><code>def f(x):
    return x
</code></pre>
<table><tr><th>Key</th><th>Value</th></tr><tr><td>a</td><td>1</td></tr></table>
<blockquote><p>A quotation.</p></blockquote><dl><dt>Term</dt><dd>Its definition.</dd></dl>
</article></main><footer>Copyright 2021 by somebody. Privacy policy.</footer>
<img src="http://127.0.0.1:9/x.png"><script src="http://127.0.0.1:9/x.js">alert(1)</script></body></html>"""


def html(text: str | bytes) -> Document:
    document = parse(text.encode() if isinstance(text, str) else text, "pages/index.html")
    check(document)
    return document


def test_the_article_is_kept_and_the_navigation_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    document = html(PAGE)
    assert (document.title, document.language) == ("How to tune", "en")
    assert document.published_at == datetime(2024, 3, 5, tzinfo=UTC)
    blocks = outline(document)
    for expected in [
        ("heading", "Steps"),
        ("paragraph", "What to do first, & what to leave for later, in a few more words."),
        ("list", "- one"),
        ("list", "- nested"),
        ("list", "- two"),
        ("code", "def f(x):\n    return x"),
        ("table", "Key | Value\na | 1"),
        ("quote", "A quotation."),
        ("list", "Term: Its definition."),
    ]:
        assert blocks.count(expected) == 1, expected
    for gone in ("Home", "All documents", "Copyright", "alert"):
        assert gone not in document.text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>tiny</p>", "tiny"),
        ("no tags at all", "no tags at all"),
        ("<html><body><script>x()</script><!-- c -->a<p>b</p></body></html>", "a b"),
        ('<?xml version="1.0" encoding="utf-8"?><html><body><p>x</p></body></html>', "x"),
    ],
)
def test_a_page_without_an_article_is_read_whole(source: str, text: str) -> None:
    assert " ".join(html(source).text.split()) == text


@pytest.mark.parametrize("source", ["   ", "<p></p>", "<!-- only -->", "<script>x()</script>"])
def test_a_page_without_text_is_empty(source: str) -> None:
    assert html(source).blocks == ()


def test_a_declared_charset_counts() -> None:
    source = '<html><head><meta charset="iso-8859-2"></head><body><p>Příliš žluťoučký kůň</p></body></html>'
    assert html(source.encode("iso-8859-2")).text == "Příliš žluťoučký kůň"


DEEP = (
    "<p>The first words of a page.</p>{open}<p>The deep colour is coral.</p>{close}<p>Text after, in plain words.</p>"
)


@pytest.mark.parametrize("tag", ["div", "blockquote", "span"])
def test_deep_nesting_loses_no_text(tag: str) -> None:
    document = html(f"<html><body>{DEEP.format(open=f'<{tag}>' * 600, close=f'</{tag}>' * 600)}</body></html>")
    assert [block for _, block in outline(document)] == [
        "The first words of a page.",
        "The deep colour is coral.",
        "Text after, in plain words.",
    ]


@pytest.mark.parametrize("levels", [3_000, 20_000])
def test_text_nested_too_deeply_is_an_error_and_not_an_empty_document(levels: int) -> None:
    with pytest.raises(ParseError, match="nested more deeply than can be read"):
        html(DEEP.format(open="<div>" * levels, close="</div>" * levels))
