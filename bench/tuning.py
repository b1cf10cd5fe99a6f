"""Whether tuning makes the extractive reader better on articles that no tuning has seen.

    python -m bench.tuning [CORPUS] [--family shipped --family adapter --family joint]

CORPUS, retrieval, halves and the three cases are those of `bench/reader.py`. The base is the shipped reader, named by
the SHA-256 of its weights; it was trained on the tuning half of the articles and has seen none of the testing half. The
questions of the testing half (n = 479, 18 articles) are answered twice, by the base and by a reader that was tuned
from it: the 18 articles are dealt out over six folds, and the reader that answers a fold was tuned on the tuning half
and on four of the other folds, with the fifth for validation. So no question is answered by a reader that saw its
article, and what the tuned reader has over the base is the other articles of the testing half.

The measure: the one whole sentence that is quoted contains a gold answer. The difference is paired by question, with
its 95 % bootstrap interval (`rag_assets.evaluation.statistics`). Three families of models:

- shipped: what the product does, by `tuning.tune` with its defaults: the base's weights, moved. Each question is an
  example, and its wrong case one of a refusal;
- adapter: a correction of rank 8 of the late interaction, and of the question tokens' weights;
- joint: a head on the encoder's vectors of question and passage read as one text.

What was tried and how the families were chosen: README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import tuning_families as families
from bench.corpora import corpus_folder
from bench.reader import Asked, Remembering, load, report, table
from rag_assets.evaluation.statistics import paired_difference
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.reader import scoring
from rag_assets.models.embedded.reader.reader import judge
from rag_assets.models.embedded.reader.scoring import ScoringModel, shipped_model
from rag_assets.models.embedded.reader.spans import whole_units
from rag_assets.models.embedded.reader.tuning import TuningExample, tune

FOLDS = 6
FAMILIES = ("shipped", "adapter", "joint")
BOOTSTRAP_SAMPLES = 10_000
EPOCHS, RATE, DECAY = 8, 1e-3, {"adapter": 0.1, "joint": 1.0}
Split = tuple[list[Asked], list[Asked], list[Asked]]
"""Questions to train, to validate and to test on."""
Hits = dict[str, float]
"""By question id, whether the quoted sentence has the answer."""


def fold_of(article: str, articles: Sequence[str]) -> int:
    """Which fold an article of the testing half is in: dealt out by the hash of its title."""
    return sorted(articles, key=lambda title: hashlib.sha256(title.encode()).hexdigest()).index(article) % FOLDS


def examples_of(asked: Asked) -> list[TuningExample]:
    """The right case with every sentence that has a gold answer, and the wrong case as a refusal."""
    found = []
    for case in ("right", asked.wrong_case):
        reviewed = asked.cases.get(case)
        if reviewed is None:
            continue
        quotes = [
            (passage.n, evidence.text[unit.start : unit.end])
            for passage, evidence in zip(reviewed.passages, reviewed.evidence, strict=True)
            for unit in evidence.units
            if case == "right" and any(answer in evidence.text[unit.start : unit.end] for answer in asked.answers)
        ]
        if quotes or case != "right":
            found.append(TuningExample(reviewed.question.text, reviewed.passages, tuple(quotes)))
    return found


def splits(asked: Sequence[Asked]) -> list[Split]:
    """Training, validation and testing questions of each fold."""
    testing = sorted({each.article for each in asked if not each.tuning})
    fold = {article: fold_of(article, testing) for article in testing}
    cut = []
    for number in range(FOLDS):
        following = (number + 1) % FOLDS
        cut.append(
            (
                [each for each in asked if each.tuning or fold[each.article] not in (number, following)],
                [each for each in asked if not each.tuning and fold[each.article] == following],
                [each for each in asked if not each.tuning and fold[each.article] == number],
            )
        )
    return cut


def hit(asked: Asked, model: ScoringModel) -> float:
    """1 where the first whole sentence that is quoted contains a gold answer."""
    quotes = judge(asked.cases["right"], model, max_quotes=1, max_quote_words=None).quotes
    return float(any(answer in quote.text for quote in quotes for answer in asked.answers))


def shipped_family(cuts: Sequence[Split]) -> tuple[Hits, dict[str, ScoringModel]]:
    """By the product's own tuning; also the model that answered each question."""
    found: Hits = {}
    models = {}
    for train, held, test in cuts:
        tuned = tune(
            [example for each in train for example in examples_of(each)],
            [example for each in held for example in examples_of(each)],
            base=shipped_model(),
            encoder=get_encoder(),
        )
        print(f"  shipped: step {tuned.best_step} of {len(tuned.steps)} is best", flush=True)
        for each in test:
            models[each.question_id] = tuned.reader.scoring
            found[each.question_id] = hit(each, tuned.reader.scoring)
    return found, models


