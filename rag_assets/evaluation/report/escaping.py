"""Text of documents, questions and models in Markdown, where it must not become markup.

In HTML Jinja's autoescaping does it.
"""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

_ANYWHERE = re.compile(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_AT_THE_START = re.compile(r"^(\d*)([#+\-=>]|[.)](?=\s|$))")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def without_controls(text: str) -> str:
    """Control characters, those that turn the direction of text and halves of surrogate pairs become visible."""
    return _CONTROL.sub("\ufffd", text)


def as_markdown(value: Any) -> str:
    """A value that shows as it is: one line, with a backslash where Markdown or HTML would read something into it.

    `Markup` is passed on: it is our own.
    """
    if isinstance(value, Markup):
        return str(value)
    text = " ".join(without_controls(str(value)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return _AT_THE_START.sub(r"\1\\\2", _ANYWHERE.sub(r"\\\g<0>", text))


def as_text(value: Any) -> Any:
    """For HTML, before it is escaped: strings lose their control characters."""
    return without_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value
