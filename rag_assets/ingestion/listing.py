"""What a source lists beside what is stored of it, as Arrow columns: some 200 bytes a document, whatever its size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.documents.connectors import Connector
from rag_assets.documents.parsing import parser_for
from rag_assets.store import Table

SLAB_DOCUMENTS = 8_192
STATE_COLUMNS = ["document_id", "uri", "fingerprint", "parser", "content_hash", "row_hash"]
LISTED = pa.schema([("uri", pa.string()), ("fingerprint", pa.string()), ("parser", pa.string())])


def read_listing(connector: Connector) -> pa.Table:
    """The documents that a source has: columns `uri` (sorted, distinct), `fingerprint` and `parser`.

    Raises `SourceUnavailableError` rather than return a part of them.
    """
    listed = ((item.uri, item.fingerprint, parser_for(item.uri)) for item in connector.list())
    supported = (row for row in listed if row[2] is not None)
    slabs = []
    while rows := list(islice(supported, SLAB_DOCUMENTS)):
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        slabs.append(pa.RecordBatch.from_arrays(columns, schema=LISTED))
    return pa.Table.from_batches(slabs, schema=LISTED)


def read_stored(table: Table) -> pa.Table:
    """What the comparison needs of the rows of `raw_documents`: the columns `STATE_COLUMNS`."""
    return table.rows(columns=STATE_COLUMNS).select(STATE_COLUMNS)


def missing(stored: pa.Table, listed: pa.Table) -> pa.Table:
    """The rows of `stored` whose document is not listed any more."""
    return stored.filter(pc.invert(pc.is_in(stored["uri"], value_set=listed["uri"])))


@dataclass(frozen=True, slots=True)
class Compared:
    """The listed documents beside their stored rows. `gates` are their fingerprints as a row would have them.

    `differs` is what `difference.is_document_due` says. `content_hashes` and `row_hashes` are those of the stored rows,
    null where there is none; `same_reading` is what `difference.same_reading` says. Of the listed documents
    `parser_changed` were read by another parser, and `settings_changed` under other settings of their source.
    """

    listed: pa.Table
    gates: pa.ChunkedArray
    content_hashes: pa.ChunkedArray
    row_hashes: pa.ChunkedArray
    same_reading: np.ndarray
    differs: np.ndarray
    parser_changed: int
    settings_changed: int

    def positions(self, uris: Collection[str]) -> dict[str, int]:
        """Where those of `uris` that are listed stand."""
        wanted = pa.array(sorted(uris), pa.string())
        found = pc.index_in(wanted, value_set=self.listed["uri"]).to_pylist()
        return {uri: at for uri, at in zip(wanted.to_pylist(), found, strict=True) if at is not None}


def compare(listed: pa.Table, stored: pa.Table, salt: str) -> Compared:
    """Compares the cheap gates. `salt` stands for the settings of the source that end up in its rows."""
    at = pc.index_in(listed["uri"], value_set=stored["uri"])
    before, parser = stored["fingerprint"].take(at), stored["parser"].take(at)
    gates = pc.binary_join_element_wise(listed["fingerprint"], salt, "|")
    same_parser = pc.equal(parser, listed["parser"])
    same_settings = pc.ends_with(before, f"|{salt}")
    same = pc.fill_null(pc.and_(pc.equal(before, gates), same_parser), False)
    return Compared(
        listed=listed,
        gates=gates,
        content_hashes=stored["content_hash"].take(at),
        row_hashes=stored["row_hash"].take(at),
        same_reading=pc.fill_null(pc.and_(same_parser, same_settings), False).to_numpy(),
        differs=~same.to_numpy(),
        parser_changed=_count(pc.invert(same_parser)),
        settings_changed=_count(pc.invert(same_settings)),
    )


@dataclass(frozen=True, slots=True)
class DueDocument:
    """A listed document that must be opened. `gate` is its listed fingerprint as a row would have it.

    `content_hash` and `row_hash` are its stored row's, None where there is none. With `same_reading` that row came from
    the parser of now, under the settings of now.
    """

    uri: str
    gate: str
    content_hash: str | None
    row_hash: str | None
    same_reading: bool


@dataclass(frozen=True, slots=True)
class Due:
    """The documents that must be opened, in Arrow columns, so that a source of any size may be new."""

    columns: pa.Table

    @classmethod
    def of(cls, compared: Compared, mask: np.ndarray) -> Due:
        """Those of the listed documents that `mask` names."""
        columns = {
            "uri": compared.listed["uri"],
            "gate": compared.gates,
            "content_hash": compared.content_hashes,
            "row_hash": compared.row_hashes,
            "same_reading": pa.array(compared.same_reading),
        }
        return cls(pa.table(columns).filter(pa.array(mask)))

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def groups(self, size: int) -> Iterator[list[DueDocument]]:
        """The documents, `size` at a time."""
        for start in range(0, len(self), size):
            group = self.columns.slice(start, size)
            yield list(map(DueDocument, *(column.to_pylist() for column in group.columns)))


def _count(condition: pa.ChunkedArray) -> int:
    return int(pc.sum(condition).as_py() or 0)
