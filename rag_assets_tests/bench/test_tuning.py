"""The proof of tuning: no reader answers for an article that it was tuned on, and the gradients are right."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from bench import tuning_families as families
from bench.reader import Asked, load, parity
from bench.tuning import FOLDS, hit, shipped_family, splits
from rag_assets.models.embedded.reader import shipped_model
from rag_assets_tests.corpora import corpus


def test_every_testing_question_is_answered_once_by_a_reader_that_saw_no_question_of_its_article():
    asked = [Asked(f"article {n % 40}", str(n), (), {}) for n in range(200)]
    cuts = splits(asked)
    answered = Counter(each.question_id for _, _, test in cuts for each in test)
    assert answered == {each.question_id: 1 for each in asked if parity(each.article) == 1}
    for parts in cuts:
        titles = [{each.article for each in part} for part in parts]
        assert all(titles) and sum(map(len, titles)) == len(set.union(*titles))
        assert {each.article for each in asked if each.tuning} <= titles[0]


@pytest.mark.parametrize("name", ["adapter", "joint"])
def test_the_slope_is_the_gradient_of_what_is_added(name):
    generator = np.random.default_rng(4)
    asked, tokens = generator.normal(size=(3, 6)), generator.normal(size=(10, 6))
    material = {
        "adapter": families.Meeting(asked, tokens, np.array([0.2, 0.5, 0.3]), asked @ tokens.T, np.array([0, 4, 7])),
        "joint": tokens[:3],
    }[name]
    added, slope = getattr(families, f"{name}_added"), getattr(families, f"{name}_slope")
    size = len(families.adapter_start(6)) if name == "adapter" else 6
    weights, wanted = generator.normal(size=size) * 0.2, generator.normal(size=3)
    found = slope(weights, material, wanted)
    for direction in np.eye(size):
        step = direction * 1e-6
        moved = wanted @ (added(weights + step, material) - added(weights - step, material)) / 2e-6
        assert found @ direction == pytest.approx(moved, abs=1e-5)
    if name == "adapter":
        assert added(families.adapter_start(6), material) == pytest.approx(np.zeros(3), abs=1e-12)


@pytest.mark.slow
def test_tuning_on_other_articles_does_not_make_the_reader_worse(tmp_path):
    """A sample of what `python -m bench.tuning` measures: two folds over nine of XQuAD's articles."""
    data = json.loads((corpus("xquad") / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    odd = [article for article in data if parity(article["title"]) == 1][:FOLDS]
    even = [article for article in data if parity(article["title"]) == 0][:3]
    (tmp_path / "some.json").write_text(json.dumps({"data": odd + even}), encoding="utf-8")
    cuts = splits(load(tmp_path / "some.json", "int8"))[:2]
    tuned, _ = shipped_family(cuts)
    base = {each.question_id: hit(each, shipped_model()) for _, _, test in cuts for each in test}
    assert tuned.keys() == base.keys() and len(base) >= 20
    assert np.mean(list(base.values())) > 0.7
    assert sum(tuned.values()) >= sum(base.values()) - 2
