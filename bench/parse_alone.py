"""This project's parsers by themselves, as `bench/comparators/parsers.py` has the libraries.

python -m bench.parse_alone FORMAT FOLDER ROUNDS       # prints JSON: processor seconds of each round
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rag_assets.documents.parsing import parse
from rag_assets.errors import DocumentError


def main() -> None:
    """Reads, parses once to warm up, and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format")
    parser.add_argument("folder", type=Path)
    parser.add_argument("rounds", type=int)
    wanted = parser.parse_args()
    files = {path: path.read_bytes() for path in sorted(wanted.folder.rglob(f"*.{wanted.format}"))}
    refused = 0
    for path, data in list(files.items()):
        try:
            parse(data, path.name)
        except DocumentError:
            refused += 1
            del files[path]
    seconds, characters = [], 0
    for _ in range(wanted.rounds):
        start = time.process_time()
        characters = sum(len(parse(data, path.name).text) for path, data in files.items())
        seconds.append(time.process_time() - start)
    print(json.dumps({"seconds": seconds, "files": len(files), "refused": refused, "characters": characters}))


if __name__ == "__main__":
    main()
