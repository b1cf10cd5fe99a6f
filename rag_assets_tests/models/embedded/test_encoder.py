from __future__ import annotations

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.encoder import MAX_INPUT_TOKENS, Encoder, get_encoder
from rag_assets.models.embedded.tokenizer import TooLongError
from rag_assets.models.embedded.weights import locate_weights
from rag_assets_tests.models.embedded.reference import Reference

# Made once with sentence-transformers 6.2.0 on torch 2.13.0 (CPU): SentenceTransformer(folder of the weights)
# .encode(texts, normalize_embeddings=True).
REFERENCE_FILE = Path(__file__).with_name("reference_vectors.npz")


def reference_texts() -> list[str]:
    with np.load(REFERENCE_FILE) as stored:
        return [str(text) for text in stored["texts"]]


def test_fp32_equals_sentence_transformers():
    with np.load(REFERENCE_FILE) as stored:
        expected = stored["vectors"]
    cosines = (get_encoder("fp32").embed(reference_texts()) * expected).sum(axis=1)
    assert cosines.min() > 0.99999


def test_fp32_equals_an_independent_forward_pass():
    reference = Reference(locate_weights())
    encoder = get_encoder("fp32")
    for text in reference_texts()[:4]:
        assert encoder.embed([text])[0] @ reference.embedding(text) > 0.99999
        hidden = reference.hidden(text)[1:-1]
        vectors, spans, ids = encoder.token_vectors(text)
        assert len(vectors) == len(spans) == len(ids) == len(hidden)
        expected = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
        assert np.all((vectors * expected).sum(axis=1) > 0.99999)


def test_int8_stays_close_to_sentence_transformers():
    with np.load(REFERENCE_FILE) as stored:
        expected = stored["vectors"]
    cosines = (get_encoder("int8").embed(reference_texts()) * expected).sum(axis=1)
    assert cosines.min() > 0.97
    assert cosines.mean() > 0.985


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_text_has_one_vector_whatever_its_batch_and_threads(precision):
    texts = reference_texts()
    alone = np.concatenate([Encoder(precision, threads=1).embed([text]) for text in texts[:2]])
    encoder = Encoder(precision, threads=3)
    assert np.array_equal(alone, encoder.embed(texts)[:2])
    assert np.array_equal(alone, encoder.embed(texts[::-1])[::-1][:2])
    assert np.array_equal(encoder.embed(texts * 3), np.tile(encoder.embed(texts), (3, 1)))


def test_callers_in_many_threads_get_the_same_vectors():
    texts = reference_texts()
    encoder = get_encoder("int8")
    expected = encoder.embed(texts)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: get_encoder("int8").embed(texts), range(8)):
            assert np.array_equal(vectors, expected)


def test_no_more_texts_run_at_once_than_there_are_threads(monkeypatch):
    encoder = Encoder("int8", threads=2)
    texts = reference_texts()
    expected = encoder.embed(texts)
    session, lock = encoder._session, threading.Lock()
    running: list[int] = [0]
    seen: list[int] = []

    class Counting:
        def run(self, *arguments: Any) -> Any:
            with lock:
                running[0] += 1
                seen.append(running[0])
            try:
                return session.run(*arguments)
            finally:
                with lock:
                    running[0] -= 1

    monkeypatch.setattr(encoder, "_session", Counting())
    with ThreadPoolExecutor(4) as callers:
        for vectors in callers.map(lambda _: encoder.embed(texts), range(6)):
            assert np.array_equal(vectors, expected)
    assert max(seen) <= 2
    assert len(seen) == 6 * len(texts)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_vectors_are_unit_float32(precision):
    vectors = get_encoder(precision).embed(reference_texts())
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(reference_texts()), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert get_encoder(precision).embed([]).shape == (0, 384)


def test_an_overlong_text_is_refused_and_never_cut():
    encoder = get_encoder("int8")
    fits = "word " * (MAX_INPUT_TOKENS - 2)
    assert encoder.embed([fits]).shape == (1, 384)
    with pytest.raises(TooLongError, match="257 tokens") as caught:
        encoder.embed(["short", fits + "word"])
    assert isinstance(caught.value, InvalidRequestError)
    assert (caught.value.tokens, caught.value.limit) == (257, 256)
    assert pickle.loads(pickle.dumps(caught.value)).limit == 256


def test_token_vectors_have_a_unit_row_a_span_and_an_id_for_each_word_piece():
    text = "Café  déjà vu: unbelievably 日本 naïve."
    vectors, spans, ids = get_encoder("int8").token_vectors(text)
    assert vectors.shape == (len(spans), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    words = [text[start:end] for start, end in spans]
    assert words[:4] == ["Café", "dé", "jà", "vu"]
    assert "".join(words) == text.replace(" ", "")
    assert ids.shape == (len(spans),)
    empty, no_spans, no_ids = get_encoder("int8").token_vectors("")
    assert (empty.shape, no_spans.shape, no_ids.shape) == ((0, 384), (0, 2), (0,))


def test_token_vectors_read_as_far_as_the_model_has_positions():
    encoder = get_encoder("int8")
    assert len(encoder.token_vectors("word " * 510)[0]) == 510
    with pytest.raises(TooLongError):
        encoder.token_vectors("word " * 511)


def test_one_encoder_per_precision_and_process():
    with ThreadPoolExecutor(4) as pool:
        encoders = set(pool.map(lambda _: get_encoder("int8"), range(8)))
    assert len(encoders) == 1
    with pytest.raises(InvalidRequestError, match="bf16"):
        get_encoder("bf16")  # type: ignore[arg-type]  # what a wrong configuration would pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_waits_for_no_turn_of_its_parent():
    encoder = Encoder("int8", threads=1)
    with encoder._turns:
        child = os.fork()
        if child == 0:
            os._exit(0 if encoder._turns._free.acquire(timeout=20) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
