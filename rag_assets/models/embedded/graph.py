"""Builds the ONNX graphs of all-MiniLM-L6-v2. For developers only: nothing imports this module at run time.

    python -m rag_assets.models.embedded.graph          # writes the three .onnx files beside this module

The graphs hold no weights (a few kilobytes each): every parameter is declared as an external initializer and given to
onnxruntime in memory when the session is made (`tensors.py` has the same names). So the package needs neither `onnx`
nor torch at run time, and there is one copy of the weights on disk, the published one.

Input:   input_ids int64 [1, tokens], special tokens included. One text per run: no padding, no attention mask.
Outputs: embedding float32 [1, 384], mean over the tokens, unit length; hidden float32 [1, tokens, 384], last layer.

The batched graph (fp32 only) is for processors that are idle with one text at a time, such as GPUs:

Inputs:  input_ids int64 [batch, tokens], padded with anything; mask int32 [batch, tokens], 1 where a token is real.
Output:  embedding float32 [batch, 384], mean over the real tokens, unit length.

`hidden` is the value that `embedding` is computed from, so declaring it as an output costs the embedding path nothing.
Operators of the domain com.microsoft are onnxruntime's fused ones; Gelu is the exact one (erf), as in the reference.
"""

from __future__ import annotations

from typing import Any

from rag_assets.models.embedded.tensors import (
    HIDDEN_SIZE,
    INTERMEDIATE_SIZE,
    LAYERS,
    POSITIONS,
    VOCABULARY_SIZE,
    Precision,
    graph_path,
)

ATTENTION_HEADS = 12
LAYER_NORM_EPSILON = 1e-12
FUSED = "com.microsoft"
OPSET = 17
IR_VERSION = 9


class _Graph:
    """Collects the nodes and the external initializers of one graph."""

    def __init__(self, precision: Precision, *, batched: bool) -> None:
        self.precision = precision
        self.batched = batched
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def node(self, operator: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, list(outputs), domain=domain, **attributes))

    def external(self, name: str, *shape: int, integer: bool = False) -> str:
        """Declare a parameter that the session is given in memory; the location is never opened."""
        from onnx import TensorProto

        tensor = TensorProto(name=name, data_type=TensorProto.INT8 if integer else TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="given-in-memory")
        self.initializers.append(tensor)
        return name

    def constant(self, name: str, values: list[int]) -> str:
        from onnx import TensorProto, helper

        self.initializers.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def linear(self, value: str, parameter: str, inputs: int, outputs: int, result: str) -> None:
        """`result = value @ weight`, without the bias, in the graph's precision."""
        weight = self.external(f"{parameter}.weight", inputs, outputs, integer=self.precision == "int8")
        if self.precision == "int8":
            scale = self.external(f"{parameter}.scale", outputs)
            self.node("DynamicQuantizeMatMul", [value, weight, scale], result, domain=FUSED)
        else:
            self.node("MatMul", [value, weight], result)

    def add_and_norm(self, value: str, skip: str, norm: str, bias: str, result: str) -> None:
        """`result = LayerNorm(value + bias + skip)`."""
        gamma, beta = self.external(f"{norm}.gamma", HIDDEN_SIZE), self.external(f"{norm}.beta", HIDDEN_SIZE)
        bias = self.external(bias, HIDDEN_SIZE)
        epsilon = LAYER_NORM_EPSILON
        inputs = [value, skip, gamma, beta, bias]
        self.node("SkipLayerNormalization", inputs, result, domain=FUSED, epsilon=epsilon)


def _embed_tokens(graph: _Graph) -> str:
    words = graph.external("words", VOCABULARY_SIZE, HIDDEN_SIZE)
    positions = graph.external("positions", POSITIONS, HIDDEN_SIZE)
    gamma, beta = graph.external("embeddings.gamma", HIDDEN_SIZE), graph.external("embeddings.beta", HIDDEN_SIZE)
    graph.node("Gather", [words, "input_ids"], "word_vectors")
    graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    graph.node("Slice", [positions, graph.constant("first", [0]), "length"], "position_vectors")
    graph.node("Add", ["word_vectors", "position_vectors"], "token_vectors")
    graph.node("LayerNormalization", ["token_vectors", gamma, beta], "layer_in", axis=-1, epsilon=LAYER_NORM_EPSILON)
    return "layer_in"


