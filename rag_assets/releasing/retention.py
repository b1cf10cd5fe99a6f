"""What is kept of former releases, and what goes: pins of snapshots, revocations and the origins of documents.

A release is kept when it serves, when a rollback would go to it, when it is among the newest `keep` that served, or
when it served within `keep_days`. A snapshot is kept for the releases that need it; the candidate that was judged last,
and candidates younger than `CANDIDATE_AGE`, are kept too. The rows of releases stay in the ledger as history.

A pin that is gone only lets the clean-up of the table remove the version: who reads it already goes on reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag_assets.ledger import Denials, Ledger, Release, Snapshot
from rag_assets.releasing.gates import COMPLETENESS
from rag_assets.releasing.holdings import unheld_versions, unneeded_denials
from rag_assets.releasing.pins import index_of
from rag_assets.store import IndexTable, Store

CANDIDATE_AGE = timedelta(days=1)
"""A candidate that no release needs has this long to be evaluated, looked at and promoted."""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What was let go, or with `dry_run` would be.

    `kept` and `pruned` are ids of releases; one that was pruned before is in neither. `documents` and `sources` left
    the deny-list, because no version holds them any more. `forgotten_versions` counts versions of documents whose
    origin is no longer known.
    """

    dry_run: bool
    kept: tuple[str, ...]
    pruned: tuple[str, ...]
    snapshots: tuple[str, ...]
    documents: tuple[str, ...]
    sources: tuple[str, ...]
    forgotten_versions: int


def retained_releases(
    releases: Iterable[Release], ledger: Ledger, *, keep: int, keep_days: int, now: datetime
) -> frozenset[str]:
    """Ids of those of `releases` that the rule keeps. One that never served counts as served when it was made."""
    served_until = _served_until(ledger, now)
    serving, target = ledger.serving(), ledger.rollback_target()
    always = {release.release_id for release in (serving, target) if release is not None}
    newest = sorted(served_until, key=lambda release_id: served_until[release_id], reverse=True)[:keep]
    since = now - timedelta(days=keep_days)
    recent = {
        release.release_id for release in releases if served_until.get(release.release_id, release.created_at) > since
    }
    return frozenset(always | set(newest) | recent)


def _served_until(ledger: Ledger, now: datetime) -> dict[str, datetime]:
    """Release → the last moment at which it served, for those that ever did."""
    until: dict[str, datetime] = {}
    for change in ledger.serving_history():  # newest first, so the first mention of a release is its last moment
        until.setdefault(change.release_id, now)
        if change.previous_release_id is not None:
            until.setdefault(change.previous_release_id, change.served_at)
    return until


def prune(
    store: Store, ledger: Ledger, *, keep: int, keep_days: int, dry_run: bool = False, now: datetime | None = None
) -> PruneResult:
    """Lets go of what the rule does not keep; `now` (default: this moment) is what ages are counted from.

    Holds the write locks of all index tables while pins go, so that none is set meanwhile. What begins to serve in
    between is kept: the ledger decides that in one transaction. Raises `TableLockedError`.
    """
    now = now or datetime.now(UTC)
    tables = _indices(store, ledger)
    with ExitStack() as locks:
        for name in sorted(tables):
            locks.enter_context(tables[name].lock())
        releases = ledger.releases()
        due = _not_needed(
            ledger, releases, retained_releases(releases, ledger, keep=keep, keep_days=keep_days, now=now), now
        )
        if not dry_run:
            marked = set(ledger.mark_unpinned(snapshot.snapshot_id for snapshot in due))
            due = [snapshot for snapshot in due if snapshot.snapshot_id in marked]
            _unpin(tables, ledger)
            _unpin_unknown(tables, ledger)
    without = {snapshot.tag for snapshot in due}
    denials = unneeded_denials(tables.values(), ledger, without=without)
    versions = unheld_versions(store, tables.values(), ledger, without=without)
    if not dry_run:
        ledger.withdraw(denials)
        ledger.forget_document_versions(versions)
    gone = {snapshot.snapshot_id for snapshot in due}
    kept = {one.snapshot_id for one in ledger.snapshots() if one.unpinned_at is None} - gone
    return PruneResult(
        dry_run=dry_run,
        kept=tuple(release.release_id for release in releases if release.snapshot_id in kept),
        pruned=tuple(release.release_id for release in releases if release.snapshot_id in gone),
        snapshots=tuple(sorted(gone)),
        documents=tuple(sorted(denials.documents)),
        sources=tuple(sorted(denials.sources)),
        forgotten_versions=len(versions),
    )


def end_unneeded_revocations(store: Store, ledger: Ledger) -> Denials:
    """Takes off the deny-list what no kept version holds, and returns that. Reads no table while the list is empty.

    It waits for no lock.
    """
    denials = unneeded_denials(_indices(store, ledger).values(), ledger)
    if denials.documents or denials.sources:
        ledger.withdraw(denials)
    return denials


def _indices(store: Store, ledger: Ledger) -> dict[str, IndexTable]:
    """The index table of every generation that a snapshot was ever taken of, by its name."""
    tables: dict[str, IndexTable] = {}
    for snapshot in ledger.snapshots():
        if snapshot.table not in tables:
            tables[snapshot.table] = index_of(store, snapshot)
    return tables


def _not_needed(ledger: Ledger, releases: Iterable[Release], kept: frozenset[str], now: datetime) -> list[Snapshot]:
    needed = {release.snapshot_id for release in releases if release.release_id in kept}
    released = {release.snapshot_id for release in releases}
    judged = ledger.verdicts(COMPLETENESS, limit=1)
    needed |= {verdict.subject for verdict in judged}
    return [
        snapshot
        for snapshot in ledger.snapshots()
        if snapshot.unpinned_at is None
        and snapshot.snapshot_id not in needed
        and (snapshot.snapshot_id in released or snapshot.created_at <= now - CANDIDATE_AGE)
    ]


def _unpin(tables: dict[str, IndexTable], ledger: Ledger) -> None:
    """Removes the pins of all snapshots that the ledger calls unpinned, also where an earlier run died before it."""
    for snapshot in ledger.snapshots():
        table = tables.get(snapshot.table)
        if snapshot.unpinned_at is not None and table is not None and snapshot.tag in table.pinned():
            table.unpin(snapshot.tag)


def _unpin_unknown(tables: dict[str, IndexTable], ledger: Ledger) -> None:
    """Removes the pins of snapshots that the ledger never got to know: their run died between the two.

    The next snapshot of the same rows takes such a pin over; where the rows changed since, nobody would ever name it.
    The caller holds the locks under which a pin is set and recorded, so none is on its way.
    """
    known = {snapshot.tag for snapshot in ledger.snapshots()}
    for table in tables.values():
        for tag in table.pinned().keys() - known:
            table.unpin(tag)
