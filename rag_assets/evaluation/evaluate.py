"""Asks release content all golden questions and scores what comes back; what was asked before is not asked again.

Results are kept in the ledger by `measured_id` and the question's hash as they arrive, so that an evaluation that was
stopped goes on where it was, and an edited question is the only one that is asked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from rag_assets.errors import RagAssetsError
from rag_assets.evaluation.asking import Asked, Asker
from rag_assets.evaluation.judge import Judge, judge_models
from rag_assets.evaluation.model import Evaluation, GoldenQuestion, ItemResult
from rag_assets.evaluation.outages import OutageWatch
from rag_assets.evaluation.places import Placement, place_questions
from rag_assets.evaluation.question_table import questions_version
from rag_assets.evaluation.replay import RememberedQueries, ReplayedChat
from rag_assets.evaluation.scoring import kept, reused_item, scored
from rag_assets.evaluation.summary import by_group, summarise
from rag_assets.fingerprints import fingerprint
from rag_assets.models.bounded import run_bounded
from rag_assets.prompts import load_judge_prompt

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project
    from rag_assets.releasing import ReleaseContent

EVALUATOR = "evaluator@1"
"""Part of what every result is kept under: another number asks everything anew."""
ITEMS_AT_ONCE = 8
EMBEDDED_WORKERS = 2

Progress = Callable[[str, int, int], None]


def evaluate(
    project: Project,
    content: ReleaseContent,
    questions: Sequence[GoldenQuestion],
    *,
    sources: Sequence[str] | None = None,
    usage: UsageSink | None = None,
    progress: Progress = lambda what, done, total: None,
    baseline: bool = False,
    since: datetime | None = None,
) -> Evaluation:
    """Measures `content` with `questions`; `sources` narrows every search. Records items, and nothing else.

    With `since`, only what was asked from that moment on counts, kept apart from all other results; and no outage is
    passed over, for what it kept from being answered would look like a worse model.

    A question that cannot be answered scores 0 in what its answer is scored by and is asked again the next time. Raises
    `ModelError` when the models are out of order for too many of the questions (see `outages.py`; something is to be
    compared with a `baseline`, so that it may miss fewer), `ConfigurationError` and `StoreError`.
    """
    snapshot = content.snapshot
    measured = measured_id(project, content, sources, since)
    placement = place_questions(project.store.open_at(snapshot.table, snapshot.version), questions, sources)
    asked = [question for question in questions if question.question_id not in placement.orphaned]
    stored = project.ledger.items(measured, [question.question_hash for question in asked])
    items = {
        question.question_hash: reused_item(stored[question.question_hash], question, placement)
        for question in asked
        if question.question_hash in stored
    }
    to_ask = {question.question_hash: question for question in asked if question.question_hash not in items}
    reused = len(items)
    if to_ask:
        watch = OutageWatch(reused + len(to_ask), len(to_ask), baseline=baseline, spared=since is None)
        with _asker(project, content, sources, usage, since) as asker:
            for item in _measure(
                project,
                asker,
                list(to_ask.values()),
                measured_id=measured,
                placement=placement,
                workers=_workers(project, content),
                watch=watch,
            ):
                items[item.question_hash] = item
                progress("questions", len(items), reused + len(to_ask))
        watch.finish()
    ordered = tuple(items[question.question_hash] for question in asked)
    samples = project.settings.evaluation.bootstrap_samples
    version = questions_version(questions)
    return Evaluation(
        evaluation_id=fingerprint(measured=measured, questions=version),
        measured_id=measured,
        release_id=content.release_id,
        snapshot_id=snapshot.snapshot_id,
        questions_version=version,
        items=ordered,
        metrics=summarise(ordered, samples=samples),
        by_source=by_group(ordered, lambda item: item.sources, samples=samples),
        by_tag=by_group(ordered, lambda item: item.tags, samples=samples),
        orphaned=placement.orphaned,
        reused_items=reused,
    )


def measured_id(
    project: Project,
    content: ReleaseContent,
    sources: Sequence[str] | None = None,
    since: datetime | None = None,
) -> str:
    """What results are kept under in the ledger: what answers, how that is measured, where it searches, since when."""
    judge = project.settings.evaluation.judge
    from_when = {} if since is None else {"since": since.isoformat()}
    return fingerprint(
        **from_when,
        evaluator=EVALUATOR,
        content=content.content_hash,
        judge={"model": judge.model_dump(mode="json"), "prompt": judge_prompt(project)} if judge else None,
        sources=sorted(set(sources)) if sources is not None else None,
    )


def judge_prompt(project: Project) -> str:
    """The template that a judge is asked with."""
    folder = project.settings.prompts_dir
    return load_judge_prompt(project.settings.resolve(folder) if folder else None)


@contextmanager
def _asker(
    project: Project,
    content: ReleaseContent,
    sources: Sequence[str] | None,
    usage: UsageSink | None,
    since: datetime | None,
) -> Iterator[Asker]:
    """Everything that is needed to ask, with models that are not paid for the same twice."""
    from rag_assets.models.chat import ChatModel
    from rag_assets.models.embedding_space import embedding_space

    providers = project.settings.models.all_providers()
    judging = project.settings.evaluation.judge
    with project.pipeline(content, usage=usage, everything=True) as pipeline:
        space = embedding_space(project.settings.models.model_copy(update={"embedding": content.embedding}))
        queries = RememberedQueries(
            pipeline.retriever.embedder, project.ledger, space.fingerprint, providers[content.embedding.provider]
        )
        pipeline = replace(pipeline, retriever=replace(pipeline.retriever, embedder=queries))
        replayed = partial(
            ReplayedChat,
            ledger=project.ledger,
            settings=content.chat,
            provider=providers[content.chat.provider],
            since=since,
        )
        if judging is None:
            yield Asker(pipeline, queries, replayed, None, sources)
            return
        models = judge_models(judging, project.settings.models)
        with ChatModel(models, usage, limits=project.ledger) as chat:
            judges = partial(
                ReplayedChat,
                chat,
                ledger=project.ledger,
                settings=models.chat,
                provider=providers[judging.provider],
                since=since,
            )
            yield Asker(pipeline, queries, replayed, Judge(judge_prompt(project), judges), sources)


def _measure(
    project: Project,
    asker: Asker,
    questions: Sequence[GoldenQuestion],
    *,
    measured_id: str,
    placement: Placement,
    workers: int,
    watch: OutageWatch,
) -> Iterator[ItemResult]:
    """Results as they arrive, a few at a time; what can be reused is in the ledger before it is yielded."""
    judged = asker.judge is not None
    waiting: list[Asked] = []

    def settled() -> list[ItemResult]:
        done = list(waiting)
        waiting.clear()
        items = scored(asker.pipeline.retriever.table, done, placement, judged=judged)
        repeatable = [item for item, asked in zip(items, done, strict=True) if asked.repeatable]
        project.ledger.record_items([kept(measured_id, item) for item in repeatable])
        return items

    try:
        for asked in run_bounded(partial(_ask, asker), questions, workers):
            waiting.append(asked)
            watch.note(asked.error or asked.judge_error)
            if len(waiting) >= ITEMS_AT_ONCE:
                yield from settled()
    finally:
        # Also when the evaluation is given up or interrupted: what was answered is paid for.
        last = settled()
    yield from last


def _ask(asker: Asker, question: GoldenQuestion) -> tuple[list[Asked], Exception | None]:
    try:
        return [asker.ask(question)], None
    except RagAssetsError as error:
        return [], error


def _workers(project: Project, content: ReleaseContent) -> int:
    """How many questions at once: as many requests as the slowest kind of provider takes at once."""
    judge = project.settings.evaluation.judge
    roles = [content.embedding.provider, content.chat.provider, *([judge.provider] if judge else [])]
    providers = project.settings.models.all_providers()
    waited = [providers[name].max_concurrency for name in roles if providers[name].kind != "embedded"]
    return min(waited) if waited else EMBEDDED_WORKERS
