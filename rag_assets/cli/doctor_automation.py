"""What `rag-assets doctor` says of the automation: what is off, what is paused and why, and whether it runs at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.scheduler.instigation import InstigatorState

    from rag_assets.cli.doctor import Finding
    from rag_assets.config import Settings
    from rag_assets.project import Project

SWITCHES = ("watch_files", "sync_sources", "release_when_settled", "schedules")


def look_at_automation(settings: Settings) -> Iterator[Finding]:
    """Switches of the configuration, and sources that the watch has paused."""
    from rag_assets.cli.doctor import Finding
    from rag_assets.ingestion.watch import describe
    from rag_assets.ledger import Ledger

    off = [name for name in SWITCHES if not getattr(settings.automation, name)]
    off += ["maintenance_cron"] if settings.automation.maintenance_cron is None else []
    unwatched = sorted(name for name, source in settings.sources.items() if not source.watch)
    said = [f"off in the configuration: {', '.join(off)}"] if off else ["all on in the configuration"]
    said += [f"not watched: {', '.join(unwatched)}"] if unwatched else []
    yield Finding("automation", True, "; ".join(said))
    with Ledger(settings.ledger_url) as ledger:
        watches, held = ledger.watches(), {hold.source for hold in ledger.holds()}
    for name in sorted(watches.keys() & settings.sources.keys()):
        watch = watches[name]
        if watch.failures:
            # A held source waits for a confirmation, for which another finding asks: resumed alone, it fails again.
            resumable = watch.paused_at and name not in held
            fix = f"Mend that, then run: rag-assets sources resume {name}" if resumable else ""
            yield Finding(f"watch of {name}", False, describe(watch), fix)


def look_at_daemon(settings: Settings) -> Iterator[Finding]:
    """Whether the daemon runs, which sensors and schedules are stopped, and which failed in their last tick."""
    from rag_assets.cli.doctor import Finding
    from rag_assets.cli.instance import INSTANCE_FILE, dagster_home, open_instance

    if not (dagster_home(settings) / INSTANCE_FILE).exists():
        yield Finding("daemon", True, "never ran here; start it with: rag-assets dev")
        return
    with open_instance(settings) as instance:
        yield Finding("daemon", True, _daemon(instance))
        yield from _unfinished_work(settings, instance)
        for state in _states(instance):
            name = state.instigator_name
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            if state.status.value == "STOPPED":
                fix = "Turn it on in the UI, or launch the job start_everything."
                yield Finding(name, False, "stopped in the UI", fix)
            elif ticks and ticks[0].status.value == "FAILURE":
                error = ticks[0].error
                cause = (error.cause or error).message.strip().splitlines()[0] if error else "its last tick failed"
                yield Finding(name, False, cause, "The ticks of it in the UI tell more.")


def _unfinished_work(settings: Settings, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Runs without a process, sources whose index is older than their documents, and a release that is not made."""
    from rag_assets.automation.history import under_way
    from rag_assets.automation.orphans import orphans
    from rag_assets.cli.doctor import Finding
    from rag_assets.config_file import find_config_file
    from rag_assets.project import Project

    for orphan in orphans(instance):
        said = f"unfinished since {orphan.started_at:%Y-%m-%d %H:%M} UTC, and its process {orphan.pid} is gone"
        fix = "Start the daemon, which ends it within seconds (rag-assets dev), or run: rag-assets ingest"
        yield Finding(str(orphan), False, said, fix)
    now = under_way(instance)
    with Project.open(find_config_file()) as project:
        yield from _behind(project, now.sources)
        if not now.releasing and not now.refreshing:
            yield from _release(project, instance)
        yield from _tuning(project, instance)


def _behind(project: Project, under_way: Collection[str]) -> Iterator[Finding]:
    from rag_assets.automation.behind import behind_since
    from rag_assets.cli.doctor import Finding

    for name in project.source_names:
        since = None if name in under_way else behind_since(project, name)
        if since is not None:
            said = f"its documents of {since:%Y-%m-%d %H:%M} UTC are not in the index: no run got that far"
            yield Finding(f"index of {name}", False, said, f"Run: rag-assets ingest --source {name}")


def _release(project: Project, instance: dg.DagsterInstance) -> Iterator[Finding]:
    from rag_assets.assets.release_state import release_state
    from rag_assets.automation.release_attempts import attempts, describe
    from rag_assets.cli.doctor import Finding

    said = describe(attempts(project, instance, release_state(project)))
    if said:
        fix = "Mend that; a change is released by itself. To try at once: rag-assets ingest, or launch release_index."
        yield Finding("newest release", False, said, fix)


def _tuning(project: Project, instance: dg.DagsterInstance) -> Iterator[Finding]:
    from rag_assets.automation.tuning_start import problems
    from rag_assets.cli.doctor import Finding

    for problem in problems(project, instance):
        yield Finding(
            problem.name, False, problem.said, "Mend that; a change starts it by itself. Or run: rag-assets tune"
        )


def _daemon(instance: dg.DagsterInstance) -> str:
    from dagster._daemon.controller import all_daemons_live

    live = all_daemons_live(instance)
    return "running" if live else "not running; nothing starts by itself until: rag-assets dev"


def _states(instance: dg.DagsterInstance) -> list[InstigatorState]:
    """The sensors and schedules of this project that have ever ticked or been switched."""
    return sorted(instance.all_instigator_state(), key=lambda state: state.instigator_name)
