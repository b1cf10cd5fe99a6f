"""Makes a judged snapshot what answers are given from, and goes back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from rag_assets.config import AnsweringSettings, ChatSettings, EmbeddingSettings, RetrievalSettings
from rag_assets.errors import NoReleaseError
from rag_assets.ledger import Ledger, Release, Snapshot
from rag_assets.prompts import Prompts
from rag_assets.releasing.gates import SNAPSHOT_GATES, require


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
    ledger: Ledger,
    snapshot: Snapshot,
    *,
    prompts: Prompts,
    chat: ChatSettings,
    embedding: EmbeddingSettings,
    retrieval: RetrievalSettings,
    answering: AnsweringSettings,
    present_documents: frozenset[str],
    served_by: str,
) -> ReleaseResult:
    """Releases `snapshot` with these prompts, model and settings; the same content is the same release.

    `present_documents` are the documents that their sources have now: those among them that were revoked earlier have
    come back, and their deny-list rows end with this release. Raises `GateError` when a gate did not pass for exactly
    this snapshot; the serving release then stays.
    """
    require(ledger, SNAPSHOT_GATES, snapshot.snapshot_id)
    before = {release.release_id for release in ledger.releases()}
    release = ledger.create_release(
        None,
        snapshot.snapshot_id,
        {"system": prompts.system, "user": prompts.user, "refusal": prompts.refusal},
        chat.model,
        retrieval=retrieval.model_dump(mode="json"),
        answering=answering.model_dump(mode="json"),
        details={"chat": chat.model_dump(mode="json"), "embedding": embedding.model_dump(mode="json")},
    )
    retracted = release.release_id in _rolled_back_from(ledger)
    flipped = not retracted and ledger.serve(release.release_id, reason="every gate passed", by=served_by)
    return ReleaseResult(
        release=release,
        new=release.release_id not in before,
        flipped=flipped,
        retracted=retracted,
        allowed_again=ledger.allow(present_documents),
    )


def _rolled_back_from(ledger: Ledger) -> set[str]:
    """Releases that a person left by a rollback since the last ordinary flip."""
    left: set[str] = set()
    for change in ledger.serving_history():
        if not change.rollback:
            break
        if change.previous_release_id:
            left.add(change.previous_release_id)
    return left


def roll_back(ledger: Ledger, *, to: str | None, by: str, reason: str) -> Release:
    """Serves release `to`, or the one that served before the present one. Raises `NoReleaseError`."""
    if ledger.serving() is None:
        raise NoReleaseError("Nothing is released yet.", fix="Run: rag-assets ingest --all")
    target = ledger.release(to) if to else ledger.rollback_target()
    if target is None:
        what = f"There is no release {to!r}." if to else "No other release served before this one."
        raise NoReleaseError(what, fix="List them with: rag-assets releases list")
    ledger.serve(target.release_id, reason=reason, by=by, rollback=True)
    return target
