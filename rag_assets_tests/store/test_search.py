"""What a search finds, in which order, with which scores."""

from typing import Any

import pyarrow as pa
import pytest

from rag_assets.errors import ConfigurationError
from rag_assets.fingerprints import document_id
from rag_assets.store import Hit, search
from rag_assets.store import candidates as candidates_module
from rag_assets_tests.store.searching import TEXTS, Index, axis, names, row, settings, small_index


@pytest.fixture
def index(tmp_path) -> Index:
    return Index(tmp_path)


@pytest.fixture(scope="module")
def handle(tmp_path_factory) -> Any:
    return small_index(tmp_path_factory.mktemp("search"))


def test_a_hit_is_the_whole_row_with_its_scores(handle):
    best = search(handle, query="the pump", vector=3 * axis(0), settings=settings())[0]
    assert (best.uri, best.source, best.text, best.document_hash) == (
        "pumps.md",
        "garden",
        TEXTS["pumps"],
        "hash-pumps",
    )
    assert (best.heading_path, best.page, best.ordinal, best.end_offset) == (("Top", "pumps"), 3, 0, len(best.text))
    assert best.document_id == document_id("garden", "pumps")
    assert best.vector_score == pytest.approx(1.0)
    assert best.text_score is not None and best.text_score > 0
    assert 0 < best.score <= 1


@pytest.mark.parametrize("changes", [{}, {"fusion": "rrf"}, {"mode": "vector"}])
def test_the_vector_side_finds_what_shares_no_word(handle, changes):
    assert names(search(handle, query="dough", vector=axis(2), settings=settings(**changes)))[0] == "bread"


@pytest.mark.parametrize("changes", [{}, {"fusion": "rrf"}, {"mode": "text"}])
def test_the_text_side_finds_other_forms_of_a_word(handle, changes):
    assert names(search(handle, query="pumps", vector=axis(7), settings=settings(**changes)))[0] == "pumps"


def test_full_text_needs_no_vector_and_vector_search_no_word(handle):
    text = search(handle, query="water", vector=None, settings=settings(mode="text"))
    assert set(names(text)) == {"pumps", "valves", "kiln"}
    assert all(hit.vector_score is None for hit in text)
    vector = search(handle, query="!?", vector=axis(3), settings=settings(mode="vector"))
    assert names(vector)[0] == "yeast" and all(hit.text_score is None for hit in vector)


def test_the_title_is_searched_with_its_weight(handle):
    with_title = search(handle, query="proofing", vector=None, settings=settings(mode="text"))
    assert names(with_title) == ["kiln"]
    assert search(handle, query="proofing", vector=None, settings=settings(mode="text", title_weight=0)) == []


@pytest.mark.parametrize("candidates", [2, 3, 100])
@pytest.mark.parametrize("sources", [None, ["garden"]])
def test_a_large_table_adds_titles_to_the_best_by_their_body(index, monkeypatch, candidates, sources):
    handle = index.write(
        [
            row("both", "The dam holds water back.", axis(0), title="Water and dams"),
            row("title", "It holds.", axis(1), title="Water"),
            row("body", "Water under the bridge, water in the pipe.", axis(2), title="Bridges"),
            row("neither", "Bread rises.", axis(3), title="Bread"),
            row("elsewhere", "Water, said the baker, is in bread.", axis(4), source="kitchen", title="Water in bread"),
        ]
    )

    def found() -> dict[str, float]:
        asked = settings(mode="text", k=2, candidates=candidates)
        hits = search(handle, query="water", vector=None, settings=asked, sources=sources)
        return {hit.chunk_id: hit.score for hit in hits}

    exact = found()
    assert len(exact) == 2
    monkeypatch.setattr(candidates_module, "TITLES_ADDED_ROWS", 1)
    assert found() == pytest.approx(exact)


