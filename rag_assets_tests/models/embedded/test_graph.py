from __future__ import annotations

import pytest

from rag_assets.models.embedded.graph import build
from rag_assets.models.embedded.tensors import graph_parameters, graph_path
from rag_assets.models.embedded.weights import CheckedWeights, locate_weights

onnx = pytest.importorskip("onnx", reason="onnx builds the graphs; it is a development dependency")


GRAPHS = [("fp32", False), ("int8", False), ("fp32", True)]


@pytest.mark.parametrize(("precision", "batched"), GRAPHS)
def test_the_shipped_graph_is_the_one_that_the_script_builds(precision, batched):
    shipped = onnx.load_from_string(graph_path(precision, batched=batched).read_bytes())
    assert shipped == build(precision, batched=batched)


@pytest.mark.parametrize(("precision", "batched"), GRAPHS)
def test_the_graph_declares_exactly_the_parameters_that_it_is_given(precision, batched):
    shipped = onnx.load_from_string(graph_path(precision, batched=batched).read_bytes())
    external = onnx.TensorProto.EXTERNAL
    declared = {i.name: tuple(i.dims) for i in shipped.graph.initializer if i.data_location == external}
    given = graph_parameters(CheckedWeights(locate_weights()).tensors, precision)
    assert declared == {name: value.shape for name, value in given.items()}


@pytest.mark.parametrize(("precision", "batched"), GRAPHS)
def test_the_graph_carries_no_weights(precision, batched):
    assert graph_path(precision, batched=batched).stat().st_size < 20_000
