"""The batched graph runs here on the CPU: what a GPU adds is speed and other last digits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import openai
import pytest

from rag_assets.config import EmbeddingSettings, ModelSettings, ProviderSettings
from rag_assets.errors import ConfigurationError, MissingDependencyError
from rag_assets.models.embedded.batched import BATCH_TOKENS, CPU, CUDA, BatchedEncoder, _batches, cuda_encoder
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedder import Embedder
from rag_assets.models.embedding_space import embedding_space
from rag_assets_tests.models.embedded.test_encoder import reference_texts

without_cuda = pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this machine has CUDA")


@pytest.fixture(scope="module")
def batched() -> BatchedEncoder:
    return BatchedEncoder(CPU)


def texts_of_every_length() -> list[str]:
    long = " ".join(reference_texts())
    return [*reference_texts()[:3], "word", *(long[: 45 * n] for n in range(1, 16))]


def test_a_batch_has_the_vectors_of_its_texts_alone(batched):
    encoder = get_encoder("fp32")
    inputs = [encoder.tokenizer.encode(text, 512)[:256] for text in texts_of_every_length()]
    assert len({len(ids) for ids in inputs}) > 12
    alone, together = encoder.embed_ids(inputs), batched.embed_ids(inputs)
    assert together.dtype == np.float32
    assert (alone * together).sum(axis=1).min() > 0.99999
    assert np.abs(alone - together).max() < 1e-5


def test_padding_counts_for_nothing(batched):
    short = get_encoder("fp32").tokenizer.encode("A release pins a snapshot.", 256)
    long = get_encoder("fp32").tokenizer.encode("word " * 250, 256)
    assert np.abs(batched.embed_ids([short]) - batched.embed_ids([short, long])[:1]).max() < 1e-5


def test_batches_are_bounded_and_hold_each_text_once():
    lengths = [int(length) for length in np.random.default_rng(0).integers(3, 257, 1_000)]
    batches = list(_batches(lengths))
    assert sorted(position for batch in batches for position in batch) == list(range(1_000))
    assert all(len(batch) * max(lengths[position] for position in batch) <= BATCH_TOKENS for batch in batches)
    padded = sum(len(batch) * max(lengths[position] for position in batch) for batch in batches)
    assert padded < 1.2 * sum(lengths)
    assert list(_batches([])) == []
    assert list(_batches([BATCH_TOKENS + 1, 3])) == [[0], [1]]


def test_callers_in_many_threads(batched):
    encoder = get_encoder("fp32")
    inputs = [encoder.tokenizer.encode(text, 512)[:256] for text in texts_of_every_length()[:8]]
    expected = batched.embed_ids(inputs)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: batched.embed_ids(inputs), range(4)):
            assert np.array_equal(vectors, expected)
    assert batched.embed_ids([]).shape == (0, 384)


def test_by_default_int8_stays_on_the_cpu():
    assert cuda_encoder("auto", "int8") is None
    assert cuda_encoder("cpu", "fp32") is None


@without_cuda
def test_cuda_that_is_not_there_names_the_command():
    assert cuda_encoder("auto", "fp32") is None
    settings = ModelSettings(embedding=EmbeddingSettings(precision="fp32", device="cuda"))
    with Embedder(settings) as embedder:
        with pytest.raises(MissingDependencyError, match="onnxruntime-gpu"):
            list(embedder.embed_documents(["text"]))
        with pytest.raises(MissingDependencyError):
            embedder.embed_query("text")


def test_int8_has_no_cuda():
    embedder = Embedder(ModelSettings(embedding=EmbeddingSettings(device="cuda")))
    with pytest.raises(ConfigurationError, match=r"precision to fp32"):
        embedder.embed_query("text")


def test_a_device_is_for_the_embedded_provider_only():
    embedding = EmbeddingSettings(provider="team", model="text-embedding-3-small", device="cpu")
    with pytest.raises(ConfigurationError, match=r"models\.embedding\.device"):
        embedding_space(ModelSettings(providers={"team": ProviderSettings()}, embedding=embedding))


def test_the_device_decides_neither_the_space_nor_the_release():
    fp32 = ModelSettings(embedding=EmbeddingSettings(precision="fp32"))
    on_gpu = ModelSettings(embedding=EmbeddingSettings(precision="fp32", device="cuda"))
    assert embedding_space(fp32) == embedding_space(on_gpu)
    assert fp32.embedding.model_dump(mode="json") == on_gpu.embedding.model_dump(mode="json")


def test_the_wire_takes_a_device(client):
    request = {"model": "all-MiniLM-L6-v2", "input": "text"}
    plain = client.embeddings.create(**request).data[0].embedding
    assert client.embeddings.create(**request, extra_body={"device": "cpu"}).data[0].embedding == plain
    with pytest.raises(openai.BadRequestError, match="device"):
        client.embeddings.create(**request, extra_body={"device": "tpu"})
