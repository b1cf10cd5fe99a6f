"""What was bought from the embedding model, by the model's own log.

An answer that was on its way to a process when it was killed is lost, whoever sends it: the input must be asked for
again. What had arrived must never be asked for again. So after each kill it is looked which inputs were answered and
are stored nowhere: they were in flight, which at most as many can be as are asked for at once, and they alone may be
bought a second time.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rag_assets.ingestion.input_hashes import hexadecimal
from rag_assets.ingestion.spool import read_records
from rag_assets.project import Project

IN_FLIGHT_REQUESTS = 2
"""The embedded model works on one request at a time, and the next may be answered while its vectors are stored."""


@dataclass
class Purchases:
    """`lost` counts, for each input, how often its answer was in flight when a process was killed."""

    log: Path
    config_file: Path
    lost: Counter[str] = field(default_factory=Counter)
    _inputs: set[str] = field(default_factory=set)
    _read: int = 0

    def assert_received_kept(self) -> int:
        """After a kill: what was answered since the last look is stored, but for what was in flight. Returns how many
        inputs were."""
        answered = self._answered()[self._read :]
        self._read += len(answered)
        stored = self._look()
        missing = [{key for key in request if key in self._inputs} - stored for request in answered]
        for request in missing[:-IN_FLIGHT_REQUESTS]:
            assert not request, "an answer is lost that was not the last one"
        lost = set().union(*missing)
        self.lost.update(lost)
        return len(lost)

    def assert_bought_once(self) -> None:
        """Each input of a document was answered once, and once more for each time that its answer was lost."""
        self.assert_received_kept()
        bought = Counter(key for request in self._answered() for key in request)
        assert self._look() <= bought.keys(), "a vector came from nowhere"
        assert not {key for key in self._inputs if bought[key] > 1 + self.lost[key]}

    def _look(self) -> set[str]:
        """The inputs that have a vector now, stored or in the spool. Remembers all inputs that there ever were."""
        with Project.open(self.config_file) as project:
            for source in project.source_names:
                self._inputs |= set(project.store.chunks(source).rows(["input_hash"])["input_hash"].to_pylist())
            space = project.generation.space
            vectors = project.store.embeddings(space.name, space.dimension)
            records = (one for file in project.spool_dir.rglob("*.spool") for one in read_records(file))
            spooled = {key for one in records for key in hexadecimal(one.hashes)}
            return spooled | set(vectors.rows(["input_hash"])["input_hash"].to_pylist())

    def _answered(self) -> list[list[str]]:
        """The inputs of every request for embeddings that was answered, questions' too."""
        if not self.log.exists():
            return []
        requests = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [
            request["input_sha256"]
            for request in requests
            if request["path"].endswith("/embeddings") and request["status"] == 200
        ]
