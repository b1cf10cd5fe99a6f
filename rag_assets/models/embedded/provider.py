"""The embedded provider: the OpenAI API of two small models, answered in this process.

    GET  /v1/models, /v1/models/{id}
    POST /v1/embeddings          all-MiniLM-L6-v2 (int8 by default), all-MiniLM-L6-v2:int8, all-MiniLM-L6-v2:fp32
    POST /v1/chat/completions    extractive-reader

Nothing leaves the process and no key is looked at. Errors have OpenAI's shape and status codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from rag_assets.errors import RagAssetsError, WeightsError
from rag_assets.models.embedded import chat, embeddings
from rag_assets.models.embedded.request_log import RequestLog, log_from_environment, logged_request
from rag_assets.models.embedded.wire import JsonObject, Reply, WireError, error_reply, json_reply, parse_object

MODELS = (*embeddings.PRECISIONS, chat.MODEL)
MODELS_PATH = "/v1/models"
_POSTS: dict[str, Callable[[JsonObject], Reply]] = {
    "/v1/embeddings": embeddings.embeddings,
    "/v1/chat/completions": chat.chat_completions,
}
_PUBLISHED = 1_630_000_000  # August 2021, when the weights were published


class EmbeddedProvider:
    """Answers requests. Keeps no state of its own: safe to share between threads.

    `request_log` is called after each request; by default RAG_ASSETS_EMBEDDED_REQUEST_LOG names a file for it.
    """

    def __init__(self, request_log: RequestLog | None = None, *, state_dir: Path | None = None) -> None:
        self._log = request_log or log_from_environment()
        self._state_dir = state_dir

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The reply to one request; `path` begins with `/v1`. `headers` may hold a key, which is not looked at."""
        request: JsonObject = {}
        try:
            if method == "POST" and path in _POSTS:
                request = parse_object(body)
            reply = _route(method, path, request)
        except WireError as error:
            reply = error_reply(error)
        except RagAssetsError as error:
            code = "weights_missing" if isinstance(error, WeightsError) else None
            reply = error_reply(WireError(str(error), status=503, code=code))
        if self._log is not None:
            self._log(logged_request(method, path, _model(request), reply.status, _texts(path, request)))
        reply.headers["x-request-id"] = f"req_{uuid4().hex}"
        return reply


def _route(method: str, path: str, request: JsonObject) -> Reply:
    allowed = "POST" if path in _POSTS else "GET"
    if path not in _POSTS and path != MODELS_PATH and not path.startswith(f"{MODELS_PATH}/"):
        raise WireError(f"There is no {path} here.", status=404, code="unknown_url")
    if method != allowed:
        raise WireError(f"{path} takes {allowed}, not {method}.", status=405, headers={"allow": allowed})
    if path in _POSTS:
        model = _model(request)
        if model and model not in MODELS:
            raise _no_such_model(model)
        return _POSTS[path](request)
    if path == MODELS_PATH:
        return json_reply({"object": "list", "data": [_described(name) for name in MODELS]})
    name = path.removeprefix(f"{MODELS_PATH}/")
    if name not in MODELS:
        raise _no_such_model(name)
    return json_reply(_described(name))


def _no_such_model(name: str) -> WireError:
    known = ", ".join(MODELS)
    return WireError(
        f"There is no model `{name}` here. Models: {known}.", status=404, param="model", code="model_not_found"
    )


def _described(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": _PUBLISHED, "owned_by": "rag_assets"}


def _model(request: JsonObject) -> str | None:
    model: Any = request.get("model")
    return model if isinstance(model, str) else None


def _texts(path: str, request: JsonObject) -> list[str]:
    """The texts of a request, for the log; none where the request is not well formed."""
    try:
        if path == "/v1/embeddings":
            return embeddings.input_texts(request)
        if path == "/v1/chat/completions":
            return [text for _, text in chat.message_texts(request)]
    except WireError:
        pass
    return []
