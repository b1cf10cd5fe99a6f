"""A released project whose chat model is a scripted one over HTTP, and models that were tuned from it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from rag_assets.config import ChatSettings
from rag_assets.ledger import Ledger, TunedModel
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.ledger.test_tuned_models import intent
from rag_assets_tests.openai_server import OpenAIServer
from rag_assets_tests.releasing.stages import refresh

BASE = "test-chat"
SETTINGS = """
models:
  providers:
    local: {{base_url: "{base_url}", api_key_env: null, max_retries: 0, max_concurrency: 2}}
  chat: {{provider: local, model: test-chat}}
  prices:
    test-chat: {{input_usd: 1.0, output_usd: 1.0}}
"""
FACTS = {f"page{n}.md": f"The colour of machine {n} is shade number {n * 111}." for n in range(1, 9)}


def quoting(body: dict[str, Any]) -> str:
    """Repeats the first passage."""
    first = re.search(r'<passage n="1"[^>]*>\n(.*?)\n</passage>', body["messages"][-1]["content"], re.S)
    return f"{first[1]} [1]" if first else "No."


def released(small: SmallProject, server: OpenAIServer, extra: str = "") -> None:
    """Configures `small` with `server` as the provider of its chat model, and releases eight documents."""
    server.reply = quoting
    small.configure(SETTINGS.format(base_url=server.base_url) + extra, docs="")
    for uri, text in FACTS.items():
        small.write(f"docs/{uri}", text)
    refresh(small)


def tuned(ledger: Ledger, model_id: str, **changes: Any) -> TunedModel:
    """Registers a model that was tuned from the configured one."""
    values: dict[str, Any] = {
        "provider": "local",
        "base_model": BASE,
        "job_id": f"job of {model_id}",
        "training_file": "f" * 64,
        "examples": 12,
        "validation_examples": 3,
        "hyperparameters": {"n_epochs": 3},
        "metrics": {"valid_loss": 0.5},
        "trained_tokens": 900,
        "cost_usd": 0.25,
    }
    return ledger.record_tuned_model(model_id, intent_id=intent(ledger, model_id[-32:]), **(values | changes))


def serve(project: Project, model_id: str) -> str:
    """Makes the registered model answer, without any gate; returns the id of the release."""
    serving = ReleaseContent.of(project.release(), project.ledger)
    chat = ChatSettings(provider="local", model=model_id)
    made = replace(serving, chat=chat, release=None).create(project.ledger)
    project.ledger.serve(made.release_id, "test", "a test")
    return made.release_id
