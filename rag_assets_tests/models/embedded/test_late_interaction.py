from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag_assets.errors import WeightsError
from rag_assets.models.embedded import encoder as encoder_module
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.late_interaction import LateInteraction
from rag_assets.models.embedded.reader.features import general_weights

QUESTION = "Who designed the bridge over the river?"
ANSWER = "The bridge across the river was designed by Ada Brunel in 1851."
TOPIC = "The river floods the valley each spring, and boats leave the harbour."
OTHER = "Yeast eats sugar and makes the dough rise."


@pytest.fixture(scope="module")
def reranker() -> LateInteraction:
    return LateInteraction()


def test_the_answer_scores_more_than_its_topic_and_that_more_than_another(reranker: LateInteraction) -> None:
    answer, topic, other = reranker(QUESTION, [ANSWER, TOPIC, OTHER])
    assert 1 > answer > topic > other > 0
    assert reranker(QUESTION, [QUESTION]) == [pytest.approx(1.0, abs=1e-5)]


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_score_is_the_weighted_mean_of_the_best_cosines(precision) -> None:
    encoder = get_encoder(precision)
    asked, _, ids = encoder.token_vectors(QUESTION)
    said, _, _ = encoder.token_vectors(ANSWER)
    best = [max(float(token @ other) for other in said) for token in asked]
    expected = np.average(best, weights=general_weights(ids))
    assert LateInteraction(precision)(QUESTION, [ANSWER])[0] == pytest.approx(expected, abs=1e-4)


def test_a_text_has_one_score_whatever_stands_beside_it(reranker: LateInteraction) -> None:
    texts = [ANSWER, TOPIC, OTHER]
    assert reranker(QUESTION, texts) == [reranker(QUESTION, [text])[0] for text in texts]
    assert reranker(QUESTION, texts) == reranker(QUESTION, texts[::-1])[::-1]


@pytest.mark.parametrize("question", ["", "?!", "\ud800", "word " * 4_000])
@pytest.mark.parametrize("text", ["", " \n", "\0", "word " * 2_000])
def test_any_text_has_a_score(reranker: LateInteraction, question: str, text: str) -> None:
    (score,) = reranker(question, [text])
    assert 0 <= score <= 1
    assert reranker(question, []) == []


def test_without_the_weights_it_says_who_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_ASSETS_MINILM_DIR", str(tmp_path))
    encoder_module._shared.cache_clear()
    with pytest.raises(WeightsError, match="late_interaction reads with") as caught:
        LateInteraction()
    assert "retrieval.reranker: none" in caught.value.fix
