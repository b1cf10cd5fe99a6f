"""Parsing: bytes of a supported format become a `Document`. Nothing in them is executed, fetched or followed.

One module per format, each with `PARSER` (its name and version: raising the version makes a new generation, so that
every document is parsed again), `MEDIA_TYPE` and `parse(data, uri) -> Draft`. What all formats share is filled in here:
the title when the content names none, and the language when nobody said.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING

from rag_assets.documents.model import Document
from rag_assets.documents.parsing import docx, html, markdown, pdf, rst, text
from rag_assets.documents.parsing.draft import Draft, one_line
from rag_assets.documents.parsing.language import detect
from rag_assets.errors import MissingDependencyError, ParseError

if TYPE_CHECKING:
    import pyarrow as pa

_FORMATS: dict[str, ModuleType] = {
    ".md": markdown,
    ".mdx": markdown,
    ".rst": rst,
    ".txt": text,
    ".html": html,
    ".htm": html,
    ".pdf": pdf,
    ".docx": docx,
}
IN_C = (".html", ".htm", ".pdf", ".docx")
SUPPORTED_SUFFIXES: tuple[str, ...] = tuple(_FORMATS)


def parser_for(uri: str) -> str | None:
    """The name and version of the parser that reads `uri` ("markdown@1"), or None when its suffix is not supported."""
    module = _FORMATS.get(_suffix(uri))
    return None if module is None else str(module.PARSER)


def may_end_the_process(uris: pa.ChunkedArray) -> bool:
    """Whether one of these documents is read by a library in C, which a broken file can make crash."""
    import pyarrow.compute as pc

    return any(bool(pc.any(pc.ends_with(uris, suffix, ignore_case=True)).as_py()) for suffix in IN_C)


def parse(data: bytes, uri: str, *, language: str | None = None) -> Document:
    """The document that `data` holds, in the format that the suffix of `uri` names.

    A pure function of its arguments, safe to send to a process pool. `language` is what the source declares; without it
    the document's own declaration counts, then detection. Whatever the bytes, it raises
    nothing but `ParseError`; a broken installation is a `MissingDependencyError`.
    """
    module = _FORMATS.get(_suffix(uri))
    if module is None:
        known = " ".join(SUPPORTED_SUFFIXES)
        raise ParseError(f"{uri} is of no supported type.", fix=f"Exclude it; supported are {known}.")
    draft = _draft(module, data, uri) if data else Draft("", ())
    return Document(
        text=draft.text if draft.blocks else "",
        blocks=draft.blocks,
        title=one_line(draft.title or "") or _title_from(uri),
        media_type=module.MEDIA_TYPE,
        parser=module.PARSER,
        language=language or draft.language or detect(draft.text, draft.blocks),
        published_at=draft.published_at,
        metadata=draft.metadata,
    )


def _draft(module: ModuleType, data: bytes, uri: str) -> Draft:
    try:
        draft: Draft = module.parse(data, uri)
        return draft
    except ParseError:
        raise
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {uri} needs a package that is not installed: {error}.",
            fix="Install rag_assets with its dependencies.",
        ) from error
    except Exception as error:
        # The libraries have no common base for what broken input makes them raise, RecursionError among it.
        name = module.PARSER.partition("@")[0]
        raise ParseError(
            f"{uri} cannot be read as {name}: the file is broken or too deeply nested ({type(error).__name__}).",
            fix="Mend or replace the file, or exclude it from its source.",
        ) from error


def _suffix(uri: str) -> str:
    # As PurePosixPath has it, at a tenth of the cost: a listing asks this of every file.
    name = uri.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


def _title_from(uri: str) -> str:
    stem = PurePosixPath(uri).stem
    words = one_line(stem.replace("_", " ").replace("-", " ")) or stem
    return words[:1].upper() + words[1:]
