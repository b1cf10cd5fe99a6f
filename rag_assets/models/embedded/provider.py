"""The embedded provider: the OpenAI API of two small models, answered in this process.

    GET    /v1/models, /v1/models/{id}
    DELETE /v1/models/{id}         of a tuned model
    POST   /v1/embeddings          all-MiniLM-L6-v2 (int8 by default), all-MiniLM-L6-v2:int8, all-MiniLM-L6-v2:fp32
    POST   /v1/chat/completions    extractive-reader, and models tuned from it
           /v1/files, /v1/fine_tuning/jobs    see `tuning/`

Nothing leaves the process, but for the training of a job, which has one of its own; and no key is looked at. Errors
have OpenAI's shape and status codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from rag_assets.errors import RagAssetsError, WeightsError
from rag_assets.models.embedded import chat, embeddings
from rag_assets.models.embedded.request_log import RequestLog, log_from_environment, logged_request
from rag_assets.models.embedded.tuning.api import JOBS_PATH, KeptState
from rag_assets.models.embedded.tuning.database import StateError
from rag_assets.models.embedded.wire import JsonObject, Reply, WireError, error_reply, json_reply, parse_object

MODELS = (*embeddings.PRECISIONS, chat.MODEL)
EMBEDDINGS_PATH, CHAT_PATH, MODELS_PATH = "/v1/embeddings", "/v1/chat/completions", "/v1/models"
_JSON_POSTS = (EMBEDDINGS_PATH, CHAT_PATH, JOBS_PATH)
_KEEPING = ("/v1/files", "/v1/fine_tuning")
_PUBLISHED = 1_630_000_000  # August 2021, when the weights were published
_CODES: dict[type[RagAssetsError], str] = {WeightsError: "weights_missing", StateError: "state_unavailable"}


class EmbeddedProvider:
    """Answers requests. Keeps nothing in memory: safe to share between threads.

    What it keeps, files and jobs and tuned models, is in `state_dir`; without one it has none. `request_log` is called
    after each request; by default RAG_ASSETS_EMBEDDED_REQUEST_LOG names a file for it.
    """

    def __init__(self, request_log: RequestLog | None = None, *, state_dir: Path | None = None) -> None:
        self._log = request_log or log_from_environment()
        self._kept = KeptState(state_dir)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: str = "") -> Reply:
        """The reply to one request; `path` begins with `/v1`. `headers` may hold a key, which is not looked at."""
        request: JsonObject = {}
        try:
            if method == "POST" and path in _JSON_POSTS:
                request = parse_object(body)
            if path.startswith(_KEEPING):
                reply = self._kept.answer(method, path, headers, body, query=query, request=request)
            else:
                reply = self._route(method, path, request)
        except WireError as error:
            reply = error_reply(error)
        except RagAssetsError as error:
            reply = error_reply(WireError(str(error), status=503, code=_CODES.get(type(error))))
        if self._log is not None:
            self._log(logged_request(method, path, _model(request), reply.status, _texts(path, request)))
        reply.headers["x-request-id"] = f"req_{uuid4().hex}"
        return reply

    def _route(self, method: str, path: str, request: JsonObject) -> Reply:
        if path == EMBEDDINGS_PATH:
            _check_method(method, path, "POST")
            self._check_model(request)
            return embeddings.embeddings(request)
        if path == CHAT_PATH:
            _check_method(method, path, "POST")
            model = _model(request)
            tuned = self._kept.reader(model) if model and model not in MODELS else None
            if tuned is None:
                self._check_model(request)
            return chat.chat_completions(request, tuned)
        if path == MODELS_PATH:
            _check_method(method, path, "GET")
            return json_reply({"object": "list", "data": [*map(_described, MODELS), *self._kept.models()]})
        if path.startswith(f"{MODELS_PATH}/"):
            return self._one_model(method, path, path.removeprefix(f"{MODELS_PATH}/"))
        raise WireError(f"There is no {path} here.", status=404, code="unknown_url")

    def _one_model(self, method: str, path: str, name: str) -> Reply:
        if name in MODELS:
            _check_method(method, path, "GET")
            return json_reply(_described(name))
        _check_method(method, path, "GET", "DELETE")
        if method == "DELETE":
            reply = self._kept.delete_model(name)
        else:
            reply = next((json_reply(model) for model in self._kept.models() if model["id"] == name), None)
        if reply is None:
            raise self._no_such_model(name)
        return reply

    def _check_model(self, request: JsonObject) -> None:
        """Raises `WireError` for a model that is not there at all; each request says which it takes of the others."""
        model = _model(request)
        if model and model not in MODELS and all(tuned["id"] != model for tuned in self._kept.models()):
            raise self._no_such_model(model)

    def _no_such_model(self, name: str) -> WireError:
        tuned = (model["id"] for model in self._kept.models() if ":ckpt-" not in model["id"])
        known = ", ".join((*MODELS, *tuned))
        return WireError(
            f"There is no model `{name}` here. Models: {known}.", status=404, param="model", code="model_not_found"
        )


def _check_method(method: str, path: str, *allowed: str) -> None:
    if method not in allowed:
        named = ", ".join(allowed)
        raise WireError(f"{path} takes {named}, not {method}.", status=405, headers={"allow": named})


def _described(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": _PUBLISHED, "owned_by": "rag_assets"}


def _model(request: JsonObject) -> str | None:
    model: Any = request.get("model")
    return model if isinstance(model, str) else None


def _texts(path: str, request: JsonObject) -> list[str]:
    """The texts of a request, for the log; none where the request is not well formed."""
    try:
        if path == EMBEDDINGS_PATH:
            return embeddings.input_texts(request)
        if path == CHAT_PATH:
            return [text for _, text in chat.message_texts(request)]
    except WireError:
        pass
    return []
