"""Tuning learns what the examples show and nothing else, and gives one result however it is run."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rag_assets.errors import InvalidRequestError, ModelError
from rag_assets.models.embedded.reader import Passage, ScoringModel, read, shipped_model
from rag_assets.models.embedded.reader.tuning import Step, Tuned, TunedReader, TuningExample, tune
from rag_assets.models.embedded.reader.tuning.material import table_of
from rag_assets.models.embedded.reader.tuning.refusals import LEAST_OF_EACH
from rag_assets.models.embedded.reader.tuning.tune import measure
from rag_assets_tests.models.embedded.reader.counting import NAMES, THINGS, WordEncoder, example

Model = ScoringModel | TunedReader
TRAIN = [example(name, thing) for name in NAMES[:6] for thing in THINGS]
VALIDATION = [example(name, THINGS[0]) for name in NAMES[6:8]]
UNSEEN = [example(name, thing) for name in NAMES[8:] for thing in THINGS[:3]]
ENCODER = WordEncoder()


def run(
    train: Sequence[TuningExample] = TRAIN, validation: Sequence[TuningExample] = VALIDATION, **options: Any
) -> Tuned:
    fixed: dict[str, Any] = {
        "base": shipped_model(),
        "encoder": ENCODER,
        "epochs": 20,
        "learning_rate_multiplier": 5.0,
        "seed": 3,
    }
    return tune(train, validation, **(fixed | options))


def hits(model: Model, examples: Sequence[TuningExample]) -> float:
    """The share of `examples` whose first quote, of whole sentences, is the right one."""
    first = [
        read(each.question, each.passages, encoder=ENCODER, max_quote_words=None, model=model).quotes[0].text
        for each in examples
    ]
    return float(np.mean([text == each.quotes[0][1] for text, each in zip(first, examples, strict=True)]))


@pytest.fixture(scope="module")
def tuned():
    return run()


def test_what_the_examples_show_is_found_in_questions_that_were_not_among_them(tuned):
    assert hits(shipped_model(), UNSEEN) <= 0.2
    assert hits(tuned.reader, UNSEEN) >= 0.9
    assert tuned.steps[-1].train_loss < tuned.steps[0].train_loss
    assert [step.step for step in tuned.steps] == list(range(1, len(tuned.steps) + 1))
    assert all(step.valid_loss is not None and 0 <= step.valid_accuracy <= 1 for step in tuned.steps)


def test_the_order_of_the_examples_changes_nothing_and_the_seed_decides(tuned):
    mixed = random.Random(5).sample(TRAIN, len(TRAIN))
    again = run(mixed, VALIDATION[::-1])
    assert again == tuned
    assert run(seed=4).steps != tuned.steps


def test_shuffled_labels_give_no_gain_on_held_out_questions():
    chance = random.Random(1)
    shuffled = [example(name, thing, sentence=chance.randrange(3)) for name in NAMES[:6] for thing in THINGS]
    held = [example(name, THINGS[0], sentence=chance.randrange(3)) for name in NAMES[6:8]]
    assert hits(run(shuffled, held).reader, UNSEEN) <= hits(shipped_model(), UNSEEN) + 0.1


@pytest.mark.parametrize("stop_at", [1, 20, 27])
def test_work_that_was_cut_off_goes_on_to_the_same_result(tuned, stop_at, tmp_path):
    done: list[Step] = []
    cut = run(checkpoint=tmp_path / "state.npz", on_step=done.append, stopped=lambda: len(done) == stop_at)
    assert cut.stopped and len(cut.steps) == stop_at
    later: list[Step] = []
    assert run(checkpoint=tmp_path / "state.npz", on_step=later.append) == tuned
    assert later[0].step == stop_at // 20 * 20 + 1 and done[later[0].step - 1 :] == later[: stop_at % 20]


@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_a_checkpoint_that_is_damaged_or_of_other_work_is_not_used(tuned, damage, tmp_path):
    file = tmp_path / "state.npz"
    run(checkpoint=file, seed=9 if damage == "other" else 3)
    if damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    if damage == "text":
        file.write_text("not a checkpoint")
    assert run(checkpoint=file) == tuned


def test_what_is_worse_on_the_validation_examples_is_not_kept():
    already = [
        dataclasses.replace(each, quotes=((1, each.passages[0].text.split(". ")[0] + "."),)) for each in VALIDATION
    ]
    against = run(TRAIN, already)
    assert against.best_step == 0 and against.early
    assert against.reader.scoring.sentence == pytest.approx(shipped_model().sentence)


def test_without_validation_the_last_step_is_kept():
    found = run(validation=[], epochs=2)
    assert found.best_step == len(found.steps) == 10 and found.steps[-1].valid_loss is None


def test_each_text_is_read_once_however_many_epochs_there_are():
    counting = WordEncoder()
    run(encoder=counting)
    assert set(counting.asked.values()) == {1}


def test_refusals_teach_when_to_refuse_and_too_few_teach_nothing(tuned):
    wrong = [example(name, thing, answers=False) for name in NAMES[:6] for thing in THINGS[:3]]
    taught = run(TRAIN + wrong).reader
    unseen = [example(name, thing, answers=False) for name in NAMES[8:] for thing in THINGS[:3]]

    def refused(model: Model, examples: Sequence[TuningExample]) -> float:
        readings = [read(each.question, each.passages, encoder=ENCODER, model=model) for each in examples]
        return float(np.mean([not reading.answerable for reading in readings]))

    def loss(model: Model) -> float:
        kinds = ((UNSEEN, 1), (unseen, 0))
        return -float(
            np.mean(
                [
                    np.log(abs(1 - answered - read(e.question, e.passages, encoder=ENCODER, model=model).confidence))
                    for examples, answered in kinds
                    for e in examples
                ]
            )
        )

    assert loss(taught) < loss(tuned.reader)
    assert refused(taught, UNSEEN) <= refused(tuned.reader, UNSEEN)
    assert taught.scoring.threshold == shipped_model().threshold
    assert taught.scoring.sentence == tuned.reader.scoring.sentence
    few = run(TRAIN + wrong[: LEAST_OF_EACH - 1]).reader
    assert few.scoring.confidence == shipped_model().confidence


def test_examples_that_offer_no_choice_are_refused():
    only = TuningExample("How many?", (Passage(1, "", "There are 4."),), ((1, "There are 4."),))
    with pytest.raises(InvalidRequestError, match="sentence to choose"):
        run([only])


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"batch_size": 257}, {"learning_rate_multiplier": 0.0}, {"seed": -1}])
def test_hyperparameters_out_of_range_are_named(bad):
    with pytest.raises(InvalidRequestError, match=next(iter(bad))):
        run(**bad)


def test_the_gradient_is_that_of_the_loss():
    generator = np.random.default_rng(2)
    sizes, width = (3, 5, 2), 4
    rights = [np.arange(size) == 1 for size in sizes]
    table = table_of([generator.normal(size=(size, width)) for size in sizes], rights)
    weights = generator.normal(size=width)
    slope = measure(table, weights)[2]
    moved = [measure(table, weights + step)[0] - measure(table, weights - step)[0] for step in np.eye(width) * 1e-5]
    assert slope == pytest.approx(np.array(moved) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("damage", ["missing", "changed", "manifest", "format"])
def test_a_folder_that_is_damaged_is_refused(tuned, damage, tmp_path):
    tuned.reader.save(tmp_path)
    assert TunedReader.load(tmp_path) == tuned.reader
    if damage == "missing":
        (tmp_path / "scoring.json").unlink()
    if damage == "changed":
        (tmp_path / "scoring.json").write_text((tmp_path / "scoring.json").read_text().replace("0.", "1."))
    if damage == "manifest":
        (tmp_path / "reader.json").write_text("[]")
    if damage == "format":
        (tmp_path / "reader.json").write_text('{"format": 99, "sha256": {}}')
    with pytest.raises(ModelError):
        TunedReader.load(tmp_path)
