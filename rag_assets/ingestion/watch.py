"""What the watch of a source decides: launch it, wait, pause it. Knows nothing of who launches.

A source is known by the digest of its listing and of the settings that its rows depend on. The digest is compared with
the one that was launched last, so that a file which changes and changes back is two launches. A launch is done when a
run succeeded; one whose run failed, was cancelled or vanished is repeated, later and later, and in the end paused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rag_assets.config import SourceSettings
from rag_assets.documents.connectors import Connector
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import Watch

FIRST_BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 300.0
NO_LISTING = "It cannot be listed: "
"""How the error of a watch begins when no run failed but the look itself."""
NOT_IN_DIGEST = {"watch", "refresh_cron"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source had when it was looked at. Equal digests are equal files under equal settings."""

    digest: str
    files: int


def look(connector: Connector, settings_digest: str) -> Listing:
    """Lists a source without opening a file. Raises `SourceUnavailableError`, as its connector does."""
    digest = hashlib.sha256(settings_digest.encode())
    files = 0
    for item in connector.list():
        digest.update(f"\0{item.uri}\0{item.fingerprint}".encode("utf-8", "surrogateescape"))
        files += 1
    return Listing(digest.hexdigest(), files)


def settings_digest(source: SourceSettings, generation: str) -> str:
    """Stands for the settings that an ingestion of `source` depends on: its own, and those of the generation."""
    return fingerprint(source=source.model_dump(mode="json", exclude=NOT_IN_DIGEST), generation=generation)


def is_remote(source: SourceSettings) -> bool:
    """Whether listing the source asks a server."""
    return "://" in source.path.removeprefix("file://")


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 10 s after the first, then twice as long, at most 300 s."""
    return timedelta(seconds=min(FIRST_BACKOFF_SECONDS * 2 ** min(failures - 1, 10), LONGEST_BACKOFF_SECONDS))


def retry_at(watch: Watch) -> datetime:
    """When a source that failed may be tried again."""
    return watch.checked_at + backoff(watch.failures)


def may_be_looked_at(watch: Watch | None, now: datetime) -> bool:
    """Whether no failure stands in the way. A paused source is looked at too: its files may change."""
    return watch is None or not watch.failures or now >= retry_at(watch)


def is_due(watch: Watch | None, listing: Listing, *, behind: bool = False) -> bool:
    """Whether the source should be ingested: it is new, it differs from what was launched, or that launch failed.

    Or it is `behind`: no failure is known, and yet its index is older than its documents, or one of those that failed
    is to be tried again.
    """
    if watch is None or watch.digest != listing.digest:
        return True
    if not watch.failures:
        return behind
    return watch.paused_at is None and not watch.error.startswith(NO_LISTING)


def is_due_for_verification(watch: Watch | None, now: datetime, *, days: int) -> bool:
    """Whether every file should be read again, whatever its size and times say."""
    if watch is None or watch.failures or watch.verified_at is None:
        return False
    return now >= watch.verified_at + timedelta(days=days)


def launched(watch: Watch | None, source: str, listing: Listing, now: datetime, *, every_file: bool) -> Watch:
    """The watch after a launch over `listing`. Failures stay until a run succeeds; a pause ends."""
    if watch is None:
        return Watch(source, listing.digest, listing.files, 0, "", now, launched_at=now, verified_at=now)
    return replace(
        watch,
        digest=listing.digest,
        files=listing.files,
        checked_at=now,
        launched_at=now,
        verified_at=now if every_file or watch.verified_at is None else watch.verified_at,
        paused_at=None,
    )


def succeeded(watch: Watch, now: datetime) -> Watch:
    """The watch after a run, or a listing, that went well."""
    return replace(watch, failures=0, error="", paused_at=None, checked_at=now)


def failed(
    watch: Watch | None, source: str, error: str, now: datetime, *, pause_after: int, hopeless: bool = False
) -> Watch:
    """The watch after a failure. A `hopeless` one, which trying again does not mend, pauses the source at once."""
    before = watch or Watch(source, "", 0, 0, "", now)
    failures = before.failures + 1
    paused_at = (before.paused_at or now) if hopeless or failures >= pause_after else None
    return replace(before, failures=failures, error=error, checked_at=now, paused_at=paused_at)


def resumed(watch: Watch, now: datetime) -> Watch:
    """The watch after a person said to look at the source anew: it is launched at the next look."""
    return replace(watch, digest="", failures=0, error="", paused_at=None, checked_at=now)


def describe(watch: Watch) -> str:
    """A sentence for people about a source that failed."""
    times = f"{watch.failures} failure{'s' if watch.failures != 1 else ''} in a row"
    if watch.paused_at is not None:
        return f"{watch.source} paused since {watch.paused_at:%Y-%m-%d %H:%M} UTC after {times}: {watch.error}"
    return f"{watch.source} is tried again at {retry_at(watch):%H:%M:%S} UTC after {times}: {watch.error}"
