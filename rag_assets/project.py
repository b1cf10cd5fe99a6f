"""One configured project: its settings and the parts they name, each opened when it is first used.

This is where settings meet the store, the ledger, the models and the pipeline; Dagster's resources, the command line
and notebooks all hold a `Project` and nothing below it reads settings of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.config import RetrievalSettings, Settings
from rag_assets.config_file import load_settings
from rag_assets.errors import NoReleaseError
from rag_assets.memory import give_back
from rag_assets.prompts import Prompts, load_prompts

if TYPE_CHECKING:
    import openai

    from rag_assets.answering import Answer, AnswerPipeline, Observer, Retriever
    from rag_assets.documents.connectors import Connector
    from rag_assets.ingestion import Generation
    from rag_assets.ledger import Denied, Ledger, Release, Snapshot
    from rag_assets.models.embedder import Embedder
    from rag_assets.models.pacing import SharedLimits
    from rag_assets.models.usage import UsageSink
    from rag_assets.releasing import ReleaseContent
    from rag_assets.store import Hit, IndexTable, Store


@dataclass(frozen=True)
class Project:
    """The parts of one project. `close` it when it is no longer needed, or use it in a `with` statement."""

    settings: Settings

    @classmethod
    def open(cls, config_file: Path | None = None, environment: Mapping[str, str] | None = None) -> Project:
        """Reads the configuration now. Raises `ConfigurationError`."""
        return cls(load_settings(config_file, environment))

    @cached_property
    def store(self) -> Store:
        """The tables."""
        from rag_assets.store import Store

        return Store(
            self.settings.store_uri,
            lock_dir=self.settings.data_path / "locks",
            lock_timeout_seconds=self.settings.store.lock_timeout_seconds,
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, migrated to the newest schema."""
        from rag_assets.ledger import Ledger

        return Ledger(self.settings.ledger_url)

    @cached_property
    def prompts(self) -> Prompts:
        """The prompt templates that the next release will have."""
        folder = self.settings.prompts_dir
        return load_prompts(self.settings.resolve(folder) if folder else None)

    @cached_property
    def generation(self) -> Generation:
        """The parsers, chunker and embedding space that the configuration asks for now."""
        from rag_assets.ingestion.generation import configured_generation

        return configured_generation(self.settings)

    @property
    def _limits(self) -> SharedLimits | None:
        """Where the turns of requests to providers are kept, for all processes; None where nothing goes over HTTP."""
        models = self.settings.models
        providers = models.all_providers()
        over_http = any(providers[role.provider].kind == "openai" for role in (models.embedding, models.chat))
        return self.ledger if over_http or models.providers else None

    @property
    def index(self) -> IndexTable:
        """The index of the present generation."""
        generation = self.generation
        return self.store.vector_index(generation.id, generation.space.dimension, retrieval=self.settings.retrieval)

    def embedder(self, usage: UsageSink | None = None, client: Callable[[], openai.OpenAI] | None = None) -> Embedder:
        """The configured embedding model; its calls are recorded in `usage`, and go through what `client` gives."""
        from rag_assets.models.embedder import Embedder

        return Embedder(self.settings.models, usage, client, limits=self._limits)

    def connector(self, source: str, *, fetch: bool = False, keep: bool = True) -> Connector:
        """What lists and loads the documents of `source`. Raises `UnknownSourceError`.

        What a remote source gave is kept and read again from there, by another parser for one, while the source lists
        the document unchanged. With `fetch` every document that is loaded is fetched; with `keep` False nothing is
        added to what is kept.
        """
        from rag_assets.ingestion.fetching import source_connector

        return source_connector(source, self.settings, self.store, fetch=fetch, keep=keep)

    def forget_source(self, name: str) -> None:
        """Denies a source that left the configuration at once, then drops its documents and chunks."""
        from rag_assets.ingestion.vanished import forget_source

        forget_source(name, self.store, self.ledger)

    def token_limits(self, source: str) -> dict[str, int]:
        """What the chunks of `source` are held to: the source's budget, and what the model reads of one input."""
        from rag_assets.models.catalog import embedding_model

        return {
            "budget_tokens": self.settings.source(source).token_budget,
            "max_input_tokens": embedding_model(self.settings.models.embedding).max_input_tokens,
        }

    @property
    def spool_dir(self) -> Path:
        """Where vectors are kept between their arrival and their table."""
        return self.settings.data_path / "spool"

    @property
    def source_names(self) -> tuple[str, ...]:
        """The configured sources, sorted."""
        return tuple(sorted(self.settings.sources))

    def release(self, release_id: str | None = None) -> Release:
        """The release with this id, or the serving one. Raises `NoReleaseError`."""
        release = self.ledger.release(release_id) if release_id else self.ledger.serving()
        if release is None:
            what = f"There is no release {release_id!r}." if release_id else "Nothing is released yet."
            fix = "List them with: rag-assets releases list" if release_id else "Run: rag-assets ingest --all"
            raise NoReleaseError(what, fix=fix)
        return release

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot with this id. Raises `NoReleaseError`."""
        snapshot = self.ledger.snapshot(snapshot_id)
        if snapshot is None:
            raise NoReleaseError(f"There is no snapshot {snapshot_id!r}.", fix="Run: rag-assets ingest --all")
        return snapshot

    def visible_sources(self, groups: Collection[str] = ()) -> frozenset[str]:
        """The configured sources that a member of `groups` may see: those for everyone, and those of a group."""
        allowed = {name: source.allowed_groups for name, source in self.settings.sources.items()}
        return frozenset(name for name, names in allowed.items() if not names or set(names) & set(groups))

    def content(self, snapshot: Snapshot) -> ReleaseContent:
        """What a release of `snapshot` would be made of now: the configured prompts, models and settings.

        The champion, if there is one, is carried forward in the place of the configured chat model, as long as it was
        tuned from that and its provider still has it.
        """
        from rag_assets.releasing import ReleaseContent
        from rag_assets.releasing.champion import chat_of, present_champion

        settings = self.settings
        return ReleaseContent(
            snapshot=snapshot,
            prompts=self.prompts,
            chat=chat_of(present_champion(self.ledger, settings.models), settings.models),
            embedding=settings.models.embedding,
            retrieval=RetrievalSettings.model_validate(snapshot.retrieval),
            answering=settings.answering,
        )

    @contextmanager
    def retriever(
        self,
        answering: Release | ReleaseContent,
        *,
        usage: UsageSink | None = None,
        groups: Collection[str] = (),
        everything: bool = False,
    ) -> Iterator[Retriever]:
        """Searches exactly the rows that a release or its content pins, as far as a member of `groups` may see them.

        With `everything`, all of them, whoever may see them and whatever was revoked since: for an evaluation, which
        depends on nothing but what it measures. Never answer a person from that.
        """
        from rag_assets.answering import Retriever, check_built_in, make_reranker
        from rag_assets.models.embedder import Embedder
        from rag_assets.releasing import models_of

        content = self._content_of(answering)
        snapshot = content.snapshot
        check_built_in(content.retrieval, RetrievalSettings.model_validate(snapshot.retrieval))
        with Embedder(models_of(content, self.settings.models), usage, limits=self._limits) as embedder:
            yield Retriever(
                table=self.store.open_at(snapshot.table, snapshot.version, tag=snapshot.tag),
                embedder=embedder,
                settings=content.retrieval,
                denied=_nothing_denied if everything else self.ledger.denied,
                visible_sources=frozenset(snapshot.sources) if everything else self.visible_sources(groups),
                reranker=make_reranker(content.retrieval, content.embedding),
            )

    def _content_of(self, answering: Release | ReleaseContent) -> ReleaseContent:
        from rag_assets.releasing import ReleaseContent

        return answering if isinstance(answering, ReleaseContent) else ReleaseContent.of(answering, self.ledger)

    @contextmanager
    def pipeline(
        self,
        answering: Release | ReleaseContent | None = None,
        *,
        usage: UsageSink | None = None,
        groups: Collection[str] = (),
        observers: Sequence[Observer] = (),
        everything: bool = False,
    ) -> Iterator[AnswerPipeline]:
        """Answers from a release or its content, by default from the serving release; see `retriever`.

        Where its chat model is a tuned one that the provider does not have any more, the base of that answers; not so
        with `everything`, which measures exactly what is named. Raises `NoReleaseError`.
        """
        from rag_assets.answering import AnswerPipeline, StepUsage
        from rag_assets.models.chat import ChatModel
        from rag_assets.releasing import models_of
        from rag_assets.releasing.champion import answering_chat

        content = self._content_of(answering or self.release())
        sink, models = StepUsage(usage), models_of(content, self.settings.models)
        with (
            self.retriever(content, usage=sink, groups=groups, everything=everything) as retriever,
            ChatModel(models, sink, limits=self._limits)
            if everything
            else answering_chat(models, self.ledger, sink, limits=self._limits) as chat,
        ):
            yield AnswerPipeline(
                release=content.release_id,
                retriever=retriever,
                chat=chat,
                prompts=content.prompts,
                settings=content.answering,
                observers=tuple(observers),
                show_scores=self.settings.models.all_providers()[content.chat.provider].kind == "embedded",
            )

    def search(
        self,
        query: str,
        *,
        k: int | None = None,
        sources: Sequence[str] | None = None,
        groups: Collection[str] = (),
        observers: Sequence[Observer] = (),
    ) -> tuple[str, list[Hit]]:
        """The serving release's id and its best passages for `query`, best first; see `retriever` for `groups`.

        `observers` are told of the steps `guard` and `retrieve`, under an id that names no answer.
        """
        from rag_assets.answering import StepUsage, check_question, observed
        from rag_assets.ledger import OnRecord, new_answer_id

        search_id = new_answer_id()
        with observed(observers, "guard", search_id) as step:
            asked = check_question(query, max_characters=self.settings.answering.max_question_characters)
            step.attributes["characters"] = len(asked)
        release = self.release()
        for name in sources or ():
            self.settings.source(name)
        usage = StepUsage(OnRecord("search", self.ledger.usage_sink(asset="search", limits=self.settings.spend)))
        with self.retriever(release, usage=usage, groups=groups) as retriever:
            with observed(observers, "retrieve", search_id) as step:
                hits = retriever.retrieve(asked, k=k, sources=sources)
                step.attributes["chunk_ids"] = [hit.chunk_id for hit in hits]
            return release.release_id, hits

    def ask(
        self,
        question: str,
        *,
        sources: Sequence[str] | None = None,
        groups: Collection[str] = (),
        observers: Sequence[Observer] = (),
    ) -> Answer:
        """An answer from the serving release; see `retriever` for `groups`. `observers` are told of every step.

        It is recorded in the ledger; where that takes no rows, a warning says so.
        """
        from rag_assets.ledger import OnRecord, new_answer_id

        for name in sources or ():
            self.settings.source(name)
        answer_id = new_answer_id()
        sink = self.ledger.usage_sink(asset="answers", answer_id=answer_id, limits=self.settings.spend)
        usage = OnRecord("answer", sink)
        with self.pipeline(usage=usage, groups=groups, observers=observers) as pipeline:
            answer = pipeline.ask(question, answer_id=answer_id, sources=sources)
        with usage.where_possible():
            self.ledger.record_answer(
                answer_id=answer.answer_id,
                release_id=answer.release,
                question=answer.question,
                answer=answer.answer,
                answerable=answer.answerable,
                citations=answer.to_dict()["citations"],
                model=answer.model,
                usage=answer.usage,
                cost_usd=answer.cost_usd,
                latency_ms=answer.latency_ms,
            )
        return answer

    def close(self) -> None:
        """Closes what was opened, and gives back the memory that it took."""
        if "ledger" in self.__dict__:
            self.ledger.close()
        give_back()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _nothing_denied() -> Denied:
    from rag_assets.ledger import Denied

    return Denied(frozenset(), frozenset())