def _layer(graph: _Graph, index: int, value: str, result: str) -> None:
    name = f"layer{index}"
    graph.linear(value, f"{name}.qkv", HIDDEN_SIZE, 3 * HIDDEN_SIZE, f"{name}.qkv_product")
    bias = graph.external(f"{name}.qkv.bias", 3 * HIDDEN_SIZE)
    thirds = [f"{name}.query", f"{name}.key", f"{name}.value"]
    graph.node("Split", [f"{name}.qkv_product", "thirds"], *thirds, axis=-1)
    attended_to = [*thirds, bias, "mask"] if graph.batched else [*thirds, bias]
    graph.node("MultiHeadAttention", attended_to, f"{name}.context", domain=FUSED, num_heads=ATTENTION_HEADS)
    graph.linear(f"{name}.context", f"{name}.attention", HIDDEN_SIZE, HIDDEN_SIZE, f"{name}.attention_product")
    attended = f"{name}.attended"
    graph.add_and_norm(f"{name}.attention_product", value, f"{name}.attention_norm", f"{name}.attention.bias", attended)
    graph.linear(attended, f"{name}.up", HIDDEN_SIZE, INTERMEDIATE_SIZE, f"{name}.up_product")
    up_bias = graph.external(f"{name}.up.bias", INTERMEDIATE_SIZE)
    graph.node("BiasGelu", [f"{name}.up_product", up_bias], f"{name}.activated", domain=FUSED)
    graph.linear(f"{name}.activated", f"{name}.down", INTERMEDIATE_SIZE, HIDDEN_SIZE, f"{name}.down_product")
    graph.add_and_norm(f"{name}.down_product", attended, f"{name}.norm", f"{name}.down.bias", result)


def _mean(graph: _Graph, value: str) -> None:
    """`embedding`, the unit vector along the mean over the tokens, from the last layer."""
    if not graph.batched:
        graph.node("ReduceMean", [value], "mean", axes=[1], keepdims=0)
        graph.node("LpNormalization", ["mean"], "embedding", axis=-1, p=2)
        return
    # The sum over the real tokens points where their mean does. These operators all have CUDA kernels.
    from onnx import TensorProto

    graph.node("Cast", ["mask"], "weights", to=TensorProto.FLOAT)
    graph.node("Unsqueeze", ["weights", graph.constant("last", [2])], "token_weights")
    graph.node("Mul", [value, "token_weights"], "real_tokens")
    graph.node("ReduceSum", ["real_tokens", graph.constant("tokens_axis", [1])], "sum", keepdims=0)
    graph.node("ReduceL2", ["sum"], "length_of_sum", axes=[-1], keepdims=1)
    graph.node("Div", ["sum", "length_of_sum"], "embedding")


def _signature(batched: bool) -> tuple[list[Any], list[Any]]:
    from onnx import TensorProto, helper

    inputs = {"input_ids": TensorProto.INT64} | ({"mask": TensorProto.INT32} if batched else {})
    batch = "batch" if batched else 1
    outputs = {"embedding": [batch, HIDDEN_SIZE]} | ({} if batched else {"hidden": [1, "tokens", HIDDEN_SIZE]})
    return (
        [helper.make_tensor_value_info(name, kind, [batch, "tokens"]) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
    )


def build(precision: Precision, *, batched: bool = False) -> Any:
    """A graph as an `onnx.ModelProto`. Needs the development dependency `onnx`."""
    from onnx import helper

    graph = _Graph(precision, batched=batched)
    graph.constant("thirds", [HIDDEN_SIZE] * 3)
    value = _embed_tokens(graph)
    for index in range(LAYERS):
        result = "hidden" if index == LAYERS - 1 else f"layer{index}.out"
        _layer(graph, index, value, result)
        value = result
    _mean(graph, value)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            f"all-MiniLM-L6-v2-{precision}{'-batched' if batched else ''}",
            *_signature(batched),
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)],
        ir_version=IR_VERSION,
        producer_name="rag_assets",
    )


def main() -> None:
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    for precision in precisions:
        graph_path(precision).write_bytes(build(precision).SerializeToString(deterministic=True))
    graph_path("fp32", batched=True).write_bytes(build("fp32", batched=True).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
