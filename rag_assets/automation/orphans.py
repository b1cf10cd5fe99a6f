"""Runs whose process is gone: it was killed, ran out of memory, or the machine stopped. Nobody else would end them.

Such a run stays started in Dagster's books, holds the place of its source in the queue, and every release waits for it.
Dagster's run monitoring cannot ask the default launcher whether a process lives, and would wait for its longest
runtime. Each run has the id of its process in its events, so it is asked here. Runs of other machines are left to the
run monitoring: a process there cannot be looked at from here.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

from rag_assets.automation import history

if TYPE_CHECKING:
    from rag_assets.ledger import Ledger

HOST_TAG = "rag_assets/host"
"""Where a run of the command line, or one within another run, has its process."""
PID_TAG = "rag_assets/pid"
"""Which process that is: a run that dies before Dagster has noted its process has nothing else to be known by."""
GRPC_TAG = GRPC_INFO_TAG
"""Where a run of the daemon was launched: at the socket of a code server on this machine, or at a port of any."""
STATUSES = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
CREATED = dg.DagsterRunStatus.NOT_STARTED
"""What a run of this process is until its first event; one of the daemon may be so for as long as it is launched."""
CLOCK_SLACK_SECONDS = 60.0
"""A process that started so long after the run is another one that was given the same id."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An unfinished run without a process. `pid` is the process it had on this machine."""

    run: dg.DagsterRun
    pid: int
    started_at: datetime

    def __str__(self) -> str:
        source = self.run.tags.get(history.PARTITION_TAG)
        return f"{self.run.job_name}{f' of {source}' if source else ''}, run {self.run.run_id[:8]}"


def host_tags() -> dict[str, str]:
    """The tag of a run that executes on this machine."""
    return {HOST_TAG: socket.gethostname()}


def process_tags() -> dict[str, str]:
    """The tags of a run that executes in this process."""
    return {**host_tags(), PID_TAG: str(os.getpid())}


def orphans(instance: dg.DagsterInstance) -> list[Orphan]:
    """The unfinished runs that were started on this machine and whose process is gone."""
    records = instance.get_run_records(dg.RunsFilter(statuses=[*STATUSES, CREATED]))
    found = [_process_of(instance, record) for record in records if _ran_here(record.dagster_run)]
    return [orphan for orphan in found if orphan is not None and not _lives(orphan.pid, orphan.started_at)]


def end_orphans(instance: dg.DagsterInstance, ledger: Ledger | None = None) -> list[Orphan]:
    """Reports runs without a process as failed, or as cancelled where that was asked for. Returns them.

    With a `ledger`, also gives back what their calls had set aside; without, that expires by itself.
    """
    ended = []
    for orphan in orphans(instance):
        now = instance.get_run_by_id(orphan.run.run_id)
        if now is None or now.is_finished:  # its process ended in the regular way while it was looked for
            continue
        said = (
            f"The process of this run ({orphan.pid} on {socket.gethostname()}) is gone: it was killed, ran out of "
            "memory, or the machine stopped. What it had stored is kept; the next run goes on from there."
        )
        if now.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(now, said)
        else:
            instance.report_run_failed(now, said)
        if ledger is not None:
            ledger.release_reservations_of(orphan.run.run_id)
        ended.append(orphan)
    return ended


def _ran_here(run: dg.DagsterRun) -> bool:
    server = run.tags.get(GRPC_TAG)
    if server is not None:
        return "socket" in json.loads(server)
    return run.tags.get(HOST_TAG) == socket.gethostname()


def _process_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> Orphan | None:
    """The process that the run names, or that Dagster says it started the run in; None while neither has said so."""
    run = record.dagster_run
    if PID_TAG in run.tags and run.parent_run_id is None:  # one that is executed again has the tags of the first
        return Orphan(run, int(run.tags[PID_TAG]), record.create_timestamp)
    if run.status == CREATED:
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        if event is None or event.event_specific_data is None:
            continue
        pid = event.engine_event_data.metadata.get("pid")
        if pid is not None:
            return Orphan(run, int(str(pid.value)), datetime.fromtimestamp(entry.timestamp, UTC))
    return None


def _lives(pid: int, started_at: datetime) -> bool:
    """Whether the process is there, is no zombie, and is not a later one with the same id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and of another user
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text("utf-8").splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):  # no such files on this system, or it ended just now; then the next look tells
        return True
    state, ticks_since_boot = fields[0], int(fields[19])
    began_at = int(boot.split()[1]) + ticks_since_boot / os.sysconf("SC_CLK_TCK")
    return state not in "ZX" and began_at <= started_at.timestamp() + CLOCK_SLACK_SECONDS
