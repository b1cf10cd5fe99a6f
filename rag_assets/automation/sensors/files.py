"""The watch: ingests a source when its files or its settings change, and now and then reads every file again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from rag_assets.assets import SOURCES
from rag_assets.automation import history
from rag_assets.automation.behind import behind_since
from rag_assets.automation.failures import failure_of
from rag_assets.automation.jobs import ingest_source
from rag_assets.automation.opening import with_project
from rag_assets.automation.orphans import end_orphans
from rag_assets.errors import RagAssetsError
from rag_assets.ingestion import watch as rules
from rag_assets.ledger import Watch, may_fit_now
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

TICK_SECONDS = 10.0
QUIET_SECONDS = 1.0
"""A listing that changed must stay as it is for so long: files that are being written are waited for."""
RESTLESS_SECONDS = 60.0
"""But no longer than this: a source that never rests is ingested all the same, and looked at again."""
LAUNCHES_PER_TICK = 100
REMOTE_EVERY_SECONDS = 60.0
VANISHED_SECONDS = 60.0
"""A launch of which nothing is queued, under way or ended after so long has vanished: somebody deleted the run."""
SHARE_OF_TIME = 0.05
"""Looking at a source takes at most this share of the time: one that takes 2 s to list is listed every 40 s."""
VERIFY = {"ops": {"raw_documents": {"config": {"verify_contents": True}}}}


@dataclass(slots=True)
class Cursor:
    """What one tick hands to the next. `launched` is written to the ledger by the next tick: then its runs are sure.

    `launched`: source → digest, files, whether every file is read, and when. `restless`: source → since when its
    listing has not stayed the same. `first`: where the next round begins. `counted`: ids of runs that ended lately.
    `awaited`: source → when it was launched, while no run of it made since then has been seen to end.
    """

    launched: dict[str, tuple[str, int, bool, str]] = field(default_factory=dict)
    restless: dict[str, str] = field(default_factory=dict)
    first: str = ""
    since: str = ""
    counted: dict[str, str] = field(default_factory=dict)
    awaited: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None, now: datetime) -> Cursor:
        return cls(**json.loads(text)) if text else cls(since=now.isoformat())

    def write(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(slots=True)
class _Found:
    launches: dict[str, tuple[rules.Listing, bool]] = field(default_factory=dict)
    looked: int = 0
    files: int = 0
    busy: int = 0
    restless: int = 0


_next_look: dict[tuple[str, str], float] = {}
"""(configuration, source) → when it may be listed again, on the monotonic clock; for those that take long."""


@dg.sensor(
    job=ingest_source,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ingests a source when files in it are new, changed or gone, or when its settings changed. Looks at "
    "sizes and times only; every automation.verify_days it has every file read. A source that fails is tried again "
    "after a growing wait, and paused after automation.pause_after_failures failures until its files change or until "
    "somebody runs: rag-assets sources resume NAME. A document that could not be read is tried again after a growing "
    "wait too, or when somebody runs: rag-assets quarantine retry. Off with automation.watch_files, or watch: false of "
    "a source.",
)
def watch_files(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SensorResult | dg.SkipReason:
    return with_project(project, lambda opened: tick(opened, context.instance, context.cursor))


def tick(project: Project, instance: dg.DagsterInstance, cursor_text: str | None) -> dg.SensorResult:
    """One look at the sources, as many as a tick has time for."""
    now = datetime.now(UTC)
    cursor = Cursor.read(cursor_text, now)
    watches = project.ledger.watches()
    _confirm_launches(project, watches, cursor)
    end_orphans(instance, project.ledger)
    _count_ended_runs(project, instance, watches, cursor)
    under_way = history.under_way(instance)
    _count_vanished_runs(project, instance, watches, cursor, under_way)
    if not project.settings.automation.watch_files:
        return dg.SensorResult(
            skip_reason="Off: automation.watch_files is false in the configuration.", cursor=cursor.write()
        )
    names = [name for name in project.source_names if project.settings.source(name).watch]
    known = set(instance.get_dynamic_partitions(str(SOURCES.name)))
    found = _look_around(project, [name for name in names if name in known], watches, under_way, cursor)
    cursor.launched = {
        name: (listing.digest, listing.files, every_file, now.isoformat())
        for name, (listing, every_file) in found.launches.items()
    }
    requests = [_request(name, every_file) for name, (_, every_file) in found.launches.items()]
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else _summary(names, watches, found), cursor=cursor.write()
    )


def _confirm_launches(project: Project, watches: dict[str, Watch], cursor: Cursor) -> None:
    """Notes what the tick before launched. A tick that never got here is repeated by Dagster with the older cursor."""
    for name, (digest, files, every_file, at) in cursor.launched.items():
        listing, time_of_launch = rules.Listing(digest, files), datetime.fromisoformat(at)
        watches[name] = rules.launched(watches.get(name), name, listing, time_of_launch, every_file=every_file)
        project.ledger.record_watch(watches[name])
        cursor.awaited[name] = at
    cursor.launched = {}


def _count_ended_runs(
    project: Project, instance: dg.DagsterInstance, watches: dict[str, Watch], cursor: Cursor
) -> None:
    """Counts ingestions that failed or were cancelled, whoever launched them, and forgets them after a success."""
    since = datetime.fromisoformat(cursor.since)
    for run in history.ended_since(instance, since, cursor.counted):
        cursor.counted[run.run_id] = run.ended_at.isoformat()
        since = max(since, run.ended_at)
        if run.source in cursor.awaited and run.created_at >= datetime.fromisoformat(cursor.awaited[run.source]):
            del cursor.awaited[run.source]
        if run.source not in project.settings.sources:
            continue
        before = watches.get(run.source)
        if run.status != dg.DagsterRunStatus.SUCCESS:
            failure = failure_of(instance, run.run_id)
            after = _failed(project, before, run.source, failure.error, run.ended_at, hopeless=failure.hopeless)
        elif before is not None and (before.failures or before.paused_at):
            after = rules.succeeded(before, run.ended_at)
        else:
            continue
        watches[run.source] = after
        project.ledger.record_watch(after)
    cursor.since = since.isoformat()
    oldest = since - 2 * history.OVERLAP
    cursor.counted = {key: at for key, at in cursor.counted.items() if datetime.fromisoformat(at) >= oldest}


def _count_vanished_runs(
    project: Project,
    instance: dg.DagsterInstance,
    watches: dict[str, Watch],
    cursor: Cursor,
    under_way: history.UnderWay,
) -> None:
    """Counts as a failure what was launched and is nowhere to be found: its run was deleted before it ended."""
    now = datetime.now(UTC)
    for name, at in list(cursor.awaited.items()):
        launched_at = datetime.fromisoformat(at)
        if name not in project.settings.sources:
            del cursor.awaited[name]
        elif name not in under_way.sources and now - launched_at > timedelta(seconds=VANISHED_SECONDS):
            if history.ingestions_of(instance, name, launched_at):
                continue  # it ended just now, and is counted by the next look
            watches[name] = _failed(project, watches.get(name), name, "Its run was deleted before it ended.", now)
            project.ledger.record_watch(watches[name])
            del cursor.awaited[name]


def _failed(
    project: Project, before: Watch | None, name: str, error: str, now: datetime, *, hopeless: bool = False
) -> Watch:
    pause_after = project.settings.automation.pause_after_failures
    return rules.failed(before, name, error, now, pause_after=pause_after, hopeless=hopeless)


def _look_around(
    project: Project,
    names: Sequence[str],
    watches: dict[str, Watch],
    under_way: history.UnderWay,
    cursor: Cursor,
) -> _Found:
    found = _Found()
    changed: dict[str, rules.Listing] = {}
    deadline = time.monotonic() + TICK_SECONDS
    days = project.settings.automation.verify_days
    to_retry = project.ledger.sources_to_retry(datetime.now(UTC))
    _resume_what_fits(project, watches)
    order = [name for name in names if name >= cursor.first] + [name for name in names if name < cursor.first]
    cursor.first = ""
    for name in order:
        if time.monotonic() > deadline or len(changed) >= LAUNCHES_PER_TICK:
            cursor.first = name
            break
        if name in under_way.sources:
            found.busy += 1
            continue
        listing = _listed(project, name, watches)
        if listing is None:
            continue
        found.looked += 1
        found.files += listing.files
        watch = watches.get(name)
        behind = name not in cursor.awaited and (name in to_retry or behind_since(project, name) is not None)
        if rules.is_due(watch, listing, behind=behind):
            changed[name] = listing
        elif not found.launches and rules.is_due_for_verification(watch, datetime.now(UTC), days=days):
            found.launches[name] = listing, True
    _launch_what_rests(project, changed, watches, cursor, found)
    return found


def _resume_what_fits(project: Project, watches: dict[str, Watch]) -> None:
    """Ends the pauses of sources that a budget stopped, once another month began or the limit is another."""
    now = datetime.now(UTC)
    for name, watch in watches.items():
        if watch.paused_at is not None and may_fit_now(watch.error, project.settings.spend, now):
            watches[name] = rules.resumed(watch, now)
            project.ledger.record_watch(watches[name])


def _listed(project: Project, name: str, watches: dict[str, Watch], *, again: bool = False) -> rules.Listing | None:
    """What the source has now; None when it is not its turn, or when it cannot be listed, which is noted."""
    key, now = (str(project.settings.root), name), datetime.now(UTC)
    watch = watches.get(name)
    if not again and (time.monotonic() < _next_look.get(key, 0.0) or not rules.may_be_looked_at(watch, now)):
        return None
    source = project.settings.source(name)
    start = time.monotonic()
    try:
        listing = rules.look(project.connector(name), rules.settings_digest(source, project.generation.id))
    except RagAssetsError as error:
        watches[name] = _failed(project, watch, name, f"{rules.NO_LISTING}{error}", now)
        project.ledger.record_watch(watches[name])
        return None
    pause = (time.monotonic() - start) / SHARE_OF_TIME
    pause = max(pause, REMOTE_EVERY_SECONDS) if rules.is_remote(source) else pause
    _next_look[key] = time.monotonic() + pause if pause > 1.0 else 0.0
    if watch is not None and watch.error.startswith(rules.NO_LISTING):
        watches[name] = rules.succeeded(watch, now)
        project.ledger.record_watch(watches[name])
    return listing


def _launch_what_rests(
    project: Project, changed: Mapping[str, rules.Listing], watches: dict[str, Watch], cursor: Cursor, found: _Found
) -> None:
    """Looks a second time, a moment later, and launches the sources whose listing stayed as it was."""
    now = datetime.now(UTC)
    still = {name: at for name, at in cursor.restless.items() if name in changed}
    if changed:
        time.sleep(QUIET_SECONDS)
    for name, listing in changed.items():
        second = _listed(project, name, watches, again=True)
        if second is None:
            continue
        since = datetime.fromisoformat(still.get(name, now.isoformat()))
        if second.digest == listing.digest or now - since >= timedelta(seconds=RESTLESS_SECONDS):
            found.launches[name] = second, False
            still.pop(name, None)
        else:
            found.restless += 1
            still[name] = since.isoformat()
    cursor.restless = still


def _request(name: str, every_file: bool) -> dg.RunRequest:
    tags = {"rag_assets/launched_by": "weekly reading of every file" if every_file else "changed files"}
    return dg.RunRequest(partition_key=name, tags=tags, run_config=VERIFY if every_file else None)


def _summary(names: Sequence[str], watches: Mapping[str, Watch], found: _Found) -> str:
    """What the UI shows of a tick that launched nothing."""
    if not names:
        return "No source to watch. Add one: rag-assets sources add NAME --path FOLDER"
    return " ".join(_sentences(names, watches, found))


def _sentences(names: Sequence[str], watches: Mapping[str, Watch], found: _Found) -> Iterator[str]:
    troubled = [watches[name] for name in names if name in watches and watches[name].failures]
    lead = "Launched nothing" if found.busy or found.restless or troubled else "Nothing changed"
    yield f"{lead}: {found.looked} of {len(names)} sources looked at, {found.files:,} files."
    if found.busy:
        yield f"{found.busy} being ingested now, looked at afterwards."
    if found.restless:
        yield f"{found.restless} still being written to."
    for watch in troubled[:10]:
        yield f"{rules.describe(replace(watch, error=watch.error[:300]))}"
    if len(troubled) > 10:
        yield f"And {len(troubled) - 10} more; see: rag-assets doctor"
