from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rag_assets.config import ProviderSettings
from rag_assets.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ModelNotFoundError,
    ProviderUnavailableError,
    QuotaError,
    RateLimitError,
    WeightsError,
)
from rag_assets.models.client import make_client, translate_errors
from rag_assets_tests.openai_server import API_KEY, QUOTA, UNAUTHORIZED, Fault, OpenAIServer

if TYPE_CHECKING:
    import openai

KEYS = {"TEST_KEY": API_KEY}
BUSY = Fault(status=429, code="rate_limit_exceeded", message="Slow down.", headers={"retry-after-ms": "5"})


def _client(server: OpenAIServer, **changes: Any) -> openai.OpenAI:
    settings = ProviderSettings(base_url=server.base_url, api_key_env="TEST_KEY", **changes)
    return make_client("team", settings, environment=KEYS)


def _embed(client: openai.OpenAI, text: str = "hello") -> Any:
    with client, translate_errors("team", "test-embedding", secret=client.api_key):
        return client.embeddings.create(model="test-embedding", input=[text])


def test_a_missing_key_names_the_variable():
    with pytest.raises(ConfigurationError, match=r"TEST_KEY, which is not set.*models\.providers\.team\.api_key_env"):
        make_client("team", ProviderSettings(api_key_env="TEST_KEY"), environment={"TEST_KEY": " "})


def test_a_key_that_cannot_be_one_is_refused_without_showing_it():
    with pytest.raises(ConfigurationError, match="TEST_KEY") as caught:
        make_client("team", ProviderSettings(api_key_env="TEST_KEY"), environment={"TEST_KEY": "“sk-secret”"})
    assert "secret" not in str(caught.value)


def test_a_server_without_keys_needs_none(openai_server):
    client = make_client("local", ProviderSettings(base_url=openai_server.base_url, api_key_env=None), environment={})
    assert len(_embed(client).data[0].embedding) == openai_server.dimension


def test_the_environment_does_not_choose_the_server(openai_server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
    with make_client("openai", ProviderSettings(api_key_env="TEST_KEY"), environment=KEYS) as client:
        assert str(client.base_url) == "https://api.openai.com/v1/"


def test_the_key_travels_and_shows_nowhere_else(openai_server):
    client = _client(openai_server)
    _embed(client)
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {API_KEY}"
    assert API_KEY not in repr(client) + repr(vars(client).get("_client"))


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (UNAUTHORIZED, AuthenticationError, "status 401, the key was refused"),
        (Fault(status=403), AuthenticationError, "status 403, the key has no access"),
        (QUOTA, QuotaError, "status 429, the quota or credit is used up"),
        (Fault(status=402), QuotaError, "status 402"),
        (BUSY, RateLimitError, "status 429, Slow down."),
        (Fault(status=500, message="Oops"), ProviderUnavailableError, "status 500, Oops."),
        (Fault(status=503, message=f"key {API_KEY} hit\na wall"), ProviderUnavailableError, "key *** hit a wall."),
        (Fault(status=400, message="Bad input"), InvalidRequestError, "status 400, Bad input."),
        (Fault(status=404, message="No such model"), InvalidRequestError, "status 404, No such model."),
        (
            Fault(status=404, message="It is gone", code="model_not_found"),
            ModelNotFoundError,
            "status 404, It is gone.",
        ),
        (Fault(status=404, message="model 'test-embedding' not found"), ModelNotFoundError, "not found."),
        (Fault(status=503, code="weights_missing", message="Run: fetch"), WeightsError, "Run: fetch"),
        ("hang", ProviderUnavailableError, "no answer within the time limit"),
        ("cut", ProviderUnavailableError, "the connection failed"),
    ],
)
def test_every_failure_is_one_line_with_provider_model_status_and_fix(openai_server, fault, error, says):
    openai_server.script(fault)
    client = _client(openai_server, max_retries=0, timeout_seconds=0.2 if fault == "hang" else 30)
    with pytest.raises(error) as caught:
        _embed(client)
    line = str(caught.value)
    assert says in line
    if error is not WeightsError:  # the embedded provider's sentence stands alone
        assert line.startswith("Provider 'team', model 'test-embedding': ")
        assert caught.value.fix
    assert "\n" not in line
    assert API_KEY not in line
    assert caught.value.__suppress_context__


def test_a_refused_connection_is_unavailable():
    settings = ProviderSettings(base_url="http://127.0.0.1:9/v1", api_key_env=None, max_retries=0)
    with pytest.raises(ProviderUnavailableError, match=r"the connection failed.*base_url"):
        _embed(make_client("team", settings))


@pytest.mark.parametrize("fault", [BUSY, Fault(status=500, headers={"retry-after-ms": "5"}), "hang"])
def test_what_may_pass_is_tried_again(openai_server, fault):
    openai_server.script(fault)
    _embed(_client(openai_server, timeout_seconds=1 if fault == "hang" else 30))
    assert [request.retry for request in openai_server.requests] == [0, 1]


def test_retries_end(openai_server):
    openai_server.script(*[BUSY] * 5)
    with pytest.raises(RateLimitError):
        _embed(_client(openai_server, max_retries=2))
    assert len(openai_server.requests) == 3


@pytest.mark.parametrize(
    "fault", [UNAUTHORIZED, QUOTA, Fault(status=400), Fault(status=429, headers={"retry-after": "121"})]
)
def test_what_cannot_pass_is_tried_once(openai_server, fault):
    openai_server.script(fault)
    with pytest.raises((AuthenticationError, QuotaError, InvalidRequestError, RateLimitError)):
        _embed(_client(openai_server))
    assert len(openai_server.requests) == 1


def test_a_wait_asked_of_one_request_holds_back_the_next(openai_server):
    openai_server.script(Fault(status=429, headers={"retry-after": "0.2"}))
    client = _client(openai_server, max_retries=0)
    with pytest.raises(RateLimitError), translate_errors("team", "test-embedding"):
        client.embeddings.create(model="test-embedding", input=["a"])
    _embed(client, "b")
    first, second = openai_server.requests
    assert second.at - first.at >= 0.2
