"""Runs of several sources and of one source at once, beside maintenance, end as if they had come one after another."""

from __future__ import annotations

import json
import logging
import multiprocessing
import queue
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import BrokenBarrierError

import pytest

from rag_assets.automation.runs import RefreshOutcome
from rag_assets.project import Project
from rag_assets.store.locks import held_locks
from rag_assets.store.run_lock import RunLock
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.concurrent import ROUND_SECONDS, ingest_rounds, maintain
from rag_assets_tests.integration.runs import ingest

DOCUMENTS = 4


def edit(project: SmallProject, source: str, number: int) -> None:
    """Changes one document, adds one that every source has alike, and removes the one of two rounds ago."""
    project.write(f"{source}/{number % DOCUMENTS}.md", f"# Page {number % DOCUMENTS}\n\n{source} in round {number}.\n")
    project.write(f"{source}/shared-{number}.md", f"# Notice {number}\n\nThe same in all sources, round {number}.\n")
    (project.root / source / f"shared-{number - 2}.md").unlink(missing_ok=True)


def check(project: SmallProject) -> None:
    """No lost row, no duplicate, no orphan: the index holds what the files of now give, and the release all of it."""
    with project.open() as opened:
        for name in opened.source_names:
            check_source(opened, name, project.root / name)
        serving = opened.ledger.serving()
        assert serving is not None
        snapshot = opened.snapshot(serving.snapshot_id)
        pinned = opened.index.rows(["chunk_id", "row_hash"], version=snapshot.version).to_pylist()
        newest = opened.index.rows(["chunk_id", "row_hash"]).to_pylist()
        assert sorted(map(tuple, map(dict.values, pinned))) == sorted(map(tuple, map(dict.values, newest)))
        assert opened.ledger.failures() == []
        spool = [path for path in opened.spool_dir.rglob("*") if path.is_file()]
        assert spool == []


def check_source(project: Project, name: str, folder: Path) -> None:
    files = {path.name for path in folder.iterdir()}
    documents = project.store.raw_documents(name).rows(["uri"])["uri"].to_pylist()
    assert Counter(documents) == Counter(files)
    chunks = project.store.chunks(name).rows(["chunk_id", "uri", "row_hash", "input_hash"]).to_pylist()
    assert {row["uri"] for row in chunks} == files
    rows = project.index.rows(["chunk_id", "uri", "row_hash", "text"], f"source = '{name}'").to_pylist()
    assert Counter((row["chunk_id"], row["row_hash"]) for row in rows) == Counter(
        (row["chunk_id"], row["row_hash"]) for row in chunks
    )
    for row in rows:
        assert row["text"] in (folder / row["uri"]).read_text("utf-8")
    space = project.generation.space
    vectors = project.store.embeddings(space.name, space.dimension).rows(["input_hash"])["input_hash"].to_pylist()
    assert set(Counter(vectors).values()) == {1}
    assert {row["input_hash"] for row in chunks} <= set(vectors)
    assert project.ledger.claimants(space.name, vectors[:2_048]) == []


def sent(project: SmallProject) -> Counter[str]:
    """How often each input was sent to the model, by the provider's own log."""
    lines = project.request_log.read_text("utf-8").splitlines()
    requests = [json.loads(line) for line in lines]
    return Counter(key for one in requests if one["path"].endswith("/embeddings") for key in one["input_sha256"])


def run_rounds(project: SmallProject, sources: list[str], rounds: int, *, maintenance: bool) -> int:
    """A process for each of `sources`, in step by round, with an edit before each; returns the runs of maintenance."""
    spawn = multiprocessing.get_context("spawn")
    barrier, ended = spawn.Barrier(len(sources) + 1), spawn.Event()
    errors, upkeeps = spawn.Queue(), spawn.Value("i", 0)
    workers = [
        spawn.Process(target=ingest_rounds, args=(project.root, name, rounds, barrier, errors)) for name in sources
    ]
    keeper = spawn.Process(target=maintain, args=(project.root, ended, upkeeps, errors))
    for process in [*workers, *([keeper] if maintenance else [])]:
        process.start()
    try:
        for number in range(rounds):
            for name in sorted(set(sources)):
                edit(project, name, number)
            with suppress(BrokenBarrierError):
                barrier.wait(timeout=ROUND_SECONDS)
                barrier.wait(timeout=ROUND_SECONDS)
            assert (said(errors), barrier.broken) == ([], False)
            check(project)
        ended.set()
        for process in [*workers, *([keeper] if maintenance else [])]:
            process.join(timeout=60)
        assert said(errors) == []
    finally:
        for process in [*workers, *([keeper] if maintenance else [])]:
            process.kill()
    return int(upkeeps.value)


def said(errors: multiprocessing.queues.Queue[str]) -> list[str]:
    """What the processes reported since it was last asked."""
    found = []
    while True:
        try:
            found.append(errors.get(timeout=0.1))
        except queue.Empty:
            return found


@pytest.mark.slow
def test_two_processes_ingest_one_source_at_once(small_project: SmallProject) -> None:
    small_project.configure(a="")
    run_rounds(small_project, ["a", "a"], 2, maintenance=False)
    assert set(sent(small_project).values()) == {1}


def test_a_step_waits_for_the_run_that_has_its_source(small_project: SmallProject) -> None:
    """However it is started: a run that another holds back goes on by itself, and leaves no lock."""
    small_project.configure(a="")
    edit(small_project, "a", 0)
    locks = small_project.root / ".rag_assets/locks"
    other = RunLock(locks, "source-a", label="the source a", timeout_seconds=60.0)
    other.acquire()
    told = threading.Event()
    listener = logging.Handler()
    listener.emit = lambda record: told.set() if "this run waits for it" in record.getMessage() else None  # type: ignore[method-assign]
    logging.getLogger("rag_assets.progress").addHandler(listener)
    logging.getLogger("rag_assets.progress").setLevel(logging.INFO)
    outcomes: list[RefreshOutcome] = []
    run = threading.Thread(target=lambda: outcomes.append(ingest(small_project, release=False)))
    run.start()
    try:
        assert told.wait(timeout=60)
        with small_project.open() as opened:
            assert not opened.store.raw_documents("a").exists()
    finally:
        other.release()
        run.join(timeout=120)
        logging.getLogger("rag_assets.progress").removeHandler(listener)
    assert [one.error for one in outcomes[0].runs] == [None]
    assert held_locks(locks) == []


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_six_processes_over_five_sources_beside_maintenance(small_project: SmallProject) -> None:
    small_project.configure(a="", b="", c="", d="", e="")
    upkeeps = run_rounds(small_project, ["a", "b", "c", "d", "e", "e"], 20, maintenance=True)
    assert upkeeps >= 5
    counts = sent(small_project)
    assert set(counts.values()) == {1}
    assert len(counts) >= 20 * 5 + 20
