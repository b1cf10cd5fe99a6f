"""What answers are given from: read before a kill and after it, it must be the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag_assets.fingerprints import sha256_hex
from rag_assets.project import Project
from rag_assets_tests.integration.crash.corpus import ANCHOR

QUERIES = (ANCHOR, "harbour ferry beacon", "opening hours of the library")
MANY = 1_000
"""More than there are rows, so that a revoked document is only missing and pushes no other one out."""


@dataclass(frozen=True)
class Serving:
    """The serving release as it answers. `rows` stands for all rows of its pinned version, vectors included."""

    release_id: str | None
    snapshot_id: str | None
    rows: str | None
    denied: frozenset[str]
    hits: dict[str, tuple[tuple[str, str], ...]]

    def assert_unharmed(self, now: Serving) -> None:
        """`now` answers as this did, but for documents whose source has withdrawn them in between."""
        assert (now.release_id, now.snapshot_id, now.rows) == (self.release_id, self.snapshot_id, self.rows)
        assert self.denied <= now.denied
        for query, before in self.hits.items():
            left = [hit for hit in before if hit[0] not in now.denied]
            after = list(now.hits[query])
            if now.denied == self.denied:
                assert after == left
            assert sorted(after) == sorted(left)  # fused ranks may change places where others are gone


def serving_now(config_file: Path) -> Serving:
    """Asks as the command line does: a new reader, the serving release, every row for each query."""
    with Project.open(config_file) as project:
        release = project.ledger.serving()
        denied = project.ledger.denied().documents
        if release is None:
            return Serving(None, None, None, denied, dict.fromkeys(QUERIES, ()))
        snapshot = project.snapshot(release.snapshot_id)
        table = project.store.open_at(snapshot.table, snapshot.version)
        rows = table.search().select(["chunk_id", "document_hash", "vector"]).to_arrow().to_pylist()
        hits = {}
        for query in QUERIES:
            answered_from, found = project.search(query, k=MANY)
            assert answered_from == release.release_id
            hits[query] = tuple((hit.document_id, hit.chunk_id) for hit in found)
        assert hits[ANCHOR]
        return Serving(
            release.release_id,
            snapshot.snapshot_id,
            sha256_hex(repr(sorted((row["chunk_id"], row["document_hash"], row["vector"]) for row in rows))),
            denied,
            hits,
        )
