"""From what questions got to results with scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rag_assets.evaluation.answer_metrics import answer_scores, failed_scores
from rag_assets.evaluation.asking import Asked
from rag_assets.evaluation.model import JUDGE_FAILED, GoldenQuestion, ItemResult
from rag_assets.evaluation.places import Placement
from rag_assets.evaluation.retrieval_metrics import retrieval_scores
from rag_assets.ledger import EvaluationItem
from rag_assets.store.sql import any_of, in_groups


def scored(handle: Any, done: Sequence[Asked], placement: Placement, *, judged: bool) -> list[ItemResult]:
    """The results of some questions. `handle`: the index that answered; `judged`: whether there is a judge."""
    texts = _texts(handle, {citation.chunk_id for asked in done if asked.answer for citation in asked.answer.citations})
    found = retrieval_scores({asked.question.question_hash: (asked.question, asked.ranking) for asked in done})
    return [
        _item(asked, found.get(asked.question.question_hash, {}), texts, placement, judged=judged) for asked in done
    ]


def _texts(handle: Any, chunk_ids: set[str]) -> dict[str, str]:
    """The texts of chunks as the snapshot stores them."""
    texts: dict[str, str] = {}
    for group in in_groups(sorted(chunk_ids)):
        rows = handle.search().select(["chunk_id", "text"]).where(any_of("chunk_id", group)).to_arrow()
        texts.update(zip(rows["chunk_id"].to_pylist(), rows["text"].to_pylist(), strict=True))
    return texts


def _item(
    asked: Asked, found: Mapping[str, float], texts: Mapping[str, str], placement: Placement, *, judged: bool
) -> ItemResult:
    question, answer = asked.question, asked.answer
    if answer is None:
        scores = {**found, **failed_scores(question, judged=judged)}
        citations: list[Mapping[str, Any]] = []
    else:
        # As they come back from the ledger, so that a new result and the same one reused are equal.
        citations = json.loads(json.dumps(answer.to_dict()["citations"]))
        scores = {
            **found,
            **answer_scores(
                question, answer=answer.answer, refused=not answer.answerable, citations=citations, texts=texts
            ),
        }
        if asked.judgement is not None or asked.judge_error is not None:
            scores["judge"] = float(asked.judgement is not None and asked.judgement.correct)
    return ItemResult(
        question_id=question.question_id,
        question_hash=question.question_hash,
        question=question.question,
        tags=question.tags,
        sources=placement.sources[question.question_id],
        answerable=question.answerable,
        scores=scores,
        retrieved=asked.ranking.passages,
        answer=answer.answer if answer else "",
        refused=answer is not None and not answer.answerable,
        citations=tuple(citations),
        latency_ms=asked.latency_ms,
        cost_usd=answer.cost_usd if answer else None,
        error=str(asked.error) if asked.error else None,
        judged=_judged(asked),
    )


def _judged(asked: Asked) -> str:
    if asked.judge_error is not None:
        return f"{JUDGE_FAILED}: {asked.judge_error}"
    return asked.judgement.said if asked.judgement else ""


def kept(measured_id: str, item: ItemResult) -> EvaluationItem:
    """A result as the ledger keeps it."""
    return EvaluationItem(
        measured_id=measured_id,
        question_hash=item.question_hash,
        question_id=item.question_id,
        scores=dict(item.scores),
        result=item.to_dict(),
        latency_ms=item.latency_ms,
        cost_usd=item.cost_usd,
    )


def reused_item(stored: EvaluationItem, question: GoldenQuestion, placement: Placement) -> ItemResult:
    """A kept result under the question's present id and tags, which are no part of what was asked."""
    return replace(
        ItemResult.from_dict(stored.result),
        question_id=question.question_id,
        question=question.question,
        tags=question.tags,
        sources=placement.sources[question.question_id],
    )
