"""Makes a judged snapshot what answers are given from, and goes back to an earlier one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rag_assets.errors import GateError, NoReleaseError
from rag_assets.failpoints import failpoint
from rag_assets.ingestion.generation import Generation
from rag_assets.ledger import Ledger, Release, Snapshot
from rag_assets.releasing.content import ReleaseContent
from rag_assets.releasing.coverage import document_versions, present_versions
from rag_assets.releasing.gates import COMPLETENESS, QUALITY, SNAPSHOT_GATES, require
from rag_assets.releasing.pins import require_kept
from rag_assets.releasing.retention import end_unneeded_revocations
from rag_assets.store import Store

REVOKED_BEFORE = "revoked_before"
"""Not a gate but a note in the same place: this document was revoked once and then came back."""


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """`new` says that this release did not exist before; `flipped`, that it serves from now on.

    `retracted` says that a person went back from exactly this release: it does not serve again by itself.
    """

    release: Release
    new: bool
    flipped: bool
    retracted: bool
    allowed_again: int


def make_release(
    store: Store,
    ledger: Ledger,
    content: ReleaseContent,
    *,
    quality: str,
    generation: Generation,
    sources: Sequence[str],
    served_by: str,
) -> ReleaseResult:
    """Releases `content`; the same content is the same release. `quality` is the subject of its quality verdict.

    Revocations end here: of what this release answers from soundly, which are documents, and sources with all their
    documents, of which it holds the present version; and of what no kept version holds any more. Raises `GateError`
    when a gate did not pass for exactly this content, when another release was made since it was judged, or when it is
    of another generation than the models that would answer; the serving release then stays.
    """
    snapshot = content.snapshot
    require(ledger, SNAPSHOT_GATES, snapshot.snapshot_id)
    _require_judged_against_serving(ledger, snapshot)
    if snapshot.generation != generation.id:
        raise GateError(
            f"The newest snapshot is of generation {snapshot.generation}, and the configuration now asks for "
            f"{generation.id}.",
            fix="Run: rag-assets ingest --all",
        )
    compared_with = _quality_compared_with(ledger, content, quality)
    before = ledger.release(content.release_id)
    release = content.create(ledger)
    failpoint("release.between_recorded_and_serving")
    retracted = release.release_id in _rolled_back_from(ledger)
    flipped = not retracted and ledger.serve(
        release.release_id, reason="every gate passed", by=served_by, after=[compared_with]
    )
    failpoint("release.between_serving_and_revocations")
    allowed_again = 0 if retracted else _end_revocations(store, ledger, snapshot, sources)
    end_unneeded_revocations(store, ledger)
    return ReleaseResult(
        release=release,
        new=before is None,
        flipped=flipped,
        retracted=retracted,
        allowed_again=allowed_again,
    )


def _quality_compared_with(ledger: Ledger, content: ReleaseContent, quality: str) -> str | None:
    """The release that the passed quality verdict compared `content` with. What serves already needs none."""
    serving = ledger.serving()
    if serving is not None and serving.release_id == content.release_id:
        return serving.release_id
    require(ledger, [QUALITY], quality)
    verdict = ledger.verdict(QUALITY, quality)
    assert verdict is not None, "it was required just now"
    compared_with: str | None = verdict.details.get("serving")
    if serving is not None and compared_with != serving.release_id:
        raise GateError(
            f"{content.release_id} was evaluated before release {serving.release_id} began to serve.",
            fix="Materialize eval_report again, or run: rag-assets ingest",
        )
    return compared_with


def _require_judged_against_serving(ledger: Ledger, snapshot: Snapshot) -> None:
    """Two snapshots taken at once are each judged against the same release: only the first may follow it."""
    serving = ledger.serving()
    verdict = ledger.verdict(COMPLETENESS, snapshot.snapshot_id)
    if serving is None or verdict is None or serving.snapshot_id == snapshot.snapshot_id:
        return
    if verdict.details.get("against") != serving.release_id:
        raise GateError(
            f"Snapshot {snapshot.snapshot_id} was judged before release {serving.release_id} began to serve.",
            fix="Materialize index_snapshot again, or run: rag-assets ingest",
        )


def _end_revocations(store: Store, ledger: Ledger, snapshot: Snapshot, sources: Sequence[str]) -> int:
    """Allows what came back and is in `snapshot` as it is now; returns how many documents that were.

    That they were revoked is kept: going back to a release with another version of them denies them again.
    """
    denied = ledger.denied()
    for name in sorted(denied.sources & set(sources)):
        held, present = document_versions(store, snapshot, name), _present(store, [name])
        if all(present.get(key) == version for key, version in held.items()):
            ledger.allow_source(name)
    if not denied.documents:
        return 0
    asked = denied.documents - ledger.dropped_documents()
    held = document_versions(store, snapshot, documents=asked)
    present = _present(store, sources, asked)
    sound = sorted(key for key, version in held.items() if version == present.get(key))
    for key in sound:
        ledger.record_verdict(REVOKED_BEFORE, key, True, {})
    return ledger.allow(sound)


def _deny_what_would_come_back(store: Store, ledger: Ledger, snapshot: Snapshot, sources: Sequence[str]) -> None:
    """Denies documents that were revoked once and that `snapshot` holds in another version than the present one."""
    revoked = {verdict.subject for verdict in ledger.verdicts(REVOKED_BEFORE)}
    if not revoked:
        return
    held = document_versions(store, snapshot, documents=revoked)
    present = _present(store, sources, revoked)
    back = [(key, "") for key in sorted(held) if held[key] != present.get(key)]
    ledger.deny_documents("", back, reason="revoked before; an earlier release would bring it back")


def _present(store: Store, sources: Sequence[str], documents: Collection[str] | None = None) -> dict[str, str]:
    present: dict[str, str] = {}
    for name in sources:
        present |= present_versions(store.raw_documents(name), documents)
    return present


def _rolled_back_from(ledger: Ledger) -> set[str]:
    """Releases that a person left by a rollback since the last ordinary flip, and did not go back to."""
    left: set[str] = set()
    serving = ledger.serving()
    for change in ledger.serving_history():
        if not change.rollback:
            break
        if change.previous_release_id:
            left.add(change.previous_release_id)
    return left - {serving.release_id if serving else ""}


def roll_back(store: Store, ledger: Ledger, *, sources: Sequence[str], to: str | None, by: str, reason: str) -> Release:
    """Serves release `to`, or the one that served before the present one. Raises `NoReleaseError`.

    What was revoked stays so: a document that came back in another version since is denied again.
    """
    if ledger.serving() is None:
        raise NoReleaseError("Nothing is released yet.", fix="Run: rag-assets ingest --all")
    target = ledger.release(to) if to else ledger.rollback_target()
    if target is None:
        what = f"There is no release {to!r}." if to else "No other release served before this one."
        raise NoReleaseError(what, fix="List them with: rag-assets releases list")
    serve_by_hand(store, ledger, target, sources=sources, by=by, reason=reason, rollback=True)
    return target


def serve_by_hand(
    store: Store,
    ledger: Ledger,
    release: Release,
    *,
    sources: Sequence[str],
    by: str,
    reason: str,
    rollback: bool = False,
    forced: bool = False,
) -> bool:
    """Serves a release that exists, on a person's word; False when it serves already.

    A document that was revoked and came back in another version since is denied again. Raises `NoReleaseError` when the
    rows of the release are no longer kept.
    """
    snapshot = require_kept(store, ledger, release)
    _deny_what_would_come_back(store, ledger, snapshot, sources)
    flipped = ledger.serve(release.release_id, reason=reason, by=by, rollback=rollback, forced=forced)
    _end_revocations(store, ledger, snapshot, sources)
    return flipped
