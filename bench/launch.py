"""How long a launch over GraphQL takes until its result is read: a small source in which nothing has changed.

    python -m bench.launch [--runs 7] [--poll-seconds 0.03] [--verbose] [--json]

Starts a real server (`rag-assets dev`: webserver, daemon, code server) on a project of one source with a few documents
in a temporary folder, ingests it once, and then launches `ingest_source` again and again through `rag_assets.client`.
A run's time is cut at what Dagster records itself:

    launch      the call that launches, with its validation: until it returns
    queue       until the daemon takes the run from the queue
    process     until the run's own process has its interpreter, Dagster and the code location
    steps       until the last step has ended, the first step's imports among them
    report      until the caller knows: the end of the run, one poll, and reading the result
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from rag_assets.client import Client, queries
from rag_assets_tests.cli.command import configure
from rag_assets_tests.client.server import ON_CALL, serving

SOURCE = "handbook"
DOCUMENTS = 5
PHASES = ("launch", "queue", "process", "steps", "report", "total")


def write_project(folder: Path) -> None:
    """One source with a few short documents."""
    configure(folder, SOURCE, settings=ON_CALL)
    for number in range(DOCUMENTS):
        text = f"# Shelf {number}\n\nShelf {number} holds {number + 3} books about baking bread with sourdough.\n"
        (folder / SOURCE / f"shelf-{number}.md").write_text(text)


def measure(client: Client, poll_seconds: float) -> tuple[dict[str, float], list[tuple[float, str]]]:
    """One run: the seconds of every phase, and what happened when, in seconds since the call."""
    start = time.time()
    run = client.launch("ingest_source", source=SOURCE)
    launched = time.time()
    client.wait(run.run_id, timeout_seconds=120, poll_seconds=poll_seconds)
    result = client.result(run.run_id)
    known = time.time()
    assert result.run.succeeded, result.error
    added = result.materialization("vector_index").metadata["rows_added"]
    assert run.created_at < start + 5 and added in (0, DOCUMENTS), added
    happened = events(client, run.run_id)
    dequeued = happened["RunStartingEvent"]
    started, ended = happened["RunStartEvent"], happened["RunSuccessEvent"]
    seconds = {
        "launch": launched - start,
        "queue": max(dequeued - launched, 0.0),
        "process": started - max(dequeued, launched),
        "steps": ended - started,
        "report": known - ended,
        "total": known - start,
    }
    return seconds, sorted((at - start, name) for name, at in happened.items())


def events(client: Client, run_id: str) -> dict[str, float]:
    """When each kind of event came first, as a time since 1970; those of a step are named by it."""
    server = client._server
    page = server.ask("logsForRun", "EventConnection", queries.EVENTS, {"id": run_id, "after": None})
    found: dict[str, float] = {}
    for event in page["events"]:
        if "timestamp" in event:
            name = " ".join(part for part in (event["__typename"], event.get("stepKey")) if part)
            if name.startswith("EngineEvent"):
                name = f"EngineEvent: {event['message'].split('(')[0].strip()}"
            found.setdefault(name, int(event["timestamp"]) / 1_000)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="launches that are measured")
    parser.add_argument("--poll-seconds", type=float, default=0.03, help="time between two looks at a run")
    parser.add_argument("--verbose", action="store_true", help="print when each event of the last run came")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder)
        with serving(folder) as url, Client(url) as client:
            first, _ = measure(client, options.poll_seconds)
            measured = [measure(client, options.poll_seconds) for _ in range(options.runs)]
    rows = {phase: [seconds[phase] for seconds, _ in measured] for phase in PHASES}
    result = {
        phase: {"median": statistics.median(row), "min": min(row), "max": max(row)} for phase, row in rows.items()
    }
    if options.json:
        print(json.dumps({"runs": options.runs, "first_total_seconds": first["total"], "seconds": result}, indent=2))
        return
    load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"{options.runs} launches with nothing to do, in seconds; {load}")
    print(f"{'':10}{'median':>8}{'min':>8}{'max':>8}")
    for phase, row in result.items():
        print(f"{phase:10}{row['median']:8.2f}{row['min']:8.2f}{row['max']:8.2f}")
    if options.verbose:
        print(*(f"{at:7.3f}  {what}" for at, what in measured[-1][1]), sep="\n")


if __name__ == "__main__":
    main()
