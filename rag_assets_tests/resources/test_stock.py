"""The stock resource comes without `openai`, and works with it all the same."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys
import rag_assets.definitions
loaded = "openai" in sys.modules
from dagster_openai import OpenAIResource
stock = OpenAIResource(api_key="sk-none")
stock.setup_for_execution(None)
import openai
print(json.dumps({"loaded": loaded, "is_client": isinstance(stock._client, openai.Client), "name": openai.__name__}))
"""


def test_the_code_location_loads_without_openai_and_the_stock_resource_still_makes_clients():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(ended.stdout) == {"loaded": False, "is_client": True, "name": "openai"}
