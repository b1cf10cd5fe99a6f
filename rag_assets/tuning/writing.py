"""A text about a topic, in the style of the examples, from what the released documents say.

The model that serves writes it, a tuned one if one does. The embedded reader writes nothing of its own: it quotes the
sentences that say most about the topic, in no style but theirs, and the result says so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.answering import Citation, check_question, cited_passages, rendered_passages
from rag_assets.config import ModelSettings
from rag_assets.errors import ConfigurationError, QueryError, RagAssetsError
from rag_assets.models.embedded.prompt_format import render_question
from rag_assets.prompts.writing import load_write_prompts
from rag_assets.tuning.styles import StyleText, texts_of_style

if TYPE_CHECKING:
    from rag_assets.answering import AnswerPipeline
    from rag_assets.ledger import OnRecord
    from rag_assets.models.chat import ChatResult
    from rag_assets.project import Project
    from rag_assets.releasing import ReleaseContent
    from rag_assets.store import Hit

PASSAGES = 8
"""A text needs more ground than an answer; eight passages of 240 tokens leave room in the smallest models."""
TOKENS_PER_WORD = 2
"""Room for the answer: English has 1.3 tokens a word, other languages more, and marks of citations come on top."""
WORDS = 300
TITLE_CHARACTERS = 200
ASSET = "write"
"""What its cost is recorded under."""


@dataclass(frozen=True, slots=True)
class Written:
    """A text with what it stands on. `only_quotes`: the model cannot write, and the text is quotes alone.

    `grounded` is false where no statement could be found in the passages: then nothing of it is proved. `model` is what
    wrote it, and `released_model` what the release names: they differ where a tuned model is gone and its base wrote.
    """

    answer_id: str
    topic: str
    style: str | None
    text: str
    grounded: bool
    only_quotes: bool
    citations: tuple[Citation, ...]
    release: str
    model: str
    released_model: str
    usage: dict[str, int]
    cost_usd: float | None
    latency_ms: float
    picture: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def write(
    project: Project,
    topic: str,
    *,
    style: str | None = None,
    words: int = WORDS,
    sources: Sequence[str] | None = None,
    groups: Collection[str] = (),
    picture: Path | None = None,
) -> Written:
    """Writes about `topic`, and draws a `picture` to that file if one is named. The text is recorded like an answer.

    Raises `ConfigurationError` for a style that no set of examples teaches, `QueryError` where the documents say
    nothing about the topic, `NoReleaseError`, and a `ModelError` when a model fails. What was written before a picture
    fails is recorded, so that it is not lost.
    """
    from rag_assets.ledger import OnRecord, new_answer_id
    from rag_assets.releasing import ReleaseContent

    for name in sources or ():
        project.settings.source(name)
    if picture is not None:
        check_picture(project.settings.models, picture)
    shown = texts_of_style(project, style, topic)
    answer_id = new_answer_id()
    sink = project.ledger.usage_sink(asset=ASSET, answer_id=answer_id, limits=project.settings.spend)
    usage = OnRecord("text", sink)
    content = ReleaseContent.of(project.release(), project.ledger)
    start = time.perf_counter()
    with project.pipeline(_with_room_for(content, words), usage=usage, groups=groups) as pipeline:
        asked = check_question(topic, max_characters=pipeline.settings.max_question_characters)
        passages = pipeline.retriever.passages(asked, k=PASSAGES, sources=sources)
        if not passages:
            raise _nothing_about(asked)
        messages = _messages(project, pipeline, asked, passages, style=style, shown=shown, words=words)
        result = pipeline.chat.complete(messages)
        text, citations = _checked(result, pipeline.prompts.refusal, passages, asked)
        only_quotes, wrote = pipeline.show_scores, pipeline.chat.model
    done = Written(
        answer_id=answer_id,
        topic=asked,
        style=style,
        text=text,
        grounded=bool(citations),
        only_quotes=only_quotes,
        citations=citations,
        release=content.release_id,
        model=wrote,
        released_model=content.chat.model,
        usage={"input_tokens": result.input_tokens, "output_tokens": result.output_tokens},
        cost_usd=result.cost_usd,
        latency_ms=round((time.perf_counter() - start) * 1_000, 3),
    )
    with usage.where_possible():
        _record(project, done)
    return done if picture is None else _illustrated(project, done, picture, usage)


def _with_room_for(content: ReleaseContent, words: int) -> ReleaseContent:
    """`content` with a chat model that may answer with so many words."""
    room = max(content.chat.max_output_tokens, words * TOKENS_PER_WORD)
    return replace(content, chat=content.chat.model_copy(update={"max_output_tokens": room}), release=None)


def _illustrated(project: Project, done: Written, picture: Path, usage: OnRecord) -> Written:
    """`done` with its picture drawn. An error says that the text is kept."""
    try:
        _draw(project, done, picture, usage)
    except RagAssetsError as error:
        kept = f"The text was written all the same, and is kept as the answer {done.answer_id}."
        raise type(error)(error.problem, fix=f"{error.fix} {kept}".strip()) from None
    return replace(done, picture=str(picture))


def _messages(
    project: Project,
    pipeline: AnswerPipeline,
    topic: str,
    passages: Sequence[Hit],
    *,
    style: str | None,
    shown: Sequence[StyleText],
    words: int,
) -> list[dict[str, str]]:
    """What the model is asked: the embedded reader like any question, for it does not read what else is said."""
    rendered = rendered_passages(passages, show_scores=pipeline.show_scores)
    asked = render_question(topic)
    if pipeline.show_scores:
        return pipeline.prompts.messages(passages=rendered, question=asked)
    folder = project.settings.prompts_dir
    prompts = load_write_prompts(project.settings.resolve(folder) if folder else None)
    return prompts.messages(
        topic=asked,
        passages=rendered,
        refusal=pipeline.prompts.refusal,
        words=words,
        style=style,
        shown=[(one.topic, one.text) for one in shown],
    )


def _checked(result: ChatResult, refusal: str, passages: Sequence[Hit], topic: str) -> tuple[str, tuple[Citation, ...]]:
    """The text with the citations that hold. Raises `QueryError` for a refusal and for an empty answer."""
    if not result.text.strip() or result.text.strip().startswith(refusal):
        raise _nothing_about(topic)
    return cited_passages(result.text, passages)


def _nothing_about(topic: str) -> QueryError:
    return QueryError(
        f"The released documents say nothing about {topic!r}.",
        fix="Ask for something they cover (rag-assets search shows what there is), or add a source.",
    )


def _record(project: Project, done: Written) -> None:
    values = done.to_dict()
    project.ledger.record_answer(
        answer_id=done.answer_id,
        release_id=done.release,
        question=f"Write about: {done.topic}",
        answer=done.text,
        answerable=done.grounded,
        citations=values["citations"],
        model=done.model,
        usage=done.usage,
        cost_usd=done.cost_usd,
        latency_ms=done.latency_ms,
    )


def check_picture(models: ModelSettings, file: Path) -> None:
    """Raises `ConfigurationError` where nothing can be drawn or `file` cannot be written, before anything is paid."""
    from rag_assets.models.pictures import check_can_draw

    if file.is_dir() or not file.resolve().parent.is_dir():
        raise ConfigurationError(
            f"The picture cannot be written to {file}.", fix="Name a file in a folder that exists."
        )
    check_can_draw(models)


def _draw(project: Project, done: Written, file: Path, usage: OnRecord) -> None:
    from rag_assets.models.pictures import draw

    title = done.text.strip().splitlines()[0][:TITLE_CHARACTERS]
    prompt = f"A picture without any lettering for a text with the title {title!r}, about: {done.topic}"
    made = draw(project.settings.models, prompt, usage=usage, limits=project.ledger)
    with tempfile.NamedTemporaryFile(dir=file.resolve().parent, delete=False) as partial:
        partial.write(made)
    Path(partial.name).replace(file)