def added_family(asked: Sequence[Asked], name: str) -> Hits:
    """By one of the families that add to the base's scores."""
    encoder = Remembering(get_encoder())
    cases = {}
    for each in asked:
        rows = table(each, whole_units)
        base = np.asarray(shipped_model().sentence_scores(rows.features), np.float64)
        material = getattr(families, f"{name}_material")(each, encoder)
        cases[each.question_id] = families.Case(base, rows.right, material)
    added, slope = getattr(families, f"{name}_added"), getattr(families, f"{name}_slope")
    start = families.adapter_start(384) if name == "adapter" else np.zeros(384)
    found: Hits = {}
    for train, held, test in splits(asked):
        learnt, validated = ([cases[each.question_id] for each in some] for some in (train, held))
        weights = families.fit(learnt, validated, start, added, slope, rate=RATE, decay=DECAY[name], epochs=EPOCHS)
        for each in test:
            case = cases[each.question_id]
            found[each.question_id] = float(case.right[np.argmax(case.base + added(weights, case.material))])
    return found


def compare(name: str, tuned: Hits, base: Hits) -> None:
    """Prints one line: the two shares, and their paired difference."""
    ids = sorted(base)
    difference = paired_difference(
        [tuned[each] for each in ids],
        [base[each] for each in ids],
        samples=BOOTSTRAP_SAMPLES,
        false_alarm_rate=0.05,
        margin=0.0,
    )
    low, high = (100 * each for each in difference.ci95)
    better = sum(tuned[each] > base[each] for each in ids)
    worse = sum(tuned[each] < base[each] for each in ids)
    print(
        f"{name:8} untuned {np.mean(list(base.values())):.4f}  tuned {np.mean(list(tuned.values())):.4f}  "
        f"difference {100 * difference.difference:+.2f} points [{low:+.2f}, {high:+.2f}], "
        f"p {difference.p_differs:.3f}, {better} better, {worse} worse, n = {len(ids)}",
        flush=True,
    )


def main() -> None:
    """Reads the corpus once, then tunes and compares family by family."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path, nargs="?", help="a file in SQuAD format; XQuAD's by default")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="one of the families; may be repeated")
    options = parser.parse_args()
    started = time.perf_counter()
    asked = load(options.corpus or corpus_folder("xquad") / "xquad.en.json", "int8")
    weights = Path(scoring.__file__).with_name("weights.json")
    print(f"base: {weights.name}, sha256 {hashlib.sha256(weights.read_bytes()).hexdigest()}")
    print(f"{len(asked)} questions read in {time.perf_counter() - started:.0f} s", flush=True)
    testing = [each for each in asked if not each.tuning]
    base = {each.question_id: hit(each, shipped_model()) for each in testing}
    for name in options.family or FAMILIES:
        if name == "shipped":
            tuned, models = shipped_family(splits(asked))
            compare(name, tuned, base)
            report("untuned", testing, lambda _: shipped_model())
            report("tuned", testing, lambda each, models=models: models[each.question_id])  # type: ignore[misc]
        else:
            compare(name, added_family(asked, name), base)
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
