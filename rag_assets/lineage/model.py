"""The links of a chain. Every value is plain; `asdict` of any of them is fit for JSON but for its times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rag_assets.lineage.releases import ReleaseTrace

FileState = Literal["unchanged", "changed", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class FileTrace:
    """The file of a document as it is now, against one version of it. `sha256` is of its bytes, where it was read.

    `unknown`: it could not be read, or there is no version to compare it with; `note` says which.
    """

    state: FileState
    sha256: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class VersionTrace:
    """One version of a document: the SHA-256 of the file's bytes, and who read them when.

    The fields from `content_hash` on are None where the version was never recorded, and `run_id` also where it was
    recorded by a later run than the one that read it. `releases` are the kept ones that hold it, newest first.
    """

    document_id: str
    document_hash: str
    source: str
    uri: str
    content_hash: str | None
    parser: str | None
    loaded_at: datetime | None
    run_id: str | None
    file: FileTrace
    releases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkTrace:
    """A chunk, as `snapshot_id` holds it, or as its source has it now where that is None.

    The id of a chunk names its document and its text, so it has this text wherever it is found. Without `version` the
    chunk is in no version that is kept: then only the place that an answer named is known.
    """

    chunk_id: str
    source: str
    uri: str
    snapshot_id: str | None
    title: str = ""
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    start_offset: int | None = None
    end_offset: int | None = None
    text: str | None = None
    version: VersionTrace | None = None
    release: ReleaseTrace | None = None


@dataclass(frozen=True, slots=True)
class CitationTrace:
    """What an answer cites. `quote_found`: the quote stands in the chunk; None where the chunk is not kept."""

    n: int
    quote: str
    quote_found: bool | None
    chunk: ChunkTrace


@dataclass(frozen=True, slots=True)
class AnswerTrace:
    """An answer and everything it was given from."""

    answer_id: str
    question: str
    answer: str
    answerable: bool
    model: str
    usage: dict[str, Any]
    cost_usd: float | None
    created_at: datetime
    ratings: tuple[dict[str, Any], ...]
    release: ReleaseTrace
    citations: tuple[CitationTrace, ...]


@dataclass(frozen=True, slots=True)
class DocumentTrace:
    """A document: its versions, newest first, its chunks in the serving release, and the answers that cite it.

    `stored_hash` is the version that its source has now, None when it is gone. `denied`: no search returns it.
    """

    document_id: str
    source: str
    uri: str
    stored_hash: str | None
    denied: bool
    file: FileTrace
    versions: tuple[VersionTrace, ...]
    serving_release: str | None
    chunks: tuple[dict[str, Any], ...]
    answers: tuple[dict[str, Any], ...]
