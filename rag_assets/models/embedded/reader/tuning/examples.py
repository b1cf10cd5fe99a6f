"""What the reader is tuned on: a question, its passages, and which text of them answers it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.chat import REFUSAL
from rag_assets.models.embedded.prompt_format import parse_prompt
from rag_assets.models.embedded.reader.reader import Passage

_MARK = re.compile(r"\[(\d{1,3})\]")
_STRAY = " \t\r\n.,;"  # what stands between the mark of one quote and the next quote


@dataclass(frozen=True, slots=True)
class TuningExample:
    """A question and its passages. `quotes`: number of the passage and quoted text; none where no passage answers."""

    question: str
    passages: tuple[Passage, ...]
    quotes: tuple[tuple[int, str], ...]

    @property
    def refusal(self) -> bool:
        """Whether the passages do not answer the question."""
        return not self.quotes

    @property
    def key(self) -> str:
        """A hash of the content: equal examples have equal keys."""
        passages = [(each.n, each.title, each.text, each.score) for each in self.passages]
        content = json.dumps([self.question, passages, self.quotes], ensure_ascii=True)
        return hashlib.sha256(content.encode()).hexdigest()


def example_from_messages(messages: Sequence[Mapping[str, Any]]) -> TuningExample:
    """The example in the messages of one line of a training file, in OpenAI's chat format.

    The last user message has the passages and the question (`prompt_format.py`), the last message is the answer:
    quoted text followed by the mark of its passage, `A release pins an index snapshot. [2]`, as often as needed; or the
    refusal, which is this provider's own sentence or any that a system message prescribes word for word. Raises
    `InvalidRequestError` where that is not so, and where nothing that is quoted stands in its passage; a quote beside
    others that does not is left out.
    """
    asked, answer, system = _texts(messages)
    prompt = parse_prompt(asked)
    passages = tuple(Passage(each.n, each.title, each.text, each.score) for each in prompt.passages)
    if not prompt.question.strip():
        raise _unfit("the question is empty")
    if not any(passage.text.strip() for passage in passages):
        raise _unfit("there is no passage to quote from")
    if _is_refusal(answer, system):
        return TuningExample(prompt.question, passages, ())
    quotes = _quotes(answer)
    if not quotes:
        raise _unfit("the answer cites no passage, like [2], and is not the refusal")
    by_number = {passage.n: passage for passage in passages}
    found = tuple((n, quote) for n, quote in quotes if n in by_number and spans_of(by_number[n].text, quote))
    if not found:
        raise _unfit("the answer quotes nothing that stands word for word in the passage it cites")
    return TuningExample(prompt.question, passages, found)


def spans_of(text: str, quote: str) -> list[tuple[int, int]]:
    """Where `quote` stands in `text`: case and the amount of white space aside, and with (3) for [3].

    The last is how the reader's own answers write a mark within a quote.
    """
    words = _MARK.sub(r"(\1)", quote).split()
    if not words:
        return []
    pattern = r"\s+".join(map(re.escape, words))
    return [match.span() for match in re.finditer(pattern, _MARK.sub(r"(\1)", text), re.IGNORECASE)]


def _texts(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """The last user message, the answer after it, and all system messages."""
    if not messages or messages[-1].get("role") != "assistant":
        raise _unfit("the last message is not the assistant's")
    texts = [(str(message.get("role")), _text(message.get("content"))) for message in messages]
    asked = next((text for role, text in reversed(texts) if role == "user"), None)
    if asked is None:
        raise _unfit("there is no user message")
    return asked, texts[-1][1], "\n".join(text for role, text in texts if role in ("system", "developer"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise _unfit("a message holds something that is not text")
    return "".join(str(text) for text in texts)


def _is_refusal(answer: str, system: str) -> bool:
    said = " ".join(answer.split()).casefold()
    return said == REFUSAL.casefold() or bool(
        said and not _MARK.search(answer) and said in " ".join(system.split()).casefold()
    )


def _quotes(answer: str) -> list[tuple[int, str]]:
    """The text before each mark; marks in a row share it."""
    found: list[tuple[int, str]] = []
    end, quote = 0, ""
    for mark in _MARK.finditer(answer):
        own = answer[end : mark.start()].lstrip(_STRAY).rstrip()
        quote, end = own or quote, mark.end()
        if quote:
            found.append((int(mark[1]), quote))
    return found


def _unfit(why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The extractive reader cannot learn from an example: {why}.",
        fix="Give it passages, a question, and an answer of quoted sentences with their marks, like: It is red. [2]",
    )