def test_a_large_table_finds_by_title_what_few_bodies_say(index, monkeypatch):
    monkeypatch.setattr(candidates_module, "TITLES_ADDED_ROWS", 1)
    handle = index.write([row("title", "It holds.", axis(1), title="Water"), row("body", "Water flows.", axis(2))])
    assert names(search(handle, query="water", vector=None, settings=settings(mode="text"))) == ["body", "title"]


def test_a_passage_that_only_its_words_found_gets_its_true_cosine(handle):
    hits = search(handle, query="valve", vector=axis(0) + axis(1), settings=settings(candidates=1))
    assert {name: hit.vector_score for name, hit in zip(names(hits), hits, strict=True)}["valves"] == pytest.approx(
        0.5**0.5
    )


def test_feedback_brings_what_resembles_the_best_passage(index):
    question, neighbour, stranger = axis(0), axis(1), axis(2)
    handle = index.write(
        [
            row("best", "a", question + neighbour),
            row("resembles", "b", neighbour),
            row("other", "c", 0.1 * question + stranger),
        ]
    )
    plain = search(handle, query="x", vector=question, settings=settings(feedback_weight=0))
    assert names(plain) == ["best", "other", "resembles"]
    moved = search(handle, query="x", vector=question, settings=settings(feedback_weight=0.5))
    assert names(moved) == ["best", "resembles", "other"]
    assert moved[1].vector_score == pytest.approx(0.0)


def test_neighbouring_words_decide_between_equals(index):
    rows = [
        row("apart", "blue is the sea and the moon", axis(0)),
        row("pair", "the sea is under the blue moon", axis(0)),
    ]
    handle = index.write(rows + [row(str(number), "sand", axis(3)) for number in range(5)])
    hits = search(handle, query="blue moon", vector=axis(0), settings=settings(feedback_weight=0))
    assert names(hits)[:2] == ["pair", "apart"]
    level = search(handle, query="blue moon", vector=axis(0), settings=settings(feedback_weight=0, phrase_weight=0))
    assert names(level)[:2] == ["apart", "pair"] and level[0].score == level[1].score


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_denied_and_other_sources_take_nobodys_place(index, mode):
    rows = [row(f"denied-{number}", "water water", axis(0)) for number in range(5)]
    rows += [row(f"closed-{number}", "water water", axis(0), source="closed") for number in range(5)]
    handle = index.write([*rows, row("open", "water and a lot of other words", axis(0) + axis(1))])
    hits = search(
        handle,
        query="water",
        vector=axis(0),
        settings=settings(mode=mode, k=1, candidates=1),
        denied_documents={document_id("garden", f"denied-{number}") for number in range(5)},
        denied_sources={"closed"},
    )
    assert names(hits) == ["open"]


def test_sources_narrow_the_search(handle):
    found = search(handle, query="water", vector=axis(0), settings=settings(), sources=["o'brien", "no such source"])
    assert names(found) == ["kiln"]
    assert search(handle, query="water", vector=axis(0), settings=settings(), sources=[]) == []
    denied = search(handle, query="water", vector=axis(0), settings=settings(), denied_sources=["o'brien"])
    assert "kiln" not in names(denied) and len(denied) == len(TEXTS)


def test_equal_passages_come_in_the_order_of_their_ids(index):
    handle = index.write([row(name, "water", axis(0)) for name in ("d", "b", "a", "c")])
    for changes in ({}, {"fusion": "rrf"}, {"mode": "text"}, {"mode": "vector"}):
        assert names(search(handle, query="water", vector=axis(0), settings=settings(**changes))) == [
            "a",
            "b",
            "c",
            "d",
        ]


def test_k_and_min_score_bound_what_comes_back(handle):
    assert len(search(handle, query="water", vector=axis(0), settings=settings(k=2))) == 2
    assert names(search(handle, query="pump", vector=axis(0), settings=settings(min_score=0.5))) == ["pumps"]


