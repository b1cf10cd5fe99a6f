"""An independent forward pass of all-MiniLM-L6-v2: plain numpy, no code shared with the package.

Written after the BERT paper (https://arxiv.org/abs/1810.04805) and the model's published configuration.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]


class Reference:
    def __init__(self, directory: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        stored = load_file(directory / "model.safetensors")
        self.weights = {name: value.astype(np.float64) for name, value in stored.items()}
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def hidden(self, text: str) -> Vectors:
        """The last hidden state [t, 384], special tokens included."""
        ids = self.tokenizer.encode(text).ids
        tables = [self.weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")]
        state = self._norm(tables[0][ids] + tables[1][: len(ids)] + tables[2][0], "embeddings.LayerNorm")
        for index in range(6):
            layer = f"encoder.layer.{index}"
            query, key, value = (
                self._linear(state, f"{layer}.attention.self.{part}").reshape(len(ids), 12, 32).swapaxes(0, 1)
                for part in ("query", "key", "value")
            )
            scores = query @ key.swapaxes(1, 2) / math.sqrt(32)
            shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
            shares /= shares.sum(axis=-1, keepdims=True)
            context = (shares @ value).swapaxes(0, 1).reshape(len(ids), 384)
            attended = self._linear(context, f"{layer}.attention.output.dense") + state
            attended = self._norm(attended, f"{layer}.attention.output.LayerNorm")
            inner = self._linear(attended, f"{layer}.intermediate.dense")
            inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            state = self._norm(self._linear(inner, f"{layer}.output.dense") + attended, f"{layer}.output.LayerNorm")
        return state

    def embedding(self, text: str) -> Vectors:
        mean = self.hidden(text).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    def _linear(self, value: Vectors, name: str) -> Vectors:
        return np.asarray(value @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _norm(self, value: Vectors, name: str) -> Vectors:
        centred = value - value.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])
