"""Imports LanceDB's driver, without the part of it that takes half of the time and is never used here."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_importing = threading.Lock()


def lancedb_module() -> ModuleType:
    """The package `lancedb`.

    It imports the client of a remote catalog: hundreds of methods, each wrapped by `pydantic.validate_call`, and of
    models, each compiled, as they are defined. That is half of the second that the import takes, in every process. No
    remote catalog is used here, so for the time of this first import the wrapper is one that wraps nothing, and models
    are compiled when they are first used.
    """
    with _importing:
        if "lancedb" in sys.modules:
            import lancedb
        else:
            with _no_remote_catalog():
                import lancedb
    return lancedb  # type: ignore[no-any-return]  # the package has no types


@contextmanager
def _no_remote_catalog() -> Iterator[None]:
    import pydantic

    validate_call, configuration = pydantic.validate_call, pydantic.BaseModel.model_config
    pydantic.validate_call = _unwrapped
    pydantic.BaseModel.model_config = pydantic.ConfigDict(**configuration, defer_build=True)
    try:
        yield
    finally:
        pydantic.validate_call = validate_call
        pydantic.BaseModel.model_config = configuration


def _unwrapped(function: Callable[..., Any] | None = None, /, **_: Any) -> Any:
    return function if function is not None else lambda wrapped: wrapped
