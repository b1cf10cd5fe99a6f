"""HTML by trafilatura: the article, without navigation, banners and footers, and its title, date and language.

Nothing the page refers to is fetched. A page in which no article is found, such as a very short one, is read whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rag_assets.documents.model import BlockKind
from rag_assets.documents.parsing.decoding import decode
from rag_assets.documents.parsing.draft import Draft, DraftBuilder, metadata_of, one_line, to_utc
from rag_assets.documents.parsing.language import normalize
from rag_assets.documents.parsing.quiet import quiet
from rag_assets.errors import ParseError

PARSER = "html@2"
MEDIA_TYPE = "text/html"

_HEAD_BYTES = 4_096
_CHARSET = re.compile(rb"""<(?:meta|\?xml)\b[^>]*?\b(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_LANGUAGE = re.compile(r"""<html\b[^>]*?\slang\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_LOGGERS = ("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer")
# Parts of a page that only a browser uses; the fallback below has no other idea of what is content.
_UNREAD = ("script", "style", "noscript", "template", "svg", "nav", "footer", "head", "iframe", "form")


def parse(data: bytes, uri: str) -> Draft:
    """The draft of an HTML file. Raises `ParseError`."""
    declared = _CHARSET.search(data[:_HEAD_BYTES])
    text = decode(data, uri, declared=declared[1].decode("ascii", "replace") if declared else None)
    text = _XML_DECLARATION.sub("", text)
    if not text.strip():
        return Draft("", ())
    if "<html" not in text[:_HEAD_BYTES].lower():
        text = f"<html><body>{text}</body></html>"  # else a fragment is taken for something that is no HTML
    with quiet(*_LOGGERS):
        article = _extract(_tree(text, uri))
        writer = _Writer()
        if article is not None and article.body is not None:
            writer.children(article.body)
        if writer.empty:
            writer.builder.add_text("paragraph", _all_text(_tree(text, uri)))
    draft = writer.builder.finish()
    language = _LANGUAGE.search(text)
    draft.language = normalize(language[1]) if language else None
    if article is not None:
        draft.title = draft.title or article.title
        draft.published_at = to_utc(article.date)
        named = {"author": article.author, "description": article.description, "site": article.sitename}
        draft.metadata = metadata_of(named)
    return draft


def _tree(text: str, uri: str) -> Any:
    """The page as a tree of its own, for the readers change it. None when it holds no element.

    libxml2 leaves out what is nested too deeply, and all that follows; only its list of errors tells.
    """
    from lxml.etree import ErrorTypes, ParserError
    from lxml.html import HTMLParser, document_fromstring

    parser = HTMLParser(
        encoding="utf-8",
        huge_tree=True,  # 2,048 levels instead of 256
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        default_doctype=False,
    )
    try:
        tree = document_fromstring(_NO_XML.sub("", text).encode("utf-8", "surrogatepass"), parser=parser)
    except ParserError:
        tree = None
    if any(error.type == ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise ParseError(
            f"{uri} is nested more deeply than can be read; its text would be lost.",
            fix="Flatten the page, or exclude it from its source.",
        )
    return tree


def _extract(tree: Any) -> Any:
    import trafilatura

    if tree is None:
        return None
    return trafilatura.bare_extraction(
        tree,
        favor_recall=True,  # a documentation page is no news article, and a lost section costs more than a stray line
        include_comments=False,
        include_tables=True,
        with_metadata=True,
        # Dates the page declares, not every number in its text that looks like one.
        date_extraction_params={"original_date": True, "extensive_search": False},
    )


def _all_text(tree: Any) -> str:
    if tree is None:
        return ""
    for element in list(tree.iter(*_UNREAD)):
        element.drop_tree()
    return one_line(" ".join(str(piece) for piece in tree.xpath("//text()")))


class _Writer:
    """Writes trafilatura's simplified tree (p, head, list, code, table, quote) as blocks."""

    def __init__(self) -> None:
        self.builder = DraftBuilder()
        self.empty = True

    def children(self, parent: Any, kind: BlockKind = "paragraph") -> None:
        """Writes what `parent` holds; text that stands between its elements becomes blocks of `kind`."""
        self.add(kind, one_line(parent.text or ""))
        for child in parent:
            self.element(child, kind)
            self.add(kind, one_line(child.tail or ""))

    def element(self, node: Any, kind: BlockKind) -> None:
        match node.tag:
            case "head":
                level = (node.get("rend") or "h2").removeprefix("h")
                self.add("heading", one_line(_text(node)), level=int(level) if level in "123456" else 6)
            case "list":
                self.items(node)
            case "code" | "pre":
                self.add("code", _text(node))
            case "table":
                rows = (" | ".join(one_line(_text(cell)) for cell in row.iter("cell")) for row in node.iter("row"))
                self.add("table", "\n".join(row for row in rows if row.strip(" |")))
            case "quote" if len(node) == 0 and "\n" in (node.text or "").strip():
                self.add("code", node.text)  # preformatted text without <code>
            case "quote":
                self.children(node, "quote")
            case "graphic" | "lb" | "comments":
                pass
            case "div" | "main" | "article" | "section":
                self.children(node, kind)
            case _:
                self.add(kind, one_line(_text(node)))

    def items(self, node: Any) -> None:
        ordered = node.get("rend") == "ol"
        term = ""
        for number, item in enumerate(node, start=1):
            role = item.get("rend") or ""
            nested = [child for child in item if child.tag in ("list", "code", "table", "quote") and _is_block(child)]
            words = one_line(_text(item, without=nested))
            if role.startswith("dt"):
                self.add("list", term)
                term = words
                continue
            marker = f"{term}: " if term else f"{number}. " if ordered else "- "
            term = ""
            self.add("list", marker + words if words else "")
            for child in nested:
                self.element(child, "list")
        self.add("list", term)

    def add(self, kind: BlockKind, text: str, *, level: int = 0) -> None:
        if text.strip():
            self.empty = False
            self.builder.add_text(kind, text, level=level)


def _is_block(node: Any) -> bool:
    return node.tag != "code" or "\n" in "".join(node.itertext()).strip()


def _text(node: Any, without: Iterable[Any] = ()) -> str:
    left_out = list(without)
    parts = [node.text or ""]
    for child in node:
        if child.tag == "lb":
            parts.append("\n")
        elif child not in left_out:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
