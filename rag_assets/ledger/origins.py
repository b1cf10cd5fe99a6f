"""Origins: which bytes a version of a document was, and which run brought a stage to which state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import document_versions, stage_runs

BATCH_KEYS = 5_000


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A version of a document that was stored once. `content_hash` is the SHA-256 of the file's bytes.

    `document_hash` is the `row_hash` of its row in `raw_documents`, which chunks and index rows carry.
    """

    document_id: str
    document_hash: str
    source: str
    uri: str
    content_hash: str
    parser: str
    run_id: str | None
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class StageRun:
    """A run that left `asset` of `source` ("" for assets over all sources) at `data_version`."""

    asset: str
    source: str
    data_version: str
    table_version: int | None
    run_id: str | None
    created_at: datetime


class Origins(Database):
    """Where stored things came from."""

    def record_document_versions(self, versions: Sequence[DocumentVersion]) -> None:
        """Keeps versions of documents; one that is known keeps its first run and time."""
        if versions:
            with self.writing() as connection:
                self.upsert(connection, document_versions, [asdict(version) for version in versions])

    def document_version(self, document_id: str, document_hash: str) -> DocumentVersion | None:
        """This version of this document, whether it is still stored or not."""
        columns = document_versions.c
        statement = select(document_versions).where(
            columns.document_id == document_id, columns.document_hash == document_hash
        )
        with self.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return DocumentVersion(**row._mapping) if row else None

    def versions_of(self, document_id: str) -> list[DocumentVersion]:
        """Every known version of a document, newest first."""
        statement = (
            select(document_versions)
            .where(document_versions.c.document_id == document_id)
            .order_by(document_versions.c.loaded_at.desc(), document_versions.c.document_hash)
        )
        with self.reading() as connection:
            return [DocumentVersion(**row._mapping) for row in connection.execute(statement)]

    def document_version_keys(self, source: str | None = None) -> set[tuple[str, str]]:
        """(document_id, document_hash) of every version that is kept here, of one source or of all."""
        statement = select(document_versions.c.document_id, document_versions.c.document_hash)
        if source is not None:
            statement = statement.where(document_versions.c.source == source)
        with self.reading() as connection:
            return {(row.document_id, row.document_hash) for row in connection.execute(statement)}

    def document_version_batches(self, source: str) -> Iterator[Sequence[tuple[str, str]]]:
        """The same keys of one source, some thousands at a time."""
        columns = document_versions.c
        statement = select(columns.document_id, columns.document_hash).where(columns.source == source)
        with self.reading() as connection:
            found = connection.execution_options(stream_results=True).execute(statement)
            while rows := found.fetchmany(BATCH_KEYS):
                yield [(row[0], row[1]) for row in rows]

    def forget_document_versions(self, keys: Iterable[tuple[str, str]]) -> None:
        """Removes versions, given as (document_id, document_hash)."""
        gone = [{"key": document, "hash": version} for document, version in sorted(keys)]
        columns = document_versions.c
        statement = delete(document_versions).where(
            columns.document_id == bindparam("key"), columns.document_hash == bindparam("hash")
        )
        if gone:
            with self.writing() as connection:
                connection.execute(statement, gone)

    def record_stage_run(
        self, asset: str, source: str, data_version: str, *, run_id: str | None, table_version: int | None = None
    ) -> None:
        """Says that a run left a stage in this state; nothing is written when it was in it already.

        `table_version` does not count: a table that sources share gets new versions by what happens to the others.
        """
        newest = self.stage_runs(asset, source, limit=1)
        if newest and newest[0].data_version == data_version:
            return
        row = StageRun(asset, source, data_version, table_version, run_id, utc_now())
        with self.writing() as connection:
            connection.execute(stage_runs.insert().values(**asdict(row)))

    def stage_runs(self, asset: str, source: str, *, limit: int | None = None) -> list[StageRun]:
        """The states that a stage of one source went through, newest first."""
        columns = [column for column in stage_runs.c if column.name != "id"]
        statement = (
            select(*columns)
            .where(stage_runs.c.asset == asset, stage_runs.c.source == source)
            .order_by(stage_runs.c.id.desc())
            .limit(limit)
        )
        with self.reading() as connection:
            return [StageRun(**row._mapping) for row in connection.execute(statement)]
