"""Weights are found from examples, and a model survives being written and read."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from rag_assets.errors import ModelError
from rag_assets.models.embedded.reader.confidence import SIGNALS
from rag_assets.models.embedded.reader.features import FEATURES
from rag_assets.models.embedded.reader.scoring import ScoringModel, shipped_model
from rag_assets.models.embedded.reader.training import Choice, fit_chance, fit_choice


def test_the_weights_of_a_choice_point_to_what_makes_candidates_right():
    generator = np.random.default_rng(7)
    choices = []
    for _ in range(200):
        features = generator.normal(size=(8, 3))
        right = np.zeros(8, bool)
        right[np.argmax(features @ [2.0, -1.0, 0.0])] = True
        choices.append(Choice(features, right))
    weights = fit_choice(choices)
    assert weights[0] > 1 and weights[1] < -0.5 and abs(weights[2]) < 0.2
    picked = [choice.right[np.argmax(choice.features @ weights)] for choice in choices]
    assert np.mean(picked) > 0.95


def test_choices_without_a_right_candidate_teach_nothing():
    with pytest.raises(ValueError, match="right candidate"):
        fit_choice([Choice(np.ones((3, 2)), np.zeros(3, bool))])


def test_a_chance_is_calibrated():
    generator = np.random.default_rng(7)
    rows = generator.normal(size=(4000, 2))
    outcomes = generator.random(4000) < 1 / (1 + np.exp(-(rows @ [1.5, 0.0] + 0.5)))
    weights, bias = fit_chance(rows, outcomes, penalty=1e-5)
    assert weights == pytest.approx([1.5, 0.0], abs=0.15) and bias == pytest.approx(0.5, abs=0.15)


def test_the_shipped_model_has_a_weight_for_every_feature_and_round_trips(tmp_path):
    model = shipped_model()
    assert set(model.sentence) == set(model.span) == set(model.scales) == set(FEATURES)
    assert set(model.confidence) == set(SIGNALS)
    model.save(tmp_path / "model.json")
    assert ScoringModel.load(tmp_path / "model.json") == model


@pytest.mark.parametrize("damage", ["missing", "text", "field", "feature"])
def test_a_file_that_is_not_a_model_is_refused(tmp_path, damage):
    path = tmp_path / "model.json"
    fields = dataclasses.asdict(shipped_model())
    if damage == "field":
        del fields["threshold"]
    if damage == "feature":
        fields["sentence"].pop("interaction")
    if damage != "missing":
        path.write_text("{" if damage == "text" else json.dumps(fields))
    with pytest.raises(ModelError):
        ScoringModel.load(path)
