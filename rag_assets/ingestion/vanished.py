"""Sources that left the configuration: which may be forgotten, and which only a person may let go.

An editor that truncates the file before it writes it, a checkout or a mistake can take many sources out of it at once.
What is stored of a forgotten source is dropped, so nothing is forgotten when no source is left in the configuration, or
when more than half of those that anything is stored of, and two at least, are gone. They are held until they are back
or a person says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rag_assets.errors import SourceHeldError
from rag_assets.ledger import Ledger
from rag_assets.store import Store

GONE = "gone from the configuration"
"""The digest of such a hold, by which it differs from one over documents."""


def held_sources(store: Store, ledger: Ledger, configured: Collection[str]) -> dict[str, str]:
    """Source → why it is held although it left the configuration. `configured` are the sources of now."""
    stored = store.sources()
    gone = [name for name in stored if name not in configured]
    held = {hold.source: hold.reason for hold in ledger.holds() if hold.digest == GONE and hold.source in gone}
    if gone and (not configured or (len(gone) >= 2 and 2 * len(gone) > len(stored))):
        reason = f"{len(gone):,} of {len(stored):,} sources are gone from the configuration at once"
        held = {**dict.fromkeys(gone, reason), **held}
    return dict(sorted(held.items()))


def record_held_sources(ledger: Ledger, held: dict[str, str]) -> None:
    """Keeps the holds of `held`, and ends those of sources that are back."""
    kept = {hold.source for hold in ledger.holds() if hold.digest == GONE}
    for name in held.keys() - kept:
        ledger.hold(name, reason=held[name], removed=0, listed=0, digest=GONE)
    for name in kept - held.keys():
        ledger.release_hold(name)


def forget_source(name: str, store: Store, ledger: Ledger) -> None:
    """Denies a source that left the configuration at once, then drops its documents and chunks.

    Its vectors stay, for they are known by what was embedded; its rows leave the index with the next snapshot.
    """
    reason = "removed from the configuration"
    ledger.deny_source(name, reason=reason)
    documents = store.raw_documents(name)
    if documents.exists():
        rows = documents.rows(columns=["document_id", "uri"]).to_pylist()
        ledger.deny_documents(name, [(row["document_id"], row["uri"]) for row in rows], reason=reason)
    for table in (store.raw_documents(name), store.chunks(name)):
        store.drop(table.name)
    ledger.clear_failures(name)
    ledger.release_hold(name)


def describe_held(held: dict[str, str]) -> str:
    """A sentence about `held`, which is not empty."""
    return f"{_listed(held)}: held, for {next(iter(held.values()))}; nothing of them was removed."


def fix_of_held(held: Iterable[str], *, configured: Collection[str]) -> str:
    """What a person does next: mend the configuration, or agree."""
    every = "rag-assets ingest --confirm-removals, or for one alone: " if configured else ""
    return (
        "Put them back into rag_assets.yaml. If they are meant to go, run: "
        f"{every}rag-assets sources remove {next(iter(held))}"
    )


def require_none_held(store: Store, ledger: Ledger, configured: Collection[str]) -> None:
    """Raises `SourceHeldError` while a source is held that left the configuration."""
    if held := held_sources(store, ledger, configured):
        raise SourceHeldError(describe_held(held), fix=fix_of_held(held, configured=configured))


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:10]) + (f" and {len(every) - 10:,} more" if len(every) > 10 else "")
