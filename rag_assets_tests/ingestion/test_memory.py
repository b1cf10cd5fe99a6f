"""Memory of the first two stages over sources of different sizes, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PEAK = """
import resource, sys
from pathlib import Path
from rag_assets_tests.ingestion.source import StagedSource
source = StagedSource(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    source.write(f"{number // 100}/{number}.md", f"# Page {number}\\n\\n" + f"What page {number} says. " * 40)
read, cut = source.read(), source.cut()
assert read.rows == cut.documents_new == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_documents(tmp_path: Path) -> None:
    few, many = (peak_kilobytes(tmp_path / str(count), count) for count in (1_000, 5_000))
    assert many < 1.2 * few


def peak_kilobytes(folder: Path, documents: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(folder), str(documents)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return int(done.stdout)
