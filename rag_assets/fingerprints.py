"""Ids and fingerprints: how the platform tells that two things are the same.

All are SHA-256 in lower-case hexadecimal. Ids are cut to 32 characters (128 bits: the chance of a collision among a
billion rows is below 1e-20); hashes of content are kept whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ID_LENGTH = 32
SLAB_ROWS = 65_536


def sha256_hex(data: bytes | str) -> str:
    """The SHA-256 of `data` (text as UTF-8, lone surrogates kept), 64 hexadecimal characters."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()


def document_id(source: str, uri: str) -> str:
    """The id of the document `uri` of `source`: 32 characters."""
    return sha256_hex(f"{source}\0{uri}")[:ID_LENGTH]


def chunk_id(document: str, text_hash: str, occurrence: int) -> str:
    """The id of a chunk: its document, its text, and how many equal chunks precede it in the document (from 0)."""
    return sha256_hex(f"{document}\0{text_hash}\0{occurrence}")[:ID_LENGTH]


def fingerprint(**parts: Any) -> str:
    """A hash of named settings, independent of their order: 32 characters. Values must be JSON-serialisable."""
    return sha256_hex(json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":")))[:ID_LENGTH]


def data_version(rows: Iterable[tuple[str, str]], configuration: str) -> str:
    """The version of a set of rows: the hash of its sorted (id, hash) pairs and of the configuration behind it."""
    digest = hashlib.sha256(configuration.encode())
    for key, value in sorted(rows):
        digest.update(f"\0{key}\0{value}".encode())
    return digest.hexdigest()[:ID_LENGTH]


def data_version_of_columns(batches: Iterable[tuple[pa.Array, pa.Array]], configuration: str) -> str:
    """`data_version` of rows that come as pairs of Arrow columns, ids and hashes, in about 80 bytes a row."""
    import pyarrow as pa

    columns = [pa.string(), pa.string()]
    rows = pa.Table.from_batches(
        (pa.RecordBatch.from_arrays(list(pair), names=["id", "hash"]) for pair in batches),
        schema=pa.schema(list(zip(["id", "hash"], columns, strict=True))),
    )
    # UTF-8 sorts as its code points do, so this order is that of `sorted`.
    order = rows.sort_by([("id", "ascending"), ("hash", "ascending")])
    digest = hashlib.sha256(configuration.encode())
    for piece in _written_out(order):
        digest.update(piece)
    return digest.hexdigest()[:ID_LENGTH]


def _written_out(rows: pa.Table) -> Iterator[memoryview]:
    """The bytes "\\0id\\0hash" of every row, a slab of rows at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in rows.to_batches(max_chunksize=SLAB_ROWS):
        joined = pc.binary_join_element_wise("", batch["id"], batch["hash"], "\0").cast(pa.large_string())
        offsets = memoryview(joined.buffers()[1]).cast("q")
        start, end = offsets[joined.offset], offsets[joined.offset + len(joined)]
        yield memoryview(joined.buffers()[2])[start:end]
