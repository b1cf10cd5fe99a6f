"""Vectors as they come over the wire, and the checks they pass before anything keeps them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class MalformedAnswerError(ValueError):
    """The body is not the API's, or its rows do not belong to the inputs one to one."""


def decode_embeddings(body: bytes, inputs: int) -> tuple[list[Vectors | None], int | None]:
    """The vectors of an answer to `POST /embeddings` in the order of the inputs, and the tokens it reports.

    A null vector is None; tokens are None where the server reports none. Reads base64 (little-endian float32) and lists
    of numbers, since some servers ignore `encoding_format`. Raises `MalformedAnswerError`.
    """
    try:
        answer: Any = json.loads(body)
        rows = {int(item["index"]): _vector(item["embedding"]) for item in answer["data"]}
        tokens = (answer.get("usage") or {}).get("prompt_tokens")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise MalformedAnswerError("the answer is not in the OpenAI format") from None
    if len(answer["data"]) != inputs or rows.keys() != set(range(inputs)):
        raise MalformedAnswerError(f"{inputs} texts were sent and {len(rows)} vectors came back")
    return [rows[index] for index in range(inputs)], int(tokens) if tokens else None


def _vector(value: str | list[float] | None) -> Vectors | None:
    if value is None:
        return None
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
    return np.asarray(value, dtype=np.float32)  # a null among the numbers becomes NaN


def unit_rows(rows: Sequence[Vectors | None], dimension: int) -> tuple[Vectors, dict[int, str]]:
    """The vectors as float32 [n, dimension] scaled to unit length, and what is wrong with those that cannot be.

    A row that is null, of another dimension, not finite or of length zero stays zero; its reason is under its position.
    """
    vectors = np.zeros((len(rows), dimension), dtype=np.float32)
    broken: dict[int, str] = {}
    for position, row in enumerate(rows):
        if row is None or row.size == 0:
            broken[position] = "the vector is null"
        elif row.shape != (dimension,):
            broken[position] = f"the vector has {row.size:,} dimensions instead of {dimension:,}"
        elif not np.isfinite(row).all():
            broken[position] = "the vector has a NaN or an infinite value"
        elif not row.any():
            broken[position] = "the vector is zero"
        else:
            wide = row.astype(np.float64)  # squares of large float32 values overflow float32
            vectors[position] = wide / np.linalg.norm(wide)
    return vectors, broken
