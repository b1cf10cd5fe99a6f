from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import ir_measures
import pytest
from ir_measures import RR, P, R, nDCG

from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.questions import make_question
from rag_assets.evaluation.retrieval_metrics import ranking, retrieval_scores
from rag_assets.fingerprints import document_id
from rag_assets.store import Hit


def hit(uri: str, *, source: str = "s", headings: tuple[str, ...] = (), page: int | None = None) -> Hit:
    values: dict[str, Any] = dict.fromkeys(Hit.__dataclass_fields__, "")
    place = {"uri": uri, "source": source, "heading_path": headings, "page": page, "score": 0.5}
    return Hit(**values | place | {"document_id": document_id(source, uri), "chunk_id": f"{uri} {headings} {page}"})


def question(*expected: Expected) -> GoldenQuestion:
    return make_question("q", "What?", expected=expected, answers=["x"])


def scores(asked: GoldenQuestion, hits: list[Hit]) -> dict[str, float]:
    return retrieval_scores({"q": (asked, ranking(asked, hits))})["q"]


def test_values_worked_out_by_hand() -> None:
    # Places at ranks 2 and 4 of five documents; a third one is not found.
    asked = question(Expected("b"), Expected("d"), Expected("z"))
    found = scores(asked, [hit("a"), hit("a"), hit("b"), hit("c"), hit("d"), hit("e")])
    dcg = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["recall_at_5"] == found["recall_at_10"] == pytest.approx(2 / 3)
    assert found["precision_at_5"] == pytest.approx(2 / 5)
    assert found["mrr_at_10"] == pytest.approx(1 / 2)
    assert found["ndcg_at_10"] == pytest.approx(dcg / ideal)


@pytest.mark.parametrize(
    ("rank", "mrr", "recall_at_5"), [(1, 1, 1), (5, 0.2, 1), (6, 1 / 6, 0), (10, 0.1, 0), (11, 0, 0)]
)
def test_what_lies_below_the_cut_does_not_count(rank: int, mrr: float, recall_at_5: float) -> None:
    hits = [hit(f"other {number}") for number in range(1, rank)] + [hit("right")]
    found = scores(question(Expected("right")), hits)
    assert found["mrr_at_10"] == pytest.approx(mrr)
    assert found["recall_at_5"] == recall_at_5
    assert found["recall_at_10"] == float(rank <= 10)


def test_nothing_found_scores_0_and_nothing_expected_has_no_scores() -> None:
    assert set(scores(question(Expected("a")), []).values()) == {0.0}
    asked = make_question("q", "Who knows?")
    assert retrieval_scores({"q": (asked, ranking(asked, [hit("a")]))}) == {}


def test_a_part_counts_at_its_own_first_passage() -> None:
    asked = question(Expected("a", heading="Set Up"))
    hits = [hit("a", headings=("Intro",)), hit("b"), hit("a", headings=("Guide", "set  up")), hit("c")]
    found = ranking(asked, hits)
    assert [passage.relevant for passage in found.passages] == [False, False, True, False]
    assert scores(asked, hits)["mrr_at_10"] == pytest.approx(1 / 3)
    packed = replace(hit("a", headings=("Guide",)), text="Words.\n\n## Set  up ##\n\nset up of more words")
    assert ranking(asked, [packed]).passages[0].relevant
    assert not ranking(question(Expected("a", heading="more words")), [packed]).passages[0].relevant
    paged = question(Expected("a", page=2))
    assert [one.relevant for one in ranking(paged, [hit("a", page=1), hit("a", page=2)]).passages] == [False, True]


def test_a_uri_is_meant_in_any_source_or_in_the_named_one() -> None:
    hits = [hit("x.md", source="b"), hit("x.md", source="a")]

    def relevant(place: Expected) -> list[bool]:
        return [one.relevant for one in ranking(question(place), hits).passages]

    assert relevant(Expected("x.md")) == [True]  # either document is the one place
    assert relevant(Expected("a/x.md")) == relevant(Expected("x.md", "a")) == [False, True]
    assert relevant(Expected("c/x.md")) == [False, False]


def test_a_batch_scores_as_the_library_does_for_each() -> None:
    chance = random.Random(7)
    batch, expected = {}, {}
    for number in range(60):
        names = [f"d{n}" for n in range(25)]
        places = chance.sample(names, chance.randint(1, 6))
        found = chance.sample(names, chance.randint(0, 12))
        asked = make_question(f"q{number}", f"Question {number}?", expected=map(Expected, places))
        batch[f"q{number}"] = (asked, ranking(asked, [hit(name) for name in found]))
        qrels = [ir_measures.Qrel("q", name, 1) for name in places]
        run = [ir_measures.ScoredDoc("q", name, -rank) for rank, name in enumerate(found)] or [
            ir_measures.ScoredDoc("q", "nothing", 0.0)
        ]
        expected[f"q{number}"] = ir_measures.calc_aggregate([R @ 5, R @ 10, P @ 5, RR @ 10, nDCG @ 10], qrels, run)
    scored = retrieval_scores(batch)
    names_of = {
        R @ 5: "recall_at_5",
        R @ 10: "recall_at_10",
        P @ 5: "precision_at_5",
        RR @ 10: "mrr_at_10",
        nDCG @ 10: "ndcg_at_10",
    }
    for key, values in expected.items():
        assert scored[key] == pytest.approx({names_of[measure]: value for measure, value in values.items()})
