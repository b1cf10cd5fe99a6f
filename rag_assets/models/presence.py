"""Whether a provider still has a model, asked cheaply: one small request with a short wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_assets.config import ModelSettings
from rag_assets.errors import ConfigurationError, InvalidRequestError, ModelError, ModelNotFoundError
from rag_assets.models.client import make_client, translate_errors

if TYPE_CHECKING:
    from rag_assets.models.pacing import SharedLimits

WAIT_SECONDS = 10.0
RETRIES = 1


def provider_has(
    models: ModelSettings, provider: str, model_id: str, *, limits: SharedLimits | None = None
) -> bool | None:
    """Whether `provider` has the model. None where that is not known: it is down, undeclared, or has no such request.

    An answer that is not known says nothing against a model: whoever asks it for an answer will see.
    """
    settings = models.all_providers().get(provider)
    if settings is None:
        return None
    try:
        with make_client(provider, settings, limits=limits) as client:
            quick = client.with_options(timeout=WAIT_SECONDS, max_retries=RETRIES)
            return _has(quick, provider, model_id)
    except (ModelError, ConfigurationError):
        return None


def _has(client: object, provider: str, model_id: str) -> bool | None:
    import openai

    assert isinstance(client, openai.OpenAI)
    try:
        with translate_errors(provider, model_id, secret=client.api_key):
            client.models.retrieve(model_id)
    except ModelNotFoundError:
        return False
    except InvalidRequestError:  # a server may list its models and have no page for each
        with translate_errors(provider, model_id, secret=client.api_key):
            return any(one.id == model_id for one in client.models.list())
    return True
