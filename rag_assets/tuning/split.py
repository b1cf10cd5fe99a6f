"""Which examples train and which validate: by the words of what is asked alone, so that it never changes."""

from __future__ import annotations

import re

from rag_assets.evaluation.questions import normalised
from rag_assets.fingerprints import sha256_hex
from rag_assets.tuning.training_file import Split

_WORD = re.compile(r"\w+")


def split_of_example(prompt: str, validation_share: float) -> Split:
    """The split of an example by its prompt, the same in every project and whatever else is in the sets.

    Prompts with the same words are on the same side, whatever their order, case and punctuation, for each of them would
    tell the answer to the others. The hash has a name before it: golden questions are split by theirs without one, and
    those of the split train would else all fall on one side.
    """
    words = " ".join(sorted(_WORD.findall(normalised(prompt))))
    point = int(sha256_hex(f"training file\0{words or prompt}")[:16], 16) / 16**16
    return "validation" if point < validation_share else "train"
