"""The engines of `bench.embedding`, one a process: `python embedding_engines.py ENGINE INPUTS.json [SETTINGS]`.

Prints one line of JSON: `rate` in chunks a second (in operations a second for the limits), by wall clock over one pass
after a warm-up, and `peak_mib`, the most memory that the process had. torch's engines run in an environment without
this project, so nothing of it is imported before an engine of ours is asked for.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

WARM_UP = 8
SEARCH_CHUNKS = 64
BATCH_SIZES = (4, 8, 16, 32, 64)
SIZE = 2_048  # of the limits' square products
PRODUCTS = 12


def ours(precision: str, texts: list[str]) -> float:
    """Chunks a second through the whole path, a ledger row for each request included."""
    from rag_assets.config import EmbeddingSettings, ModelSettings
    from rag_assets.ledger import Ledger
    from rag_assets.models.embedder import Embedder

    settings = ModelSettings(embedding=EmbeddingSettings.model_validate({"precision": precision, "device": "cpu"}))
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(f"sqlite:///{folder}/ledger.sqlite") as ledger,
        Embedder(settings, ledger.usage_sink()) as embedder,
    ):
        list(embedder.embed_documents(texts[:WARM_UP]))
        started = time.perf_counter()
        embedded = sum(len(batch.indices) for batch in embedder.embed_documents(texts))
        seconds = time.perf_counter() - started
    assert embedded == len(texts)
    return embedded / seconds


def torch_model(threads: int) -> Any:
    """sentence-transformers' model from the folder with the published weights."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(os.environ["RAG_ASSETS_MINILM_DIR"], device="cpu")
    model.max_seq_length = 256  # the shipped tokenizer would cut at 128
    return model


def torch_rate(model: Any, texts: list[str], batch_size: int) -> float:
    model.encode(texts[:WARM_UP], batch_size=batch_size, normalize_embeddings=True)
    started = time.perf_counter()
    vectors = model.encode(texts, batch_size=batch_size, normalize_embeddings=True)
    seconds = time.perf_counter() - started
    assert vectors.shape == (len(texts), 384)
    return len(texts) / seconds


def torch_settings(texts: list[str]) -> dict[str, Any]:
    """The fastest batch size and number of threads on this machine, and what was tried, in chunks a second."""
    import torch

    tried: dict[tuple[int, int], float] = {}
    for threads in sorted({torch.get_num_threads(), _processors()}):
        model = torch_model(threads)
        for batch_size in BATCH_SIZES:
            tried[threads, batch_size] = torch_rate(model, texts[:SEARCH_CHUNKS], batch_size)
    best = max(tried, key=lambda settings: tried[settings])
    shown = {f"{threads} threads, batches of {size}": round(rate, 1) for (threads, size), rate in tried.items()}
    return {"settings": dict(zip(("threads", "batch_size"), best, strict=True)), "tried": shown}


def limit(precision: str) -> float:
    """Multiplications and additions a second of square products, all processors busy with one each."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper

    if precision == "fp32":
        node, kinds = helper.make_node("MatMul", ["a", "b"], ["c"]), (TensorProto.FLOAT,) * 3
        first: Any = np.random.default_rng(0).random((SIZE, SIZE), np.float32)
        second: Any = first.T.copy()
    else:
        node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
        kinds = (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32)
        first = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE), np.uint8)
        second = np.random.default_rng(1).integers(-63, 63, (SIZE, SIZE), np.int8)
    left, product = (
        helper.make_tensor_value_info(name, kind, [SIZE, SIZE]) for name, kind in (("a", kinds[0]), ("c", kinds[2]))
    )
    # The second factor is a constant, as a model's weights are, so that it is packed once.
    weights = helper.make_tensor("b", kinds[1], [SIZE, SIZE], second.tobytes(), raw=True)
    graph = helper.make_graph([node], "product", [left], [product], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    run: Callable[[int], Any] = lambda _: session.run(["c"], {"a": first})  # noqa: E731
    with ThreadPoolExecutor(_processors()) as pool:
        list(pool.map(run, range(_processors())))
        started = time.perf_counter()
        list(pool.map(run, range(PRODUCTS * _processors())))
        seconds = time.perf_counter() - started
    return 2 * SIZE**3 * PRODUCTS * _processors() / seconds


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Measures what the command line names."""
    engine, precision, *search = sys.argv[1].split("-")
    texts = json.loads(Path(sys.argv[2]).read_text())
    if search:
        print(json.dumps(torch_settings(texts)))
        return
    if engine == "ours":
        rate = ours(precision, texts)
    elif engine == "limit":
        rate = limit(precision)
    else:
        settings = json.loads(sys.argv[3])
        rate = torch_rate(torch_model(settings["threads"]), texts, settings["batch_size"])
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": rate, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
