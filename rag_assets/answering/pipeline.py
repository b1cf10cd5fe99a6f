"""The steps of an answer, in order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rag_assets.answering.answer import Answer, Citation
from rag_assets.answering.guard import check_question
from rag_assets.answering.observers import Observer, observed
from rag_assets.answering.prompting import rendered_passages
from rag_assets.answering.retrieve import Retriever
from rag_assets.answering.verify import cited_passages
from rag_assets.config import AnsweringSettings
from rag_assets.models.chat import Chat, ChatResult
from rag_assets.models.embedded.prompt_format import render_question
from rag_assets.prompts import Prompts
from rag_assets.store import Hit


@dataclass(frozen=True, slots=True)
class AnswerPipeline:
    """Answers questions from one release.

    `show_scores` puts the retriever's scores into the prompt, for the extractive reader weighs them. To a generative
    model they say nothing, and they move with every edit of any document, so that no prompt would be like an earlier
    one.
    """

    release: str
    retriever: Retriever
    chat: Chat
    prompts: Prompts
    settings: AnsweringSettings
    observers: tuple[Observer, ...] = ()
    show_scores: bool = True

    def ask(self, question: str, *, answer_id: str, sources: Sequence[str] | None = None) -> Answer:
        """Answers `question`; `answer_id` is what its model calls are recorded with.

        Raises `QueryError` for a question that cannot be answered as it stands, `ModelError` when a model fails.
        """
        start = time.perf_counter()
        with observed(self.observers, "guard", answer_id) as step:
            asked = check_question(question, max_characters=self.settings.max_question_characters)
            step.attributes["characters"] = len(asked)
        with observed(self.observers, "retrieve", answer_id) as step:
            passages = self.retriever.passages(asked, k=self.settings.passages, sources=sources)
            step.attributes["chunk_ids"] = [hit.chunk_id for hit in passages]
        result = self._generate(asked, passages, answer_id)
        with observed(self.observers, "verify", answer_id) as step:
            text, citations = self._verify(result, passages)
            step.attributes["citations"] = len(citations)
        return Answer(
            answer_id=answer_id,
            question=asked,
            answer=text,
            answerable=bool(citations),
            citations=citations,
            release=self.release,
            model=self.chat.model,
            usage={"input_tokens": result.input_tokens, "output_tokens": result.output_tokens} if result else {},
            cost_usd=result.cost_usd if result else 0.0,
            latency_ms=round((time.perf_counter() - start) * 1_000, 3),
        )

    def _generate(self, question: str, passages: Sequence[Hit], answer_id: str) -> ChatResult | None:
        """None when nothing was found: no model is asked about nothing."""
        if not passages:
            return None
        rendered = rendered_passages(passages, show_scores=self.show_scores)
        messages = self.prompts.messages(passages=rendered, question=render_question(question))
        with observed(self.observers, "generate", answer_id) as step:
            result = self.chat.complete(messages)
            step.attributes |= {"input_tokens": result.input_tokens, "output_tokens": result.output_tokens}
            step.attributes["cost_usd"] = result.cost_usd
        return result

    def _verify(self, result: ChatResult | None, passages: Sequence[Hit]) -> tuple[str, tuple[Citation, ...]]:
        """An answer that cites nothing it stands on is no answer from the documents: it becomes the refusal."""
        if result is None or result.text.strip().startswith(self.prompts.refusal):
            return self.prompts.refusal, ()
        text, citations = cited_passages(result.text, passages)
        return (text, citations) if citations else (self.prompts.refusal, ())
