"""How long searches of a project's serving release take, from a notebook's place: `Project.search`, again and again.

    cd PROJECT && python -m bench.query_times [--queries 50]       # prints {"milliseconds": […]}

A question is six words of `bench.documents`, other ones each time. Hybrid search with default settings; its vector
comes from the project's own embedding model. The first five searches, which open tables and load code, are left out.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from bench.documents import SEED, vocabulary
from rag_assets.project import Project

WARM_UP = 5
WORDS = 6


def main() -> None:
    """Asks and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=50)
    wanted = parser.parse_args()
    words, rng = np.array(vocabulary()[:2_000], object), np.random.default_rng(SEED)
    milliseconds = []
    with Project.open() as project:
        for number in range(wanted.queries + WARM_UP):
            question = " ".join(rng.choice(words, WORDS))
            start = time.perf_counter()
            _, hits = project.search(question)
            if number >= WARM_UP:
                milliseconds.append(1000 * (time.perf_counter() - start))
            assert hits, "six words that occur in the documents find something"
    print(json.dumps({"milliseconds": milliseconds}))


if __name__ == "__main__":
    main()
