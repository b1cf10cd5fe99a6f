"""A release, the snapshot it answers from, and the runs that brought each stage into that state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import Ledger, Release, Snapshot, StageRun
from rag_assets.project import Project
from rag_assets.releasing import is_kept

SOURCE_STAGES = ("raw_documents", "chunks", "embeddings")
"""The stages of a source before its rows in the index, in their order."""


@dataclass(frozen=True, slots=True)
class StageTrace:
    """The run that left a stage in the state that a snapshot was made from. `run_id` None: not recorded.

    `exact`: recorded for exactly the version that the snapshot names; else it is the newest state before.
    """

    asset: str
    source: str
    data_version: str | None
    table_version: int | None
    run_id: str | None
    at: datetime | None
    exact: bool


@dataclass(frozen=True, slots=True)
class SnapshotTrace:
    """The exact table version, and what its rows were made with; parts that were not recorded are None."""

    snapshot_id: str
    table: str
    table_version: int
    generation: str
    parsers: str | None
    chunker: str | None
    tokenizer: str | None
    chunking: dict[str, Any] | None
    embedding_space: str
    kept: bool
    created_at: datetime
    run_id: str | None
    sources: dict[str, str]
    stages: tuple[StageTrace, ...]


@dataclass(frozen=True, slots=True)
class ReleaseTrace:
    """What an answer was given from. `report` is the folder of the evaluation's report; `served_by` began it first."""

    release_id: str
    serving: bool
    created_at: datetime
    run_id: str | None
    served_by: str | None
    forced: bool
    chat_model: str
    prompts_hash: str
    retrieval: dict[str, Any]
    answering: dict[str, Any]
    evaluation_id: str | None
    report: str | None
    snapshot: SnapshotTrace


def trace_release(project: Project, release: Release, sources: Collection[str] | None = None) -> ReleaseTrace:
    """The chain below `release`; the stages of `sources` only (default: of all sources in its snapshot)."""
    ledger = project.ledger
    serving = ledger.serving()
    starts = [change for change in ledger.serving_history() if change.release_id == release.release_id]
    made = _first(ledger.stage_runs("release", ""), release.release_id)
    evaluations = ledger.deciding_evaluations(release.release_id)[:1]
    evaluation = evaluations[0] if evaluations else None
    return ReleaseTrace(
        release_id=release.release_id,
        serving=serving is not None and serving.release_id == release.release_id,
        created_at=release.created_at,
        run_id=made.run_id if made else None,
        served_by=starts[-1].served_by if starts else None,
        forced=any(change.forced for change in starts),
        chat_model=release.chat_model,
        prompts_hash=fingerprint(**release.prompts),
        retrieval=release.retrieval,
        answering=release.answering,
        evaluation_id=evaluation.evaluation_id if evaluation else None,
        report=_report_folder(project, evaluation.report) if evaluation and evaluation.report else None,
        snapshot=trace_snapshot(project, project.snapshot(release.snapshot_id), sources),
    )


def trace_snapshot(project: Project, snapshot: Snapshot, sources: Collection[str] | None = None) -> SnapshotTrace:
    """The chain below `snapshot`."""
    ledger, details = project.ledger, snapshot.details
    names = sorted(snapshot.sources.keys() & set(sources) if sources is not None else snapshot.sources)
    taken = _first(ledger.stage_runs("index_snapshot", ""), snapshot.snapshot_id)
    return SnapshotTrace(
        snapshot_id=snapshot.snapshot_id,
        table=snapshot.table,
        table_version=snapshot.version,
        generation=snapshot.generation,
        parsers=details.get("parsers"),
        chunker=details.get("chunker"),
        tokenizer=details.get("tokenizer"),
        chunking=details.get("chunking"),
        embedding_space=snapshot.space,
        kept=is_kept(project.store, snapshot),
        created_at=snapshot.created_at,
        run_id=taken.run_id if taken else None,
        sources=dict(snapshot.sources),
        stages=tuple(stage for name in names for stage in _stages(ledger, name, snapshot)),
    )


def _stages(ledger: Ledger, source: str, snapshot: Snapshot) -> list[StageTrace]:
    """From the documents of `source` to its rows in the index, each as it was when the rows were written."""
    version = snapshot.sources[source]
    known = [run for run in ledger.stage_runs("vector_index", source) if run.created_at <= snapshot.created_at]
    exact = [run for run in known if run.data_version == version]
    index = next(iter(exact or known), None)
    before = index.created_at if index else snapshot.created_at
    earlier = []
    for asset in SOURCE_STAGES:
        states = (run for run in ledger.stage_runs(asset, source) if run.created_at <= before)
        earlier.append(_stage(asset, source, next(states, None), exact=False))
    return [*earlier, _stage("vector_index", source, index, exact=bool(exact))]


def _stage(asset: str, source: str, run: StageRun | None, *, exact: bool) -> StageTrace:
    if run is None:
        return StageTrace(asset, source, None, None, None, None, False)
    return StageTrace(asset, source, run.data_version, run.table_version, run.run_id, run.created_at, exact)


def _first(runs: list[StageRun], data_version: str) -> StageRun | None:
    """The run that first left the stage at `data_version`; `runs` are newest first."""
    return next((run for run in reversed(runs) if run.data_version == data_version), None)


def _report_folder(project: Project, report: str) -> str:
    from rag_assets.evaluation.review import reports_folder

    return str(reports_folder(project) / report)