def test_as_many_passages_as_k_come_back_however_few_candidates_are_asked_for(index):
    handle = index.write([row(f"{number:02}", "water", axis(0)) for number in range(60)])
    for changes in ({}, {"fusion": "rrf"}, {"mode": "text"}, {"mode": "vector"}):
        asked = settings(k=50, candidates=1, **changes)
        assert len(search(handle, query="water", vector=axis(0), settings=asked)) == 50
        reranking = asked.model_copy(
            update={"reranker": "late_interaction", "rerank_candidates": 5, "rerank_margin": 1.0}
        )
        hits = search(handle, query="water", vector=axis(0), settings=reranking, reranker=reads_last_first)
        assert names(hits)[:6] == ["04", "03", "02", "01", "00", "05"]
        assert len(hits) == 50
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(0 <= hit.score <= 1 for hit in hits)


def reads_last_first(question, texts):
    """A reranker that finds the last text best."""
    return [(number + 1) / len(texts) for number in range(len(texts))]


def test_a_reranker_that_is_set_and_not_given_is_an_error(handle):
    asked = settings(reranker="late_interaction")
    with pytest.raises(ConfigurationError, match="late_interaction, and the search was given none"):
        search(handle, query="water", vector=axis(0), settings=asked)
    plain = search(handle, query="water", vector=axis(0), settings=settings(), reranker=reads_last_first)
    assert plain == search(handle, query="water", vector=axis(0), settings=settings())


@pytest.mark.parametrize(
    ("changes", "highest"),
    [
        ({}, 1.0),
        ({"fusion": "rrf"}, 1.0),
        ({"mode": "vector"}, 1.0),
        ({"mode": "text"}, None),
    ],
)
def test_min_score_is_in_the_scale_of_what_ranks(handle, changes, highest):
    def found(**more: Any) -> list[Hit]:
        asked = settings(**changes, **more)
        return search(handle, query="the pump and the water", vector=axis(0), settings=asked, reranker=reads_last_first)

    every = found()
    best = every[0]
    assert highest is None or 0 < best.score <= highest
    if changes == {"mode": "text"}:
        assert best.score == best.text_score and best.score > 1
    if changes == {"mode": "vector"}:
        assert best.score == pytest.approx(best.vector_score)
    assert found(min_score=best.score) == [hit for hit in every if hit.score == best.score]
    least = (best.score + every[-1].score) / 2
    assert found(min_score=least) == [hit for hit in every if hit.score > least] != every
    # A reranker comes after it, and brings nothing back.
    kept = [hit.chunk_id for hit in every if hit.score >= least]
    reranking = found(min_score=least, reranker="late_interaction", rerank_margin=1.0)
    assert sorted(hit.chunk_id for hit in reranking) == sorted(kept)


def test_no_least_score_leaves_out_not_even_what_points_the_other_way(handle):
    hits = search(handle, query="x", vector=-axis(0), settings=settings(mode="vector"))
    assert names(hits)[-1] == "pumps" and hits[-1].score == pytest.approx(-1.0)
    least = search(handle, query="x", vector=-axis(0), settings=settings(mode="vector", min_score=1e-9))
    assert least == []


def test_a_pinned_version_is_searched_as_it_was(index):
    index.write([row("old", "water", axis(0))])
    version = index.table.version()
    index.write([row("new", "water", axis(0))])
    assert names(search(index.open(version), query="water", vector=axis(0), settings=settings())) == ["old"]
    assert set(names(search(index.open(), query="water", vector=axis(0), settings=settings()))) == {"new", "old"}


def test_rows_that_no_index_holds_yet_are_found(index):
    index.write([row("old", "water", axis(0))])
    index.table.apply(pa.Table.from_pylist([row("new", "fire", axis(1))], schema=index.table.schema), [])
    hits = search(index.open(), query="fire", vector=axis(1), settings=settings())
    assert names(hits)[0] == "new" and hits[0].text_score


def test_searching_writes_nothing_to_stderr(handle, capfd):
    search(handle, query="water", vector=axis(0), settings=settings())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_a_filter_that_leaves_nothing_finds_nothing(handle, mode):
    assert search(handle, query="water", vector=axis(0), settings=settings(mode=mode), sources=["nowhere"]) == []
