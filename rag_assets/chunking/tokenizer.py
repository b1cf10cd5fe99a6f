"""What chunking needs to know about a model's tokenizer."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Tokenizer(Protocol):
    """Counts tokens exactly as one model does. Implementations are thread safe and never truncate.

    `name` identifies the tokenizer and goes into the fingerprint of a generation. `special_tokens` is how many tokens
    (`[CLS]`, `[SEP]`) the model adds to each input; `count` and `starts` leave them out.
    """

    @property
    def name(self) -> str: ...

    @property
    def special_tokens(self) -> int: ...

    def count(self, text: str) -> int:
        """The number of tokens the model reads for `text`, special tokens not included."""
        ...

    def starts(self, text: str) -> npt.NDArray[np.int64]:
        """Shape [n_tokens]: the character offset at which each token starts, ascending.

        A token that begins inside a character of several bytes starts at that character. The length equals
        `count(text)`; the text is tokenised once.
        """
        ...
