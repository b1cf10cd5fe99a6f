"""`rag-assets ingest` in a process that has imported everything before: what the work takes without the imports.

    cd PROJECT && python -m bench.ours_inside [--source S]        # prints {"inside_seconds": …} and nothing else

The command is the real one, Dagster's runs and the release included. What stays in the time is what a process does
once beside importing: opening the tables, the ledger and Dagster's instance, loading the tokenizer.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pkgutil
import sys
import time

import rag_assets

HEAVY = (
    "alembic", "croniter", "dagster_openai", "docutils", "fsspec", "httpx2", "ir_measures", "jinja2", "lancedb",
    "langchain_text_splitters", "lxml.html", "markdown_it", "matplotlib", "onnxruntime", "openai", "py3langid",
    "pyarrow.compute", "pypdfium2", "scipy.stats", "sqlalchemy.dialects.sqlite", "tokenizers", "trafilatura",
)  # fmt: skip
"""What modules of the project import inside functions."""


def import_everything() -> None:
    """Every module of the project, and what they import late."""
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for module in pkgutil.walk_packages(rag_assets.__path__, "rag_assets."):
        if ".migrations." not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main() -> None:
    """Imports, runs the command, prints how long it took."""
    from rag_assets.cli.main import main as command

    import_everything()
    sys.argv = ["rag-assets", "ingest", "--json", *sys.argv[1:]]
    out = io.StringIO()
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(out):
            command()
    except SystemExit as ended:
        if ended.code:
            raise
    print(json.dumps({"inside_seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
