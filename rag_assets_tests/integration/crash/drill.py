"""A project that is killed, asked, and run to its end: what every kill test does, in one place."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag_assets.project import Project
from rag_assets_tests.integration.crash.corpus import SOURCES, Corpus
from rag_assets_tests.integration.crash.invariants import assert_ledger_agrees, assert_whole, lance_versions
from rag_assets_tests.integration.crash.purchases import Purchases
from rag_assets_tests.integration.crash.serving import Serving, serving_now
from rag_assets_tests.integration.crash.workers import REQUESTS, Ended, Workers, workers
from rag_assets_tests.integration.crash.zygote import MAINTENANCE

SETTINGS = "models: {embedding: {batch_size: 4}}\n"
"""Several requests for the few documents of a run, so that a kill falls between them."""


@dataclass
class Drill:
    """One project and its processes.

    `killed` counts kills by the step that they fell into, `lost` the answers that were in flight then, and `unsettled`
    the kills since the last maintenance: each may have left a tag that the ledger does not know.
    """

    corpus: Corpus
    workers: Workers
    purchases: Purchases
    serving: Serving
    killed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    unsettled: int = 0

    @property
    def config_file(self) -> Path:
        return self.corpus.config_file

    def kill(self, *arguments: str, flips: bool = False, may_end: bool = False, **how: Any) -> Ended:
        """A process that must die by SIGKILL, as `how` says; then what serves must answer as before.

        With `flips` it may have died after its release began to serve; then that one must be whole. With `may_end` it
        may have come to its end before.
        """
        ended = self.workers.run(*(arguments or ("ingest", "--json")), **how)
        assert ended.was_killed or (may_end and ended.code == 0), f"nothing ended it: {how}\n{ended.said}"
        if ended.was_killed:
            self.killed[ended.where] += 1
            self.unsettled += 1
        self.assert_intact(flips=flips)
        return ended

    def assert_intact(self, *, flips: bool = False) -> None:
        """What serves answers as it did, and nothing that was received is lost."""
        now = serving_now(self.config_file)
        if not flips or now.release_id == self.serving.release_id:
            self.serving.assert_unharmed(now)
        self.serving = now
        with Project.open(self.config_file) as project:
            assert_ledger_agrees(project, pinned_alone=self.unsettled)
        self.lost += self.purchases.assert_received_kept()

    def finish(self) -> Ended:
        """A run to its end, after which everything must be as if nothing had been killed."""
        ended = self.workers.ingest()
        assert ended.code == 0, ended.said
        assert_whole(self.corpus, pinned_alone=self.unsettled)
        self.purchases.assert_bought_once()
        self.serving = serving_now(self.config_file)
        return ended

    def maintain(self) -> Ended:
        """The upkeep to its end; no tag is left that no snapshot has."""
        ended = self.workers.run(MAINTENANCE)
        assert ended.code == 0, ended.said
        self.unsettled = 0
        self.assert_intact()
        return ended

    def assert_nothing_to_do(self) -> None:
        """Another run embeds nothing, commits nothing and releases nothing."""
        before = lance_versions(self.config_file)
        summary = self.workers.ingest().json
        assert [one["texts_embedded"] for one in summary["sources"].values()] == [0] * len(summary["sources"])
        assert [one["table_versions_committed"] for one in summary["sources"].values()] == [0] * len(summary["sources"])
        assert summary["release"] == self.serving.release_id
        assert lance_versions(self.config_file) == before

    def assert_equals_a_clean_ingest(self, scratch: Path) -> None:
        """A project with these files that was never killed holds the same rows, vectors included."""
        other = Corpus(scratch / "project", random.Random(0), self.corpus.sources, self.corpus.texts)
        other.write_again(self.config_file.read_text("utf-8"))
        self.workers.elsewhere(other.root).ingest().json  # noqa: B018  (it ended well)
        assert indexed(other.config_file) == indexed(self.config_file)


def indexed(config_file: Path) -> dict[str, Any]:
    """Every row of the index by its id."""
    with Project.open(config_file) as project:
        return {row["chunk_id"]: row for row in project.index.rows().to_pylist()}


@contextmanager
def drill(
    folder: Path, seed: int, sources: tuple[str, ...] = SOURCES, *, settings: str = "", **environment: str
) -> Iterator[Drill]:
    """A project in `folder` that has been ingested and released once. Its processes have `environment`."""
    root = folder / "project"
    corpus = Corpus(root, random.Random(seed), sources)
    corpus.create(SETTINGS + settings)
    with workers(root, **environment) as processes:
        purchases = Purchases(folder / REQUESTS, corpus.config_file)
        one = Drill(corpus, processes, purchases, serving_now(corpus.config_file))
        one.finish()
        yield one
