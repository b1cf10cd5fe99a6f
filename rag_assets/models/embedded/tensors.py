"""From the published weights to the parameters of the ONNX graphs: names, layout and 8-bit quantisation.

The checkpoint stores each linear layer as [outputs, inputs]; the graphs want [inputs, outputs]. Query, key and value
become one product, and the constant token type is added to the position embeddings.

int8: weights are symmetric, one scale for each output (`round(w / scale)`, scale = max |w| / 63); onnxruntime
quantises the activations while it runs, one scale for each product. Embeddings, biases and norms stay float32. Weights
take 7 of the 8 bits: x86 processors without VNNI add pairs of products in 16 bits, where 2 x 255 x 63 fits and
2 x 255 x 127 is silently cut. Vector search on XQuAD does not suffer (MRR@10 .927; 8 bits .924, fp32 .928).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Precision = Literal["fp32", "int8"]
Tensor = NDArray[np.float32] | NDArray[np.int8]

HIDDEN_SIZE = 384
INTERMEDIATE_SIZE = 1536
LAYERS = 6
POSITIONS = 512
VOCABULARY_SIZE = 30522
LARGEST_STEP = 63  # of a quantised weight


def graph_path(precision: Precision, *, batched: bool = False) -> Path:
    """The graph file of `precision`, shipped beside this module (built by `graph.py`)."""
    return Path(__file__).with_name(f"all_minilm_l6_v2_{precision}{'_batched' if batched else ''}.onnx")


def graph_parameters(weights: Mapping[str, NDArray[np.float32]], precision: Precision) -> dict[str, Tensor]:
    """The parameters that the graph in `precision` declares, by name, from the tensors of the checkpoint."""
    token_type = weights["embeddings.token_type_embeddings.weight"][0]
    parameters: dict[str, Tensor] = {
        "words": weights["embeddings.word_embeddings.weight"],
        "positions": weights["embeddings.position_embeddings.weight"] + token_type,
        "embeddings.gamma": weights["embeddings.LayerNorm.weight"],
        "embeddings.beta": weights["embeddings.LayerNorm.bias"],
    }
    for index in range(LAYERS):
        stored = f"encoder.layer.{index}"
        name = f"layer{index}"
        heads = [f"{stored}.attention.self.{part}" for part in ("query", "key", "value")]
        linears = {
            "qkv": heads,
            "attention": [f"{stored}.attention.output.dense"],
            "up": [f"{stored}.intermediate.dense"],
            "down": [f"{stored}.output.dense"],
        }
        for linear, parts in linears.items():
            weight = np.concatenate([weights[f"{part}.weight"] for part in parts])
            parameters[f"{name}.{linear}.bias"] = np.concatenate([weights[f"{part}.bias"] for part in parts])
            parameters.update(_linear(f"{name}.{linear}", weight, precision))
        for norm, part in (("attention_norm", f"{stored}.attention.output"), ("norm", f"{stored}.output")):
            parameters[f"{name}.{norm}.gamma"] = weights[f"{part}.LayerNorm.weight"]
            parameters[f"{name}.{norm}.beta"] = weights[f"{part}.LayerNorm.bias"]
    return parameters


def _linear(name: str, weight: NDArray[np.float32], precision: Precision) -> Iterator[tuple[str, Tensor]]:
    """The graph's tensors for one linear layer stored as [outputs, inputs]."""
    if precision == "fp32":
        yield f"{name}.weight", np.ascontiguousarray(weight.T)
        return
    scale = np.maximum(weight.max(axis=1), -weight.min(axis=1)) / np.float32(LARGEST_STEP)
    steps = np.rint(weight * (1 / scale)[:, None]).astype(np.int8)
    yield f"{name}.weight", np.ascontiguousarray(steps.T)
    yield f"{name}.scale", scale
