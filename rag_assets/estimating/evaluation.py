"""What the golden questions would take: how many are asked anew, and at most how many calls of models that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag_assets.errors import NoReleaseError, QuestionsError
from rag_assets.estimating.model import EvaluationEstimate
from rag_assets.evaluation.configured import configured_questions
from rag_assets.evaluation.evaluate import judge_prompt, measured_id
from rag_assets.evaluation.judge import judge_models
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.replay import query_key, server_of
from rag_assets.evaluation.review import gate_questions, wanted_baselines
from rag_assets.fingerprints import data_version, fingerprint
from rag_assets.ledger import Snapshot
from rag_assets.models import catalog
from rag_assets.models.embedding_space import embedding_space
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.releasing import ReleaseContent, is_kept, require_kept
from rag_assets.releasing.snapshot import snapshot_identity

if TYPE_CHECKING:
    from rag_assets.project import Project

Pairs = dict[str, list[tuple[str, str]]]
MARKUP_TOKENS = 30
"""What the numbering and the titles around one passage take in a prompt, about."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """Release content and the questions that it has no result for."""

    content: ReleaseContent
    questions: list[GoldenQuestion]


def estimate_evaluation(project: Project, pairs: Pairs | None, *, mean_chunk_tokens: float) -> EvaluationEstimate:
    """Counts what a release of the settings of `project` would be asked.

    `pairs`: source → (chunk_id, row_hash) of every chunk that the snapshot would have; None where that is not known,
    and then every question counts as not asked yet.
    """
    try:
        questions = gate_questions(configured_questions(project))
    except QuestionsError as error:
        return EvaluationEstimate(problem=str(error))
    if not questions:
        return EvaluationEstimate()
    content = _candidate(project, pairs)
    candidate = _Asking(content, _unanswered(project, content, questions))
    baselines = list(_baselines(project, content, questions))
    return _counted(project, len(questions), candidate, baselines, mean_chunk_tokens)


def _candidate(project: Project, pairs: Pairs | None) -> ReleaseContent:
    """What would be released: of a snapshot that exists where its rows would be just those, else of a new one."""
    generation, retrieval = project.generation, project.settings.retrieval
    table = f"vector_index__{generation.id}"
    snapshot_id = "unknown"
    if pairs is not None:
        sources = {name: data_version(of_source, table) for name, of_source in sorted(pairs.items()) if of_source}
        snapshot_id = fingerprint(**snapshot_identity(generation, sources, retrieval))
        known = project.ledger.snapshot(snapshot_id)
        if known is not None and is_kept(project.store, known):
            return project.content(known)
    return project.content(
        Snapshot(
            snapshot_id=f"new {snapshot_id}",
            generation=generation.id,
            table=table,
            version=0,
            space=generation.space.name,
            tag=snapshot_id,
            retrieval=retrieval.model_dump(mode="json"),
            sources={},
            created_at=datetime.now(UTC),
        )
    )


def _unanswered(project: Project, content: ReleaseContent, questions: Sequence[GoldenQuestion]) -> list[GoldenQuestion]:
    known = project.ledger.items(measured_id(project, content), [question.question_hash for question in questions])
    return [question for question in questions if question.question_hash not in known]


def _baselines(project: Project, content: ReleaseContent, questions: Sequence[GoldenQuestion]) -> Iterable[_Asking]:
    """What the candidate would be compared with, as far as it can still be asked."""
    declared = project.settings.models.all_providers()
    wanted = wanted_baselines(project, content, questions, project.settings.evaluation)
    for release_id, _ in wanted.values():
        try:
            release = project.release(release_id)
            require_kept(project.store, project.ledger, release)
        except NoReleaseError:
            continue
        before = ReleaseContent.of(release, project.ledger)
        if {before.embedding.provider, before.chat.provider} <= declared.keys():
            yield _Asking(before, _unanswered(project, before, questions))


def _counted(
    project: Project, questions: int, candidate: _Asking, baselines: list[_Asking], mean_chunk_tokens: float
) -> EvaluationEstimate:
    found = EvaluationEstimate(
        questions=questions,
        to_ask=len(candidate.questions),
        baseline_to_ask=sum(len(one.questions) for one in baselines),
    )
    for asking in (candidate, *baselines):
        for calls in (_query_calls(project, asking), _chat_calls(project, asking, mean_chunk_tokens)):
            found = _plus(found, calls)
        found = _plus(found, _judge_calls(project, asking))
    return found


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls of one model; `kind` is the field of `EvaluationEstimate` that counts them."""

    kind: str
    calls: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


