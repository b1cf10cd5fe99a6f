"""The retriever over a real table, a real ledger and the embedded models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rag_assets.answering import AnswerPipeline, Retriever, check_built_in, make_reranker
from rag_assets.config import AnsweringSettings, EmbeddingSettings, ModelSettings, RetrievalSettings
from rag_assets.errors import ConfigurationError
from rag_assets.fingerprints import chunk_id, document_id
from rag_assets.ledger import Ledger
from rag_assets.models.chat import ChatModel
from rag_assets.models.embedded.late_interaction import LateInteraction
from rag_assets.models.embedder import Embedder
from rag_assets.prompts import load_prompts
from rag_assets.store import Hit, Store

DOCUMENTS = {
    "gateway.md": [
        "The Alder gateway stands in front of every service of the plant and passes requests on.",
        "When a service behind the Alder gateway hangs, the gateway gives up.",
        "It waits for forty seconds, and then it answers with the code 504.",
        "Its certificates are renewed in the first week of March.",
    ],
    "pump.md": [
        "# Who designed the pump station at the old lock?",  # a heading, which is never quoted
        "The pump station was designed in 1931 by Maria Alder, an engineer of the water board.",
    ],
    "bread.md": ["Rye bread needs sourdough and a long rise.", "Bake it for fifty minutes in a hot oven."],
}


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    with Embedder(ModelSettings()) as opened:
        yield opened


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Any:
    folder = tmp_path_factory.mktemp("retrieve")
    index = Store(str(folder / "lancedb"), lock_dir=folder / "locks").vector_index("test", embedder.space.dimension)
    rows = [
        {
            "chunk_id": chunk_id(document_id("docs", uri), text, ordinal),
            "document_id": document_id("docs", uri),
            "source": "docs",
            "uri": uri,
            "title": "",
            "ordinal": ordinal,
            "document_chunks": len(chunks),
            "text": text,
            "input_hash": text,
            "token_count": len(embedder.tokenizer.starts(text)),
            "heading_path": [f"Part {ordinal}"],
            "start_offset": 0,
            "end_offset": len(text),
            "page": ordinal + 1,
            "allowed_groups": [],
            "document_hash": uri,
            "row_hash": text,
            "body": text,
            "vector": embedder.embed_query(text),
        }
        for uri, chunks in DOCUMENTS.items()
        for ordinal, text in enumerate(chunks)
    ]
    index.apply(pa.Table.from_pylist(rows, schema=index.schema), [])
    index.ensure_indices()
    return index.latest()


@pytest.fixture
def retriever(table: Any, embedder: Embedder, tmp_path: Path) -> Iterator[Retriever]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        yield Retriever(
            table=table,
            embedder=embedder,
            settings=RetrievalSettings(),
            denied=ledger.denied,
            visible_sources={"docs"},
        )


def changed(retriever: Retriever, **changes: Any) -> Retriever:
    """The same retriever with other settings, and the reranker that they name."""
    settings = RetrievalSettings(**changes)
    return replace(retriever, settings=settings, reranker=make_reranker(settings, EmbeddingSettings()))


def texts(hits: list[Hit]) -> list[str]:
    return [hit.text for hit in hits]


def test_a_prompt_gets_neighbours_and_a_search_does_not(retriever: Retriever) -> None:
    question = "What happens when a service hangs?"
    gateway = DOCUMENTS["gateway.md"]
    wide = changed(retriever, neighbours=1)
    assert texts(retriever.passages(question, k=1)) == [gateway[1]]
    assert texts(wide.passages(question, k=1)) == gateway[:3]
    assert texts(wide.retrieve(question, k=1)) == [gateway[1]]
    narrow = changed(retriever, neighbours=1, neighbour_tokens=16)
    assert len(narrow.passages(question, k=1)) == 2


def test_an_answer_from_a_neighbour_cites_the_neighbour(retriever: Retriever) -> None:
    prompts = load_prompts(None)
    question = "Who designed the pump station at the old lock?"
    with ChatModel(ModelSettings()) as chat:
        wide = changed(retriever, neighbours=1, mode="vector")
        pipeline = AnswerPipeline("r1", wide, chat, prompts, AnsweringSettings(passages=1))
        assert texts(wide.retrieve(question, k=1)) == DOCUMENTS["pump.md"][:1]
        answer = pipeline.ask(question, answer_id="a1")
    assert answer.answerable
    citation = next(citation for citation in answer.citations if "designed in 1931" in citation.quote)
    passages = {hit.chunk_id: hit for hit in wide.passages(question, k=1)}
    cited = passages[citation.chunk_id]
    assert all(quote in cited.text for quote in citation.quotes)
    assert (cited.ordinal, citation.page, citation.heading_path) == (1, 2, ("Part 1",))
    assert f"[{citation.n}]" in answer.answer


def test_a_revocation_on_a_long_list_holds_from_the_next_question_on(retriever: Retriever, tmp_path: Path) -> None:
    wide = changed(retriever, neighbours=1)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:  # another process revokes
        ledger.deny_documents("docs", [(f"gone {number}", "") for number in range(500)], "left long ago")
        assert wide.passages("Alder gateway", k=1)
        ledger.deny_documents("docs", [(document_id("docs", "gateway.md"), "gateway.md")], "revoked")
        assert {hit.uri for hit in wide.passages("Alder gateway", k=5)} == {"pump.md", "bread.md"}
        ledger.allow([document_id("docs", "gateway.md")])
        assert wide.passages("Alder gateway", k=1)[0].uri == "gateway.md"


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_the_late_interaction_of_the_best_counts_in_every_mode(retriever: Retriever, mode: str) -> None:
    question = "What does the gateway answer when a service hangs?"
    plain = changed(retriever, mode=mode).retrieve(question, k=100)
    reranking = changed(
        retriever, mode=mode, reranker="late_interaction", rerank_candidates=2, rerank_margin=1.0, rerank_weight=1.0
    )
    hits = reranking.retrieve(question, k=100)
    assert hits == reranking.retrieve(question, k=100)
    assert {hit.chunk_id for hit in hits[:2]} == {hit.chunk_id for hit in plain[:2]}
    assert [hit.chunk_id for hit in hits[2:]] == [hit.chunk_id for hit in plain[2:]]
    scale = plain[0].score if mode == "text" else 1.0
    before = {hit.chunk_id: hit.score / scale for hit in plain}
    for hit, read in zip(hits[:2], LateInteraction()(question, texts(hits[:2])), strict=True):
        assert hit.score == pytest.approx((before[hit.chunk_id] + read) / 2)


def test_no_reranker_is_made_where_none_is_set() -> None:
    assert make_reranker(RetrievalSettings(), EmbeddingSettings()) is None


@pytest.mark.parametrize(("name", "value"), [("language", "de"), ("stemming", False), ("stop_words", False)])
def test_what_is_built_into_the_index_cannot_be_varied_on_it(name: str, value: object) -> None:
    built = RetrievalSettings()
    with pytest.raises(ConfigurationError, match=f"retrieval.{name} is {value!r}, and the full text index"):
        check_built_in(built.model_copy(update={name: value}), built)
    check_built_in(built.model_copy(update={name: value, "mode": "vector"}), built)
    check_built_in(built.model_copy(update={"mode": "text", "k": 7, "fusion": "rrf"}), built)
