"""The command line starts fast because it imports little."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "alembic", "dagster", "dagster_openai", "docutils", "fsspec", "httpx2", "lancedb", "langchain_text_splitters",
    "numpy", "onnxruntime", "openai", "pyarrow", "pydantic", "pypdfium2", "ruamel", "sqlalchemy", "tokenizers",
    "trafilatura",
}  # fmt: skip


def test_the_entry_point_imports_nothing_heavy() -> None:
    code = f"import sys, rag_assets.cli.main; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, rag_assets.cli.main as cli\n"
        "sys.argv = ['rag-assets', '--help']\n"
        "try: cli.main()\n"
        f"finally: print('imported:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: rag-assets" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported: []"
