"""One golden question through the pipeline that users are answered by."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag_assets.answering import Answer, AnswerPipeline, check_question
from rag_assets.errors import ConfigurationError, ModelError, QueryError, RagAssetsError
from rag_assets.evaluation.answer_metrics import without_marks
from rag_assets.evaluation.judge import Judge, Judgement
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.replay import RememberedQueries, ReplayedChat
from rag_assets.evaluation.retrieval_metrics import RANKS, Ranking, ranking
from rag_assets.ledger import new_answer_id
from rag_assets.models.chat import Chat

NOTHING_FOUND = Ranking((), ())
CHUNKS_MAX = 100
"""The most passages a search returns."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question got: a ranking, and an answer or the error instead. `judge_error` is the judge's alone.

    A chat model that fails takes the answer only: what was found before it was asked is ranked all the same.
    """

    question: GoldenQuestion
    answer: Answer | None
    latency_ms: float
    ranking: Ranking = NOTHING_FOUND
    judgement: Judgement | None = None
    error: RagAssetsError | None = None
    judge_error: ModelError | None = None

    @property
    def repeatable(self) -> bool:
        """Whether asking again would give the same, so that it need not be asked again."""
        return self.error is None and self.judge_error is None


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks questions of one release content. Thread safe as far as its parts are."""

    pipeline: AnswerPipeline
    queries: RememberedQueries
    replayed: Callable[[Chat], ReplayedChat]
    judge: Judge | None
    sources: Sequence[str] | None

    def ask(self, question: GoldenQuestion) -> Asked:
        """Asks exactly as a user would, then ranks what was found. Failures of models are part of the result.

        What is wrong with the project itself (its tables, its configuration) is raised.
        """
        started = time.perf_counter()
        chat = self.replayed(self.pipeline.chat)
        pipeline = replace(self.pipeline, chat=chat)
        try:
            answer = pipeline.ask(question.question, answer_id=new_answer_id(), sources=self.sources)
        except ConfigurationError:
            raise
        except (ModelError, QueryError) as error:
            latency_ms = (time.perf_counter() - started) * 1_000
            # Whoever was asked was given passages, so the search works and the question is embedded already.
            found = self._ranking(question) if chat.asked else NOTHING_FOUND
            return Asked(question, None, latency_ms, found, error=error)
        latency_ms = answer.latency_ms + chat.replayed_ms + self.queries.replayed_ms(answer.question)
        # After the answer, so that the question is embedded inside the time of the answer.
        asked = Asked(question, answer, latency_ms, self._ranking(question))
        try:
            return replace(asked, judgement=self._judgement(question, answer))
        except ModelError as error:
            return replace(asked, judge_error=error)

    def _ranking(self, question: GoldenQuestion) -> Ranking:
        if not question.expected:
            return NOTHING_FOUND
        asked = check_question(question.question, max_characters=self.pipeline.settings.max_question_characters)
        settings = self.pipeline.retriever.settings
        # As deep as the candidates that an answer's own search fuses: asking for more would rank by another pool.
        k = min(CHUNKS_MAX, max(settings.candidates, 2 * self.pipeline.settings.passages, RANKS))
        return ranking(question, self.pipeline.retriever.retrieve(asked, k=k, sources=self.sources))

    def _judgement(self, question: GoldenQuestion, answer: Answer) -> Judgement | None:
        """None where there is nothing to compare with. A refusal is no answer, and nobody need be asked about it."""
        if self.judge is None or not question.answers:
            return None
        if not answer.answerable:
            return Judgement(False, "")
        return self.judge.judge(question.question, question.answers, without_marks(answer.answer))
