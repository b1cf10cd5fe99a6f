"""A training example as a value, whatever it was read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.questions import normalised
from rag_assets.fingerprints import ID_LENGTH, fingerprint, sha256_hex

Kind = Literal["questions", "posts", "chat", "golden", "ratings"]
Message = Mapping[str, str]


@dataclass(frozen=True)
class Example:
    """What is asked and what is to be answered, and where that comes from.

    `answer` is empty where only `accepted` pieces of the right passage or `quotes` of it are known, and for what is not
    `answerable`: that is answered with the refusal. `expected` are places of which one holds the answer. `messages` is
    the whole conversation of a chat, and empty for the other kinds. `origin` names the file and line, the golden
    question (`golden:ID`) or the answer in the ledger (`answer:ID`).
    """

    example_set: str
    kind: Kind
    origin: str
    prompt: str
    answer: str = ""
    accepted: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    messages: tuple[Message, ...] = ()
    answerable: bool = True
    closed_book: bool = False
    style: str | None = None

    @cached_property
    def asked(self) -> str:
        """Names what is asked, in whatever set: the prompt as questions are compared, and what was said before it."""
        before = [dict(message) for message in self.messages[:-2] if message["role"] != "system"]
        return normalised(self.prompt) + (f"\0{fingerprint(before=before)}" if before else "")

    @cached_property
    def example_id(self) -> str:
        """A hash of the set and of what is asked: 32 characters. Another answer to it is the same example, changed."""
        return sha256_hex(f"{self.example_set}\0{self.asked}")[:ID_LENGTH]

    @cached_property
    def row_hash(self) -> str:
        """A hash of all that is learnt. The origin is no part of it: a line may move in its file."""
        values = self.values
        del values["origin"]
        return fingerprint(**values)

    @property
    def values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        values = {name: getattr(self, name) for name in FIELDS}
        return values | {
            "expected": [asdict(place) for place in self.expected],
            "accepted": list(self.accepted),
            "quotes": list(self.quotes),
            "messages": [dict(message) for message in self.messages],
        }


FIELDS = (
    "example_set",
    "kind",
    "origin",
    "prompt",
    "answer",
    "accepted",
    "quotes",
    "expected",
    "messages",
    "answerable",
    "closed_book",
    "style",
)


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts without outer white space, each once, blank ones left out."""
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
