"""`rag-assets tune`, killed at every place between two writes that belong together: each wish is paid for once.

The command, Dagster's runs and the client are the real ones, over a server that counts the jobs it is asked for.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from rag_assets.ledger.tuning_jobs import SUCCEEDED
from rag_assets.project import Project
from rag_assets_tests.fine_tuning_server import FineTuningServer
from rag_assets_tests.integration.crash.corpus import Corpus
from rag_assets_tests.integration.crash.workers import Ended, Workers, workers
from rag_assets_tests.tuning.files import QUESTIONS, example

PLACES = (
    "tuning.between_intent_and_call",
    "tuning.between_reservation_and_upload",
    "tuning.between_files",
    "tuning.between_upload_and_ledger",
    "tuning.between_upload_and_create",
    "tuning.between_create_and_ledger",
    "tuning.while_polling",
    "tuning.while_polling@3",
    "tuning.between_end_and_settled",
    "tuning.between_settled_and_registered",
    "tuning.between_registered_and_collected",
)


@dataclass
class Tuning:
    """One project whose wishes differ by their seed."""

    corpus: Corpus
    workers: Workers
    server: FineTuningServer

    def wish(self, seed: int) -> None:
        self.corpus.configure(f"""
models: {{providers: {{tuner: {{base_url: "{self.server.base_url}", api_key_env: null, timeout_seconds: 3}}}}}}
examples: {{chats: {{kind: chat, files: [chats.jsonl], closed_book: true}}}}
tuning: {{provider: tuner, base_model: gpt-4o-mini, seed: {seed}}}
""")

    def kill(self, place: str) -> Ended:
        """A process that must die there. What serves and the tables are none of its business."""
        ended = self.workers.run("tune", "--json", failpoint=place)
        assert ended.was_killed, f"nothing ended it at {place}\n{ended.said}"
        return ended


@pytest.fixture(scope="module")
def tuning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuning]:
    folder = tmp_path_factory.mktemp("tuning")
    corpus = Corpus(folder / "project", random.Random(5), ("atlas",))
    with FineTuningServer() as server, workers(corpus.root) as processes:
        server.polls = 4
        one = Tuning(corpus, processes, server)
        corpus.create()
        one.wish(0)
        lines = [json.dumps(example(question, f"Answer {n}.")) for n, question in enumerate(QUESTIONS)]
        (corpus.root / "chats.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        assert processes.ingest().code == 0
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_killed_tune_is_finished_by_the_next_one(tuning: Tuning, place: str) -> None:
    seed = 1 + PLACES.index(place)
    before = len(tuning.server.jobs)
    tuning.wish(seed)
    tuning.kill(place)
    last = tuning.workers.run("tune", "--json")
    assert not last.was_killed, last.said
    assert len(tuning.server.jobs) == before + 1
    with Project.open(tuning.corpus.config_file) as project:
        [job] = [one for one in project.ledger.tuning_jobs() if one.seed == seed]
        assert (job.state, job.attempt) == (SUCCEEDED, 1) and job.collected_at is not None, last.said
        assert [one.model_id for one in project.ledger.tuned_models() if one.intent_id == job.intent_id] == [
            job.model_id
        ]
        paid = [row.request_id for row in project.ledger.usage() if row.operation == "fine_tuning"]
        assert paid.count(job.job_id) == 1
        assert project.ledger.open_reservations() == []
