"""How passages and a question stand in a prompt, and how the extractive reader finds them there again.

    <passages>
    <passage n="1" title="Handbook &gt; Releases" score="0.8312">
    the text of the passage, as it is
    </passage>
    </passages>

    <question>
    What is a release?
    </question>

Text stays readable for a generative model: only a tag of this format inside a text is changed, by a backslash after
its `<` (`<\\/passage>`), which parsing removes. So no document and no question can end its own block or begin another,
and `parse_prompt` gives back exactly what was rendered. Titles are escaped as in HTML. The score is the retriever's,
higher is better, to four digits, and may be left out.
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
_PASSAGE = re.compile(
    r'<passage n="(\d{1,4})" title="([^"]*)"(?: score="([-+.\de]+)")?>\n(.*?)\n</passage>\n', re.DOTALL
)
_QUESTION = re.compile(r"<question>\n(.*?)\n</question>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PromptPassage:
    """A passage in a prompt; `n` is the number that citations name it by, `score` the retriever's."""

    n: int
    title: str
    text: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """What a prompt in this format holds."""

    passages: tuple[PromptPassage, ...]
    question: str


def render_passages(passages: Sequence[PromptPassage]) -> str:
    """The block of passages."""
    return f"<passages>\n{''.join(map(_render, passages))}</passages>"


def _render(passage: PromptPassage) -> str:
    score = "" if passage.score is None else f' score="{passage.score:.4g}"'
    head = f'<passage n="{passage.n}" title="{html.escape(passage.title)}"{score}>'
    return f"{head}\n{_escape(passage.text)}\n</passage>\n"


def render_question(question: str) -> str:
    """The block of the question."""
    return f"<question>\n{_escape(question)}\n</question>"


def parse_prompt(text: str) -> ParsedPrompt:
    """The passages and the question in the user message `text`, which may hold other text around the blocks.

    Raises `InvalidRequestError` where either block is missing, stands there twice, or is not as rendered.
    """
    block = _only(_PASSAGES, text, "<passages>")
    found = [_parse(*match.groups()) for match in _PASSAGE.finditer(block)]
    if _PASSAGE.sub("", block).strip():
        raise _malformed("the block <passages> holds something that is not a passage")
    if len({passage.n for passage in found}) != len(found):
        raise _malformed("two passages have the same number")
    return ParsedPrompt(tuple(found), _unescape(_only(_QUESTION, text, "<question>")))


def question_in(text: str) -> str | None:
    """The question of a prompt in this format, with passages or without; None where `text` is none."""
    blocks = _QUESTION.findall(text)
    return _unescape(blocks[0]) if len(blocks) == 1 else None


def _parse(n: str, title: str, score: str | None, text: str) -> PromptPassage:
    try:
        number = None if score is None else float(score)
    except ValueError:
        raise _malformed(f"the score {score!r} of a passage is not a number") from None
    return PromptPassage(int(n), html.unescape(title), _unescape(text), number)


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