def _plus(found: EvaluationEstimate, calls: _Calls) -> EvaluationEstimate:
    known = found.estimated_cost_usd is not None and calls.cost_usd is not None
    return replace(
        found,
        estimated_input_tokens=found.estimated_input_tokens + calls.input_tokens,
        estimated_output_tokens=found.estimated_output_tokens + calls.output_tokens,
        estimated_cost_usd=(found.estimated_cost_usd or 0.0) + (calls.cost_usd or 0.0) if known else None,
        **{calls.kind: getattr(found, calls.kind) + calls.calls},
    )


def _query_calls(project: Project, asking: _Asking) -> _Calls:
    """The questions to embed; a paid model's vectors of earlier evaluations are in the ledger."""
    settings = project.settings.models
    embedding = asking.content.embedding
    provider = settings.all_providers()[embedding.provider]
    space = embedding_space(settings.model_copy(update={"embedding": embedding})).fingerprint
    texts = {question.question for question in asking.questions}
    if provider.kind != "embedded":
        texts = {
            text for text in texts if project.ledger.completion(query_key(server_of(provider), space, text)) is None
        }
    tokenizer = load_tokenizer(catalog.embedding_model(embedding).tokenizer)
    tokens = sum(tokenizer.count(embedding.query_prefix + text) + tokenizer.special_tokens for text in texts)
    return _Calls("query_embeddings", len(texts), tokens, 0, _cost(project, embedding.model, tokens, 0, provider.kind))


def _chat_calls(project: Project, asking: _Asking, mean_chunk_tokens: float) -> _Calls:
    """One answer for each question. Its prompt: the templates, the question, and as many passages of average length."""
    content, calls = asking.content, len(asking.questions)
    if not calls:
        return _Calls("answer_calls", 0)
    kind = project.settings.models.all_providers()[content.chat.provider].kind
    tokenizer = load_tokenizer(catalog.chat_encoding(content.chat.model))
    templates = tokenizer.count(content.prompts.system) + tokenizer.count(content.prompts.user)
    passages = round(content.answering.passages * (mean_chunk_tokens + MARKUP_TOKENS))
    questions = sum(tokenizer.count(question.question) for question in asking.questions)
    tokens = calls * (templates + passages) + questions
    output = calls * _output_tokens(project, content.chat.model, content.chat.max_output_tokens)
    return _Calls("answer_calls", calls, tokens, output, _cost(project, content.chat.model, tokens, output, kind))


def _judge_calls(project: Project, asking: _Asking) -> _Calls:
    """A verdict on each answer that there is an accepted one for."""
    judge = project.settings.evaluation.judge
    judged = [question for question in asking.questions if question.answers]
    if judge is None or not judged:
        return _Calls("judge_calls", 0)
    kind = project.settings.models.all_providers()[judge_models(judge, project.settings.models).chat.provider].kind
    tokenizer = load_tokenizer(catalog.chat_encoding(judge.model))
    answer = _output_tokens(project, asking.content.chat.model, asking.content.chat.max_output_tokens)
    tokens = len(judged) * (tokenizer.count(judge_prompt(project)) + answer) + sum(
        tokenizer.count(" ".join([question.question, *question.answers])) for question in judged
    )
    output = len(judged) * _output_tokens(project, judge.model, judge.max_output_tokens)
    return _Calls("judge_calls", len(judged), tokens, output, _cost(project, judge.model, tokens, output, kind))


def _output_tokens(project: Project, model: str, most: int) -> int:
    """What the model wrote on average in earlier calls; before the first, the most that it may write."""
    before = project.ledger.usage_by_model().get(model)
    return round(before.output_tokens / before.calls) if before and before.calls else most


def _cost(project: Project, model: str, tokens: int, output: int, kind: str) -> float | None:
    if not tokens and not output:
        return 0.0
    prices = project.settings.models.prices
    if kind == "embedded":
        return catalog.cost_usd(model, tokens, output, prices, kind="embedded")
    return catalog.cost_usd(model, tokens, output, prices)
