"""One example as the conversation that is trained: the prompt as in service, and the answer in the form of service."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from rag_assets.answering import check_question, cited_passages, rendered_passages
from rag_assets.errors import InvalidRequestError, QueryError
from rag_assets.fingerprints import sha256_hex
from rag_assets.models.embedded.chat import quote_line
from rag_assets.models.embedded.prompt_format import render_question
from rag_assets.prompts import Prompts
from rag_assets.prompts.writing import WritePrompts, load_write_prompts
from rag_assets.store import Hit
from rag_assets.tuning.evidence import EvidenceError, Sentence, evidence_of, holds_any, pieces_of
from rag_assets.tuning.examples import Example
from rag_assets.tuning.passages import Passages

Messages = list[dict[str, str]]
WRITES = ("posts", "chat")
CANNOT_WRITE = "the embedded reader quotes and cannot learn to write"
CANNOT_CLOSED = "the embedded reader quotes and cannot answer without passages"
NOTHING_FOUND = "nothing is found for it"
NOT_A_QUESTION = "it cannot be asked in service: it is empty or too long"
WORDS_ROUNDED_TO = 50
_MARKS = re.compile(r"(?:\s*\[\d{1,3}\])+")


class LeftOutError(Exception):
    """Why an example cannot be trained on, for people."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """`hits` are the passages in the order of the prompt, `right` the chunks among them that hold the answer.

    `put_in`: retrieval alone would not have shown a right one.
    """

    messages: Messages
    hits: tuple[Hit, ...] = ()
    right: frozenset[str] = frozenset()
    put_in: bool = False


@dataclass(frozen=True)
class Builder:
    """Makes conversations for one base model from one snapshot. `shown`: how many passages an example has."""

    passages: Passages
    prompts: Prompts
    prompts_dir: Path | None
    embedded: bool
    shown: int
    seed: int
    max_question_characters: int

    def build(self, example: Example) -> Conversation:
        """The conversation of `example`. Raises `LeftOutError`."""
        if self.embedded and (example.closed_book or example.kind in WRITES):
            raise LeftOutError(CANNOT_CLOSED if example.kind not in WRITES else CANNOT_WRITE)
        try:
            asked = check_question(example.prompt, max_characters=self.max_question_characters)
        except QueryError:
            raise LeftOutError(NOT_A_QUESTION) from None
        if example.kind in WRITES:
            hits = () if example.closed_book else self._found(asked)
            write = self._post if example.kind == "posts" else self._chat
            return Conversation(write(example, asked, hits), hits)
        if example.closed_book:
            return self._closed(example, asked)
        return self._answered(example, asked) if example.answerable else self._refused(example, asked)

    def _closed(self, example: Example, asked: str) -> Conversation:
        """Without passages. An answer that the platform gave may have been for some alone: only what everybody may see
        is taught, and marks would point at nothing."""
        if not example.answerable:
            return Conversation([_message("user", asked), _message("assistant", self.prompts.refusal)])
        answer = example.answer
        if example.kind == "ratings":
            self._evidence(example, ())
            answer = _MARKS.sub("", answer).strip()
        return Conversation([_message("user", asked), _message("assistant", answer)])

    def _evidence(self, example: Example, ranked: Sequence[Hit]) -> list[Sentence]:
        placed = self.passages.of_places(example.expected) if example.expected else []
        try:
            return evidence_of(example, ranked, placed, shown=self.shown)
        except EvidenceError as error:
            raise LeftOutError(str(error)) from None

    def _refused(self, example: Example, asked: str) -> Conversation:
        hits = tuple(self.passages.widened(self._in_order(example, self._found(asked))))
        return Conversation(self._asked(asked, hits, self.prompts.refusal), hits)

    def _answered(self, example: Example, asked: str) -> Conversation:
        ranked = self.passages.ranked(asked, least=self.shown)
        sentences = self._evidence(example, ranked)
        right = list({sentence.hit.chunk_id: sentence.hit for sentence in sentences}.values())
        chosen = self._with_distractors(example, right, ranked)
        hits = tuple(self.passages.widened(self._in_order(example, chosen)))
        numbers = {hit.chunk_id: n for n, hit in enumerate(hits, start=1)}
        quoted = "\n".join(quote_line(one.text, numbers[one.hit.chunk_id]) for one in sentences)
        answer = quoted if self.embedded else self._written(example, hits, right, numbers) or quoted
        messages = self._asked(asked, hits, answer)
        self._check(messages)
        first = {hit.chunk_id for hit in ranked[: self.shown]}
        chunks = frozenset(hit.chunk_id for hit in right)
        return Conversation(messages, hits, chunks, put_in=not chunks <= first)

    def _with_distractors(self, example: Example, right: Sequence[Hit], ranked: Sequence[Hit]) -> list[Hit]:
        """The right passages with their scores, and the best others that do not hold an answer too.

        A right passage that was not among those searched scores no more than the last of them.
        """
        scores = {hit.chunk_id: hit.score for hit in ranked}
        last = min(scores.values(), default=0.0)
        texts = {hit.text for hit in right}
        pieces = pieces_of(example)
        others = [hit for hit in ranked if hit.text not in texts and not holds_any(hit.text, pieces)]
        scored = [replace(hit, score=scores.get(hit.chunk_id, last)) for hit in right]
        return [*scored, *others[: max(0, self.shown - len(right))]]

    def _in_order(self, example: Example, hits: Sequence[Hit]) -> list[Hit]:
        """`hits` in an order that the seed and what is asked decide, and nothing else."""
        return sorted(hits, key=lambda hit: sha256_hex(f"{self.seed}\0{example.asked}\0{hit.chunk_id}"))

    def _found(self, asked: str) -> tuple[Hit, ...]:
        hits = self.passages.ranked(asked, least=self.shown)[: self.shown]
        if not hits:
            raise LeftOutError(NOTHING_FOUND)
        return tuple(hits)

    def _asked(self, asked: str, hits: Sequence[Hit], answer: str) -> Messages:
        rendered = rendered_passages(hits, show_scores=self.embedded)
        messages = self.prompts.messages(passages=rendered, question=render_question(asked))
        return [*messages, _message("assistant", answer)]

    def _written(self, example: Example, hits: Sequence[Hit], right: Sequence[Hit], numbers: dict[str, int]) -> str:
        """The answer as a person wrote it, each statement with the marks of the right passages that hold it.

        Empty where none of them holds any of it: in service such an answer would become the refusal.
        """
        parts = []
        marked = False
        for statement in filter(str.strip, _MARKS.split(example.answer)):
            chosen = [numbers[hit.chunk_id] for hit in right]
            held = [n for n in chosen if cited_passages(f"{statement.strip()} [{n}]", hits)[1]]
            parts.append(statement + "".join(f" [{n}]" for n in held))
            marked = marked or bool(held)
        return "".join(parts).strip() if marked else ""

    def _post(self, example: Example, asked: str, hits: Sequence[Hit]) -> Messages:
        words = len(example.answer.split())
        messages = self._write_prompts.messages(
            topic=render_question(asked),
            passages=rendered_passages(hits, show_scores=False) if hits else "",
            refusal=self.prompts.refusal,
            words=-(-words // WORDS_ROUNDED_TO) * WORDS_ROUNDED_TO,
            style=example.style,
        )
        messages[-1]["content"] = messages[-1]["content"].strip()
        return [*messages, _message("assistant", example.answer)]

    def _chat(self, example: Example, asked: str, hits: Sequence[Hit]) -> Messages:
        given = [dict(message) for message in example.messages]
        if not hits:
            return given
        with_passages = self._asked(asked, hits, example.answer)
        before = given[:-2] if given[0]["role"] == "system" else [with_passages[0], *given[:-2]]
        return [*before, *with_passages[1:]]

    @cached_property
    def _write_prompts(self) -> WritePrompts:
        return load_write_prompts(self.prompts_dir)

    def _check(self, messages: Messages) -> None:
        """What the embedded trainer could not learn from is found here, and not when the file is uploaded."""
        if not self.embedded:
            return
        from rag_assets.models.embedded.reader.tuning import example_from_messages

        try:
            example_from_messages(messages)
        except InvalidRequestError as error:
            raise LeftOutError(error.problem) from None


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
