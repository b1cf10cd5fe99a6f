"""Imports LanceDB's driver, without the part of it that takes a third of the time and is never used here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

_importing = threading.Lock()


def lancedb_module() -> ModuleType:
    """The package `lancedb`.

    It imports the client of a remote catalog, whose hundreds of methods are each wrapped by `pydantic.validate_call` as
    they are defined: a third of the second that the import takes, in every process. No remote catalog is used here, so
    for the time of this first import the wrapper is one that wraps nothing.
    """
    import sys

    import pydantic

    with _importing:
        validate_call = pydantic.validate_call
        if "lancedb" not in sys.modules:
            pydantic.validate_call = _unwrapped
        try:
            import lancedb
        finally:
            pydantic.validate_call = validate_call
    return lancedb  # type: ignore[no-any-return]  # the package has no types


def _unwrapped(function: Callable[..., Any] | None = None, /, **_: Any) -> Any:
    return function if function is not None else lambda wrapped: wrapped
