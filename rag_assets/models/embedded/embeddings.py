"""POST /v1/embeddings with all-MiniLM-L6-v2."""

from __future__ import annotations

import base64
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.batched import Device, cuda_encoder
from rag_assets.models.embedded.encoder import DEFAULT_PRECISION, DIMENSION, MAX_INPUT_TOKENS, get_encoder
from rag_assets.models.embedded.tensors import Precision
from rag_assets.models.embedded.tokenizer import SPECIAL_TOKENS, TooLongError
from rag_assets.models.embedded.wire import (
    JsonObject,
    Reply,
    WireError,
    json_reply,
    refuse_unknown,
    required_text,
)

MODEL = "all-MiniLM-L6-v2"
MAX_INPUTS = 2048  # as OpenAI
PRECISIONS: dict[str, Precision] = {
    MODEL: DEFAULT_PRECISION,
    **{f"{MODEL}:{precision}": precision for precision in get_args(Precision)},
}
"""The model's ids on the wire: the plain name is the default precision, a suffix names one."""

_KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "precision", "device", "user"})


def embeddings(request: JsonObject) -> Reply:
    """Vectors for one text or a list of texts. `precision` and `device` may be given beside the plain model id.

    Usage counts what the model reads, special tokens included. Raises `WireError`; nothing is embedded then.
    """
    refuse_unknown(request, _KNOWN)
    precision = _precision(request)
    texts = input_texts(request)
    encoding = request.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise WireError("`encoding_format` must be `float` or `base64`.", param="encoding_format")
    if request.get("dimensions") not in (None, DIMENSION):
        raise WireError(f"Vectors of {MODEL} always have {DIMENSION} dimensions.", param="dimensions")
    encoder = cuda_encoder(_device(request), precision) or get_encoder(precision)
    inputs = []
    for index, text in enumerate(texts):
        try:
            ids = encoder.tokenizer.encode(text, MAX_INPUT_TOKENS)
        except TooLongError as error:
            message = f"`input[{index}]` has {error.tokens} tokens; {MODEL} reads at most {error.limit}."
            raise WireError(message, param="input", code="context_length_exceeded") from error
        if len(ids) == SPECIAL_TOKENS:
            raise WireError(f"`input[{index}]` holds no text.", param="input")
        inputs.append(ids)
    vectors = encoder.embed_ids(inputs)
    tokens = sum(len(ids) for ids in inputs)
    return json_reply(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _encoded(vector, encoding)}
                for index, vector in enumerate(vectors)
            ],
            "model": request["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def input_texts(request: JsonObject) -> list[str]:
    """The texts of a request; raises `WireError` for anything else, token arrays among it."""
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise WireError("`input` must be a text or a list of texts.", param="input")
    if not all(isinstance(text, str) for text in texts):
        raise WireError("`input` must be texts: arrays of tokens belong to another tokenizer.", param="input")
    if len(texts) > MAX_INPUTS:
        raise WireError(f"`input` has {len(texts)} texts; one request takes at most {MAX_INPUTS}.", param="input")
    return texts


def _precision(request: JsonObject) -> Precision:
    model = required_text(request, "model")
    if model not in PRECISIONS:
        raise WireError(f"`{model}` does not embed; `{MODEL}` does.", param="model")
    asked = request.get("precision")
    if asked is None:
        return PRECISIONS[model]
    if asked not in get_args(Precision):
        raise WireError("`precision` must be `int8` or `fp32`.", param="precision")
    if model != MODEL and asked != PRECISIONS[model]:
        raise WireError(f"`precision` is {asked} and the model is {model}.", param="precision")
    return cast(Precision, asked)


def _device(request: JsonObject) -> Device:
    asked = request.get("device") or "auto"
    if asked not in get_args(Device):
        raise WireError("`device` must be `auto`, `cpu` or `cuda`.", param="device")
    return cast(Device, asked)


def _encoded(vector: NDArray[np.float32], encoding: str) -> Any:
    if encoding == "float":
        return vector.tolist()
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode("ascii")
