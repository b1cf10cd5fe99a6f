"""How passages and a question stand in a prompt, and how the extractive reader finds them there again.

    <passages>
    <passage n="1" title="Handbook &gt; Releases">
    the text of the passage, as it is
    </passage>
    </passages>

    <question>
    What is a release?
    </question>

Text stays readable for a generative model: only a tag of this format inside a text is changed, by a backslash after
its `<` (`<\\/passage>`), which parsing removes. So no document and no question can end its own block or begin another,
and `parse_prompt` gives back exactly what was rendered. Titles are escaped as in HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_assets.errors import InvalidRequestError

_TAG_IN_TEXT = re.compile(r"<(?=\\*\s*/?\s*(?:passage|question))", re.IGNORECASE)
_ESCAPED_TAG = re.compile(r"<\\(?=\\*\s*/?\s*(?:passage|question))", re.IGNORECASE)
_PASSAGES = re.compile(r"<passages>\n(.*?)</passages>", re.DOTALL)
_PASSAGE = re.compile(r'<passage n="(\d{1,4})" title="([^"]*)">\n(.*?)\n</passage>\n', re.DOTALL)
_QUESTION = re.compile(r"<question>\n(.*?)\n</question>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PromptPassage:
    """A passage in a prompt; `n` is the number that citations name it by."""

    n: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """What a prompt in this format holds."""

    passages: tuple[PromptPassage, ...]
    question: str


def render_passages(passages: Sequence[PromptPassage]) -> str:
    """The block of passages."""
    blocks = (
        f'<passage n="{passage.n}" title="{html.escape(passage.title)}">\n{_escape(passage.text)}\n</passage>\n'
        for passage in passages
    )
    return f"<passages>\n{''.join(blocks)}</passages>"


def render_question(question: str) -> str:
    """The block of the question."""
    return f"<question>\n{_escape(question)}\n</question>"


def parse_prompt(text: str) -> ParsedPrompt:
    """The passages and the question in the user message `text`, which may hold other text around the blocks.

    Raises `InvalidRequestError` where either block is missing, stands there twice, or is not as rendered.
    """
    block = _only(_PASSAGES, text, "<passages>")
    found = [
        PromptPassage(int(match[1]), html.unescape(match[2]), _unescape(match[3])) for match in _PASSAGE.finditer(block)
    ]
    if _PASSAGE.sub("", block).strip():
        raise _malformed("the block <passages> holds something that is not a passage")
    if len({passage.n for passage in found}) != len(found):
        raise _malformed("two passages have the same number")
    return ParsedPrompt(tuple(found), _unescape(_only(_QUESTION, text, "<question>")))


def _only(pattern: re.Pattern[str], text: str, name: str) -> str:
    blocks = pattern.findall(text)
    if len(blocks) != 1:
        raise _malformed(f"the last user message has {len(blocks) or 'no'} blocks {name}")
    return str(blocks[0])


def _malformed(why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The extractive reader quotes from passages in the prompt, and {why}.",
        fix="Put {{passages}} and {{question}} once each into the user template.",
    )


def _escape(text: str) -> str:
    return _TAG_IN_TEXT.sub(r"<\\", text)


def _unescape(text: str) -> str:
    return _ESCAPED_TAG.sub("<", text)
