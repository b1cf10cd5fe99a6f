"""The lines of a training file from examples: duplicates joined, each built or left out with a reason, then split."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.fingerprints import sha256_hex
from rag_assets.ingestion.results import Progress, no_progress
from rag_assets.store import Hit
from rag_assets.tuning.conversations import Builder, Conversation, LeftOutError
from rag_assets.tuning.examples import Example
from rag_assets.tuning.split import split_of_example
from rag_assets.tuning.training_file import SPLITS, Split

KINDS = ("questions", "golden", "ratings", "chat", "posts")
"""Which example stands for a question that several sets ask: the first kind, then the set that is first by name."""
_ESCAPED = {ord(end): f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"}
"""Some programs take these for ends of lines."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An example that is not in the file, and why."""

    example: Example
    reason: str


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """One line of a training file. `also` are the examples of other sets that ask the same."""

    split: Split
    example: Example
    also: tuple[Example, ...]
    conversation: Conversation

    @property
    def text(self) -> str:
        """The line as it is sent, without its end."""
        return json.dumps({"messages": self.conversation.messages}, ensure_ascii=False).translate(_ESCAPED)

    @property
    def origin(self) -> dict[str, Any]:
        """Where the line comes from, for `origins.jsonl`."""
        return {
            "split": self.split,
            "example": self.example.example_id,
            "row_hash": self.example.row_hash,
            "set": self.example.example_set,
            "origin": self.example.origin,
            "also": [{"set": other.example_set, "origin": other.origin} for other in self.also],
            "prompt": self.example.prompt,
            "chunks": [self._chunk(hit) for hit in self.conversation.hits],
        }

    def _chunk(self, hit: Hit) -> dict[str, Any]:
        return {
            "chunk_id": hit.chunk_id,
            "source": hit.source,
            "uri": hit.uri,
            "document_hash": hit.document_hash,
            "right": hit.chunk_id in self.conversation.right,
        }


@dataclass(frozen=True, slots=True)
class Built:
    """All lines, train first, each split in an order that depends on nothing but what is asked."""

    lines: tuple[TrainingLine, ...]
    left_out: tuple[LeftOut, ...]

    def of(self, split: Split) -> list[TrainingLine]:
        """The lines of `split`."""
        return [line for line in self.lines if line.split == split]

    @property
    def joined(self) -> int:
        """How many examples ask what another one asks that stands for them."""
        return sum(len(line.also) for line in self.lines)

    @property
    def put_in(self) -> int:
        """How many have a right passage that retrieval alone would not have shown."""
        return sum(line.conversation.put_in for line in self.lines)

    @property
    def reasons(self) -> dict[str, int]:
        """Why examples were left out, and how many; the most frequent reason first."""
        return dict(Counter(one.reason for one in self.left_out).most_common())


def build_lines(
    examples: Iterable[Example],
    builder: Builder,
    *,
    validation_share: float,
    progress: Progress = no_progress,
) -> Built:
    """Builds every example once; the order in which they come does not matter.

    Of several that ask the same the first that can be built stands for all. `progress` is told how many questions
    are done.
    """
    asked: dict[str, list[Example]] = {}
    for example in examples:
        asked.setdefault(example.asked, []).append(example)
    lines: list[TrainingLine] = []
    left_out: list[LeftOut] = []
    for done, key in enumerate(sorted(asked, key=sha256_hex), start=1):
        line, wrong = _first_built(sorted(asked[key], key=_rank), builder, validation_share)
        left_out += wrong
        if line is not None:
            lines.append(line)
        progress("questions", done, len(asked))
    lines.sort(key=lambda line: SPLITS.index(line.split))  # stable: within a split they stay as they are
    return Built(tuple(lines), tuple(left_out))


def _first_built(
    alike: Sequence[Example], builder: Builder, validation_share: float
) -> tuple[TrainingLine | None, list[LeftOut]]:
    left_out = []
    for example in alike:
        try:
            conversation = builder.build(example)
        except LeftOutError as error:
            left_out.append(LeftOut(example, str(error)))
            continue
        failed = {one.example.example_id for one in left_out}
        also = tuple(other for other in alike if other is not example and other.example_id not in failed)
        return TrainingLine(split_of_example(example.prompt, validation_share), example, also, conversation), left_out
    return None, left_out


def _rank(example: Example) -> tuple[int, str, str]:
    return KINDS.index(example.kind), example.example_set, example.example_id
