"""A small project whose models are behind an OpenAI-compatible server on loopback."""

from __future__ import annotations

from typing import Any

import pytest

from rag_assets.models.embedded.prompt_format import parse_prompt
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.openai_server import API_KEY, OpenAIServer

KEY_VARIABLE = "GATEWAY_KEY"
MARK = "purple"
"""A word that `OpenAIServer.refuse` and `.damage` look for."""

LIMITS = "# Limits\n\nA request may hold at most ninety-six items.\n\n## Timeouts\n\nThe gateway waits forty seconds.\n"
BREAD = "# Bread\n\nRye bread needs a sourdough starter that is fed twice a day.\n"
FLOWERS = f"# Flowers\n\nThe iris is {MARK} and blooms in May.\n"


def gateway_settings(
    server: OpenAIServer,
    *,
    max_retries: int = 2,
    timeout_seconds: float = 20,
    requests_per_minute: int | None = None,
    batch_size: int = 64,
) -> str:
    """The configuration of the models, as YAML."""
    return f"""\
models:
  providers:
    gateway:
      base_url: {server.base_url}
      api_key_env: {KEY_VARIABLE}
      max_retries: {max_retries}
      timeout_seconds: {timeout_seconds}
      requests_per_minute: {requests_per_minute or "null"}
  embedding:
    provider: gateway
    model: text-embedding-3-small
    batch_size: {batch_size}
  chat:
    provider: gateway
    model: gpt-4o-mini
"""


def quote_first_passage(body: dict[str, Any]) -> str:
    """What a chat model would say that answers with the first passage, cited."""
    passage = parse_prompt(body["messages"][-1]["content"]).passages[0]
    return f"{passage.text.strip().splitlines()[-1]} [{passage.n}]"


def use_gateway(project: SmallProject, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Configures `project` for `server`, with two sound documents and the right key."""
    monkeypatch.setenv(KEY_VARIABLE, API_KEY)
    server.dimension = 1_536
    server.reply = quote_first_passage
    project.configure(gateway_settings(server, **options), wiki="")
    project.write("wiki/limits.md", LIMITS)
    project.write("wiki/bread.md", BREAD)


def embedding_requests(server: OpenAIServer) -> int:
    """Requests for embeddings that arrived, retries included."""
    return sum(request.path.endswith("/embeddings") for request in server.requests)
