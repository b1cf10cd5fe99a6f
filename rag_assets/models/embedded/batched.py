"""all-MiniLM-L6-v2 in fp32 on a GPU: length-sorted batches, because one text at a time leaves a GPU idle.

The vectors are those of `Encoder("fp32")` but for the last digits (cosine above 0.99999), so both are one embedding
space. Only fp32: the int8 graph's quantised products have no CUDA kernels in onnxruntime, and a batch would change its
vectors. TensorFloat-32 is off, which would keep 10 of 23 bits of the products.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rag_assets.errors import ConfigurationError, MissingDependencyError
from rag_assets.models.embedded.encoder import DIMENSION, external_parameters
from rag_assets.models.embedded.tensors import Precision, graph_path
from rag_assets.models.embedded.tokenizer import WordPieceTokenizer, get_tokenizer
from rag_assets.models.embedded.weights import CheckedWeights, locate_weights

Device = Literal["auto", "cpu", "cuda"]
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
BATCH_TOKENS = 16_384
"""The most tokens of one run, padding included: 64 full chunks. The attention scores of such a batch take 200 MB."""
INSTALL_COMMAND = 'pip uninstall -y onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]"'
"""Both packages hold the same module, so one has to go; therefore this is no extra of the project either."""


class BatchedEncoder:
    """Thread-safe. `provider` is onnxruntime's name of what it runs on; the tests run it on the CPU.

    Raises `WeightsError`, and `MissingDependencyError` where onnxruntime cannot use the provider.
    """

    precision: Precision = "fp32"

    def __init__(self, provider: str = CUDA) -> None:
        weights = CheckedWeights(locate_weights())
        try:
            self._session, self._kept = _open_session(weights, provider)
            self.tokenizer: WordPieceTokenizer = get_tokenizer()
        finally:
            weights.verify()
        self._running = threading.Lock()  # runs at once would only share the GPU's memory

    def embed_ids(self, inputs: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Unit vectors, float32 [len(inputs), 384], of texts tokenised by `tokenizer.encode`."""
        vectors = np.empty((len(inputs), DIMENSION), np.float32)
        for positions in _batches([len(ids) for ids in inputs]):
            ids, mask = _padded([inputs[position] for position in positions])
            with self._running:
                vectors[positions] = self._session.run(["embedding"], {"input_ids": ids, "mask": mask})[0]
        return vectors


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions in groups of at most `BATCH_TOKENS`, longest first, so that neighbours are of like length."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _padded(inputs: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    longest = max(len(ids) for ids in inputs)
    ids = np.zeros((len(inputs), longest), np.int64)
    mask = np.zeros((len(inputs), longest), np.int32)
    for row, own in enumerate(inputs):
        ids[row, : len(own)] = own
        mask[row, : len(own)] = 1
    return ids, mask


def _open_session(weights: CheckedWeights, provider: str) -> tuple[Any, list[Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    kept = external_parameters(options, weights, "fp32")
    chosen: Any = (provider, {"use_tf32": 0}) if provider == CUDA else provider
    graph = graph_path("fp32", batched=True).read_bytes()
    if provider == CUDA and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries, where they were installed as Python packages
    others = [] if provider == CPU else [CPU]
    session = onnxruntime.InferenceSession(graph, options, providers=[chosen, *others])
    if session.get_providers()[0] != provider:  # onnxruntime falls back without an error
        raise MissingDependencyError(
            "onnxruntime has CUDA, and cannot use it on this machine.",
            fix=f"Install the driver and CUDA's libraries ({INSTALL_COMMAND}), or set models.embedding.device to cpu.",
        )
    return session, kept


@functools.cache
def _shared() -> BatchedEncoder | MissingDependencyError:
    """The encoder, or why there is none: asked once, for every try takes seconds."""
    try:
        return BatchedEncoder()
    except MissingDependencyError as error:
        return error


_building = threading.Lock()


def cuda_encoder(device: Device, precision: str | None) -> BatchedEncoder | None:
    """The process-wide encoder on the GPU, or None where the CPU is asked for or, with `auto`, all there is.

    With `cuda`, raises `ConfigurationError` for int8 and `MissingDependencyError` where there is no CUDA.
    """
    if device == "cpu" or (device == "auto" and precision != "fp32"):
        return None
    if precision != "fp32":
        raise ConfigurationError(
            "models.embedding.device is cuda, and int8 runs on the CPU only.",
            fix="Set models.embedding.precision to fp32, which is another embedding space, or remove device.",
        )
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        if device == "auto":
            return None
        raise MissingDependencyError(
            "models.embedding.device is cuda, and the installed onnxruntime has no CUDA.", fix=f"Run: {INSTALL_COMMAND}"
        )
    with _building:
        found = _shared()
    if isinstance(found, BatchedEncoder):
        return found
    if device == "auto":
        return None
    raise found
