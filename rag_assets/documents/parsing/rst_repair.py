"""What docutils cannot read by itself, mostly because it belongs to Sphinx: directives, their options, and roles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from rag_assets.documents.model import BlockKind

if TYPE_CHECKING:
    from docutils import nodes

ERROR_LEVEL = 3
_DIRECTIVE = re.compile(
    r"\.\.[ \t]+(?:\|[^|]*\|[ \t]+)?(?P<name>[\w.:+-]+?)[ \t]*::(?P<argument>.*)\n?(?P<body>(?:.|\n)*)"
)
_OPTIONS = re.compile(r"(?:[ \t]*:[\w -]+:.*\n?(?:[ \t]+.*\n?)??)+")
_CODE = {
    "code", "code-block", "sourcecode", "parsed-literal", "productionlist", "doctest", "testcode", "testoutput",
    "prompt", "ipython", "graphviz", "mermaid",
}  # fmt: skip
# Their arguments and contents are addresses of other files, or settings: nothing to read.
_SILENT = {
    "autoclass", "autofunction", "automethod", "automodule", "autosummary", "class", "contents", "currentmodule",
    "default-role", "highlight", "image", "include", "index", "literalinclude", "meta", "module", "raw", "role",
    "sectnum", "tabularcolumns", "toctree",
}  # fmt: skip
_ROLE = re.compile(r":[A-Za-z][\w+.:-]*:`([^`]*)`")
_ROLE_TARGET = re.compile(r"\s*<[^<>]*>$")


@dataclass(frozen=True, slots=True)
class Recovered:
    """The words of a passage: reStructuredText to be read again when `markup`, else the text of a block of `kind`."""

    kind: BlockKind
    text: str
    markup: bool = False


def recover(message: nodes.system_message) -> Recovered | None:
    """What to write in place of an error message of docutils; None when nothing was lost or nothing is wanted."""
    from docutils import nodes

    quoted = next((child.astext() for child in message.children if isinstance(child, nodes.literal_block)), "")
    if int(message.get("level", 0)) < ERROR_LEVEL or not quoted.strip():
        return None
    directive = _DIRECTIVE.match(quoted.strip())
    if directive is None:
        if quoted.startswith(".."):
            return None
        return Recovered("table" if "table" in message.astext()[:40].lower() else "paragraph", quoted)
    name, argument = directive["name"].lower(), directive["argument"].strip()
    body = dedent(directive["body"])
    options = _OPTIONS.match(body)
    body = body[options.end() :].strip("\n") if options else body.rstrip()
    if name in _SILENT:
        return None
    if name in _CODE:
        return Recovered("code", dedent(body)) if body.strip() else None
    gap = "\n\n" if options else "\n"
    return Recovered("paragraph", f"{argument}{gap}{dedent(body)}".strip(), markup=True)


def plain_role(text: str) -> str:
    """The words of a role that is not known: ":mod:`~os.path`" → "os.path", ":ref:`here <label>`" → "here"."""
    return _ROLE.sub(lambda found: _ROLE_TARGET.sub("", found[1]).lstrip("~!"), text)
