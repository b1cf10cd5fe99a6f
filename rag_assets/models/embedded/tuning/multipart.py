"""Reads the form that an upload arrives in: multipart/form-data (RFC 7578)."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from rag_assets.models.embedded.wire import WireError


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; `filename` is None where it is no file."""

    name: str
    filename: str | None
    content: bytes


def parse_form(content_type: str, body: bytes) -> list[Part]:
    """The fields in order. Raises `WireError` where the body is no such form."""
    boundary = _parameter("content-type", content_type, "boundary")
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        raise WireError("The body must be multipart/form-data with a boundary.")
    # A part begins after a line with the boundary and ends before the next; what comes before the first is no part.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "surrogateescape"))
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise WireError("The body is not a complete form: its last boundary is missing.")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition" and blank:
            name = _parameter(key, value, "name")
            if name is not None:
                return Part(name, _parameter(key, value, "filename"), content)
    raise WireError("A part of the form has no name.")


def _parameter(key: str, value: str, wanted: str) -> str | None:
    """A parameter of a header: `name` of `form-data; name="file"`."""
    message = Message()
    message[key] = value.strip()
    found = message.get_param(wanted, header=key)
    return None if found is None else "".join(found[2:]) if isinstance(found, tuple) else str(found)
