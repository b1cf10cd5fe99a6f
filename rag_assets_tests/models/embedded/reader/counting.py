"""A small world to tune the reader in: "How many …" is answered by a number, which the shipped weights do not prefer.

The encoder gives each word a fixed vector, so it costs nothing and counts how often it is asked.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.reader import Passage
from rag_assets.models.embedded.reader.tuning import TuningExample

_WORD = re.compile(r"\w+|[^\w\s]")
NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ironwood", "Juniper", "Larch", "Maple")
THINGS = ("boats", "bells", "lamps", "keys", "maps", "stoves")


class WordEncoder:
    """A word has one unit vector, wherever it stands. `asked` counts the texts that were read."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    @property
    def tokenizer(self) -> WordEncoder:
        return self

    def starts(self, text: str) -> NDArray[np.int64]:
        return np.array([match.start() for match in _WORD.finditer(text)], np.int64)

    def token_vectors(self, text: str) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        self.asked[text] += 1
        found = list(_WORD.finditer(text))
        codes = [zlib.crc32(match[0].lower().encode()) for match in found]
        rows = np.array([_vector(code) for code in codes], np.float32).reshape(-1, 32)
        spans = np.array([match.span() for match in found], np.int64).reshape(-1, 2)
        return rows, spans, np.array([2000 + code % 28_000 for code in codes], np.int64)


@functools.cache
def _vector(code: int) -> NDArray[np.float64]:
    vector = np.random.default_rng(code).normal(size=32)
    return np.asarray(vector / np.linalg.norm(vector))


def passage(n: int, name: str, thing: str, number: int) -> Passage:
    """The first sentence repeats the question, the second answers it, the third is about something else."""
    text = (
        f"How many {thing} the house {name} owns was long a matter of talk about {name}. "
        f"A clerk at {name} finally counted {number} of them. The garden is open in summer."
    )
    return Passage(n, name, text, 1 / n)


def example(name: str, thing: str, *, answers: bool = True, sentence: int = 1) -> TuningExample:
    """A question with its passage and one of another house, or (`answers` false) with that of two others."""
    place = NAMES.index(name)
    others = [NAMES[(place + k) % len(NAMES)] for k in (1, 2)]
    shown = [name, others[0]] if answers else others
    number = 11 + place
    passages = tuple(passage(n, each, thing, number) for n, each in enumerate(shown, 1))
    quoted = passages[0].text.split(". ")[sentence].rstrip(".") + "."
    question = f"How many {thing} does the house {name} own?"
    return TuningExample(question, passages, ((1, quoted),) if answers else ())
