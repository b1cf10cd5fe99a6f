"""Puts an estimate together: every source, the generation, the evaluation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag_assets.config import Settings
from rag_assets.config_file import varied_settings
from rag_assets.errors import ConfigurationError
from rag_assets.estimating.budgets import budget_limits
from rag_assets.estimating.chunks import Cutter
from rag_assets.estimating.evaluation import estimate_evaluation
from rag_assets.estimating.generation import generation_change
from rag_assets.estimating.inputs import Inputs
from rag_assets.estimating.looking import Limit
from rag_assets.estimating.model import Estimate, SourceEstimate, total_of
from rag_assets.estimating.source import Progress, estimate_source
from rag_assets.project import Project

EXACT_CHARACTERS = 20_000_000
"""Due text up to here, over all sources, is cut as a run would cut it: about five million tokens, some ten seconds."""
SAMPLE_DOCUMENTS = 400
EMBEDDINGS_PREFIX = "embeddings__"


@contextmanager
def untouched(settings: Settings) -> Iterator[Project]:
    """A project with these settings to read from. What does not exist yet is made in a folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="rag_assets_estimate_") as scratch:
        update: dict[str, Any] = {}
        if "://" not in settings.store_uri and not Path(settings.store_uri).is_dir():
            update["store"] = settings.store.model_copy(update={"uri": f"{scratch}/lancedb"})
        if settings.ledger.url_env is None and not (settings.data_path / "ledger.sqlite").is_file():
            kept = settings.store.model_copy(update={"uri": settings.store_uri})
            update = {"data_dir": scratch, "store": update.get("store", kept)}
        with Project(settings.model_copy(update=update)) as project:
            yield project


def estimate(
    settings: Settings,
    changes: Sequence[str] = (),
    *,
    sources: Sequence[str] | None = None,
    sample: int | None = None,
    exact: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Estimate:
    """What `rag-assets ingest` would do with `settings` and `changes` such as `chunking.max_tokens=200`.

    Writes nothing and calls no model; files that changed are opened. `sources` (default: all) are those that would be
    ingested. Counts exactly while the due text has at most `EXACT_CHARACTERS`, else by a sample of `SAMPLE_DOCUMENTS`
    of each source; with `sample`, always by that many, and with `exact`, never. Raises `ConfigurationError` and
    `UnknownSourceError`.
    """
    start = time.perf_counter()
    wanted = varied_settings(settings, dict(map(parse_change, changes))) if changes else settings
    with untouched(wanted) as project:
        names = tuple(sources) if sources is not None else project.source_names
        for name in names:
            project.settings.source(name)
        generation = project.generation
        limit = _limit(len(names), sample=sample, exact=exact)
        found: dict[str, SourceEstimate] = {}
        pairs: dict[str, list[tuple[str, str]]] | None = {}
        with project.embedder() as embedder:
            cutter = Cutter(generation, embedder, Inputs.of(project))
            for name in names:
                one = estimate_source(project, name, cutter, limit, progress)
                found[name] = one.source
                pairs = None if pairs is None or one.pairs is None else {**pairs, name: one.pairs}
        total = total_of(found.values())
        if pairs is not None:
            pairs |= {name: _indexed_pairs(project, name) for name in project.source_names if name not in names}
        chunks = total.chunks.add + total.chunks.keep
        mean_chunk_tokens = total.tokens / chunks if chunks else 0.0
        evaluation = estimate_evaluation(project, pairs, mean_chunk_tokens=mean_chunk_tokens)
        costs = {"embeddings": total.cost_usd, "eval_report": evaluation.estimated_cost_usd}
        return Estimate(
            settings=tuple(changes),
            generation=generation_change(project),
            sources=found,
            total=total,
            evaluation=evaluation,
            embeddings_bytes=_embeddings_bytes(project),
            seconds=time.perf_counter() - start,
            budgets=budget_limits(project, costs),
        )


def parse_change(change: str) -> tuple[str, str]:
    """`chunking.max_tokens=200` as key and value. Raises `ConfigurationError`."""
    name, equals, value = change.partition("=")
    if not equals or not name.strip():
        raise ConfigurationError(
            f"{change!r} is not a change of a setting.", fix="Write it as section.key=value: chunking.max_tokens=200"
        )
    return name.strip(), value


def _limit(sources: int, *, sample: int | None, exact: bool) -> Limit:
    if exact:
        return Limit(None, 0)
    if sample is not None:
        return Limit(sample, 0)
    return Limit(SAMPLE_DOCUMENTS, EXACT_CHARACTERS // max(1, sources))


def _indexed_pairs(project: Project, source: str) -> list[tuple[str, str]]:
    """What the index of the generation holds of a source that is not ingested."""
    from rag_assets.store import sql_literal

    rows = project.index.rows(columns=["chunk_id", "row_hash"], where=f"source = {sql_literal(source)}")
    return list(zip(rows["chunk_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True))


def _embeddings_bytes(project: Project) -> Mapping[str, int]:
    """Embedding space → bytes of its stored vectors. They are kept, so that going back costs nothing."""
    sizes = {}
    for name in project.store.table_names():
        if name.startswith(EMBEDDINGS_PREFIX):
            table = project.store.stored(name)
            handle = table.latest() if table is not None else None
            sizes[name.removeprefix(EMBEDDINGS_PREFIX)] = int(handle.stats()["total_bytes"]) if handle else 0
    return sizes
