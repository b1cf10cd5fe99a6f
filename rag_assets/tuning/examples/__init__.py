"""Examples from files, golden questions and rated answers, brought to one schema."""

from rag_assets.tuning.examples.model import Example
from rag_assets.tuning.examples.read import example_files, read_examples
from rag_assets.tuning.examples.table import ExamplesResult, examples_version, stored_examples, sync_examples

__all__ = [
    "Example",
    "ExamplesResult",
    "example_files",
    "examples_version",
    "read_examples",
    "stored_examples",
    "sync_examples",
]
