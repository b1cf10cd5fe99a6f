"""Names of things, as OpenAI forms them, and times in whole seconds."""

from __future__ import annotations

import re
import secrets
import string
import time

from rag_assets.config import EMBEDDED_CHAT_MODEL, TUNED_EMBEDDED_CHAT_MODEL

_LETTERS = string.ascii_letters + string.digits
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
SUFFIX_CHARACTERS = 64


def new_id(kind: str) -> str:
    """`kind` and 24 letters that nothing else has: file-…, ftjob-…"""
    return f"{kind}-{new_letters(24)}"


def new_letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def tuned_model_id(suffix: str, letters: str) -> str:
    """ft:extractive-reader:rag-assets:SUFFIX:LETTERS, with whatever a name cannot hold as a hyphen."""
    return f"ft:{EMBEDDED_CHAT_MODEL}:rag-assets:{_OTHER.sub('-', suffix)}:{letters}"


def checkpoint_model_id(model: str, step: int) -> str:
    return f"{model}:ckpt-step-{step}"


def is_tuned_model_id(model: str) -> bool:
    """Whether the embedded provider may have a tuned model of this name."""
    return TUNED_EMBEDDED_CHAT_MODEL.fullmatch(model) is not None


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())
