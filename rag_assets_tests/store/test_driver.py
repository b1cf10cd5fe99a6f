from __future__ import annotations

import subprocess
import sys

CODE = """
import pydantic
before = pydantic.validate_call
from rag_assets.store.driver import lancedb_module
module = lancedb_module()
assert module is lancedb_module() and module.__name__ == "lancedb"
assert pydantic.validate_call is before

@pydantic.validate_call
def half(number: int) -> float:
    return number / 2

try:
    half("x")
except pydantic.ValidationError:
    print("validates")
"""


def test_pydantic_is_as_it_was_after_the_import() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "validates"
