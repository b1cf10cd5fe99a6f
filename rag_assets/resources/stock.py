"""dagster-openai's stock resource, imported without the client library that it would bring along.

`openai` takes half a second to import, and every process that loads the code location, or runs `rag-assets ingest` over
documents that did not change, would pay that for nothing. The stock module needs one name of it, `Client`, and only to
make a client; the name is bound to a function that imports the library when a client is made.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster_openai import OpenAIResource

_NAME = "openai"
_importing = threading.Lock()


def stock_resource() -> type[OpenAIResource]:
    """The class `dagster_openai.OpenAIResource`."""
    with _importing:
        if _NAME in sys.modules or "dagster_openai" in sys.modules:
            from dagster_openai import OpenAIResource

            return OpenAIResource
        stand_in = ModuleType(_NAME)
        stand_in.__dict__["Client"] = _make_client
        sys.modules[_NAME] = stand_in
        try:
            from dagster_openai import OpenAIResource
        finally:
            del sys.modules[_NAME]
    return OpenAIResource


def _make_client(*arguments: Any, **options: Any) -> Any:
    """`openai.Client(...)`."""
    import openai

    return openai.Client(*arguments, **options)
