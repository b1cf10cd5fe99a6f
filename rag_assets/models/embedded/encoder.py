"""all-MiniLM-L6-v2 on onnxruntime: texts to unit vectors of 384 numbers.

Every text is its own run of a session with one thread inside, and a pool of threads shares that session. So a text
has one vector whatever its neighbours are (in int8 the scale of the activations is taken over the whole run, so a
batch would change it), nothing is padded, and small runs stay in the processor's cache. The same text gives the same
bits on the same kind of processor; between kinds of processors the last digits may differ. fp32 might run in small
length-sorted batches instead; on two cores batches of four were no faster (51.9 against 52.6 chunks of 240 tokens a
second), so both precisions go one way. On a GPU they are faster: `batched.py`.

However many requests are under way, at most `threads` texts run at once. So the caller may send the next request while
one is answered, and no processor idles between them.

Precision: int8 runs at twice the speed of fp32 (and four times that of torch) and finds as well within the sampling
error: over XQuAD's 1,190 questions, vector search alone has MRR@10 .927 against .928. int8 is therefore the default.
fp32 equals the reference implementation (cosine above 0.9999).
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.tensors import HIDDEN_SIZE, POSITIONS, Precision, graph_parameters, graph_path
from rag_assets.models.embedded.tokenizer import WordPieceTokenizer, get_tokenizer
from rag_assets.models.embedded.weights import CheckedWeights, locate_weights

DIMENSION = HIDDEN_SIZE
MAX_INPUT_TOKENS = 256  # the published max_seq_length, special tokens included
DEFAULT_PRECISION: Precision = "int8"


class Encoder:
    """Thread-safe. Building it takes a third of a second; `get_encoder` shares one in the process.

    Raises `WeightsError` if the weights are missing or are not the published ones.
    """

    def __init__(self, precision: Precision = DEFAULT_PRECISION, threads: int | None = None) -> None:
        self.precision = precision
        self.threads = threads or usable_processors()
        self._turns = _Turns(self.threads)
        weights = CheckedWeights(locate_weights())  # hashes in a thread, while this one builds the session
        try:
            self._session, self._kept = _open_session(weights, precision)
            self.tokenizer: WordPieceTokenizer = get_tokenizer()
        finally:
            weights.verify()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, float32 [len(texts), 384]; raises `TooLongError` before any work if a text is too long."""
        inputs = [self.tokenizer.encode(text, MAX_INPUT_TOKENS) for text in texts]
        return self.embed_ids(inputs)

    def embed_ids(self, inputs: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        """The same for texts already tokenised by `tokenizer.encode`."""
        vectors = np.empty((len(inputs), DIMENSION), np.float32)

        def fill(position: int) -> None:
            with self._turns:
                vectors[position] = self._session.run(["embedding"], {"input_ids": inputs[position][None]})[0][0]

        longest_first = sorted(range(len(inputs)), key=lambda position: -len(inputs[position]))
        if min(self.threads, len(inputs)) < 2:
            for position in longest_first:
                fill(position)
        else:
            # A pool per call costs microseconds and, unlike a lasting one, survives a fork of the process.
            with ThreadPoolExecutor(self.threads, thread_name_prefix="encoder") as pool:
                list(pool.map(fill, longest_first))
        return vectors

    def token_vectors(self, text: str) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """For each word piece of `text`: unit vector of the last hidden state, character span, and id.

        float32 [t, 384], int64 [t, 2], int64 [t]; special tokens take part in the model and are left out here.
        Raises `TooLongError` where `text` has more than the 510 word pieces that the model has positions for.
        """
        ids = self.tokenizer.encode(text, POSITIONS)
        pieces, spans = self.tokenizer.spans(text)
        hidden = self._session.run(["hidden"], {"input_ids": ids[None]})[0][0, 1:-1]
        return hidden / np.linalg.norm(hidden, axis=1, keepdims=True), spans, pieces


class _Turns:
    """At most so many at once, whoever asks. A forked process starts with all turns free."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)  # the threads that held turns were not copied

    def _renew(self) -> None:
        self._free = threading.BoundedSemaphore(self._most)

    def __enter__(self) -> None:
        self._free.acquire()

    def __exit__(self, *_: object) -> None:
        self._free.release()


@functools.cache
def _shared(precision: Precision) -> Encoder:
    return Encoder(precision)


_building = threading.Lock()


def get_encoder(precision: Precision = DEFAULT_PRECISION) -> Encoder:
    """The process-wide encoder in `precision`, built at the first call."""
    if precision not in ("fp32", "int8"):
        raise InvalidRequestError(f"There is no precision {precision!r}.", fix="Use 'int8' or 'fp32'.")
    with _building:
        return _shared(precision)


def usable_processors() -> int:
    """The processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _open_session(weights: CheckedWeights, precision: Precision) -> tuple[Any, list[Any]]:
    """The session, and what must outlive it: onnxruntime uses the parameters' memory without a copy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    kept = external_parameters(options, weights, precision)
    graph = graph_path(precision).read_bytes()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session, kept


def external_parameters(options: Any, weights: CheckedWeights, precision: Precision) -> list[Any]:
    """Gives the session that is made with `options` its parameters; returns what must outlive it."""
    import onnxruntime

    parameters = graph_parameters(weights.tensors, precision)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in parameters.values()]
    options.add_external_initializers(list(parameters), values)
    return [weights, parameters, values]
