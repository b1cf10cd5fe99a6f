from __future__ import annotations

from rag_assets_tests.openai_server import openai_server

__all__ = ["openai_server"]
