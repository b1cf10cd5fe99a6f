"""The interval of a sample holds the truth as often as it says, also where a few documents hold most of the text."""

from __future__ import annotations

import numpy as np

from rag_assets.estimating.sampling import Sample


def test_all_of_a_population_is_exact() -> None:
    sample = Sample({"a": 3, "b": 0}, wanted=2)
    for key, tokens in (("a", 30), ("b", 1)):
        sample.add(key, {"tokens": tokens})
    assert sorted(sample.picked) == ["a", "b"]
    assert sample.total("tokens") == (31.0, 0.0)
    assert Sample({}, wanted=0).total("tokens") == (0.0, 0.0)


def test_the_interval_holds_the_truth_for_skewed_sizes() -> None:
    random = np.random.default_rng(4)
    held, widths = 0, []
    for trial in range(200):
        sizes = {f"{trial}/{n}": float(size) for n, size in enumerate(random.lognormal(7, 1.6, 400))}
        tokens = {key: int(size / 4 * random.uniform(0.7, 1.3)) for key, size in sizes.items()}
        sample = Sample(sizes, wanted=80)
        assert len(sample.picked) == 80
        for key in sample.picked:
            sample.add(key, {"tokens": tokens[key]})
        middle, half = sample.total("tokens")
        truth = sum(tokens.values())
        held += abs(middle - truth) <= half
        widths.append(half / truth)
    assert held >= 0.9 * 200
    assert np.median(widths) < 0.05
