"""The one way to a model: an `openai` client for every kind of provider, and its errors in this project's words.

Retries are the client's own: 408, 409, 429, 5xx, timeouts and cut connections, `max_retries` times, waiting as long as
`Retry-After` says (more than 0 and at most 120 seconds; a longer one fails at once) or with exponential backoff and
jitter. Added on the way through (`pacing.py`): a quota that is used up is final, requests keep within the limits of the
provider's settings, and a wait that the provider asks of one request holds back all of them, in every process that
shares the limits, so that nobody keeps hammering a provider that is full.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rag_assets.config import ProviderSettings
from rag_assets.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ModelError,
    ModelNotFoundError,
    ProviderUnavailableError,
    QuotaError,
    RagAssetsError,
    RateLimitError,
    WeightsError,
)
from rag_assets.models.pacing import QUOTA_MARKS, TOO_LARGE_MARK, Pacing, SharedLimits
from rag_assets.models.rate import RateLimits

if TYPE_CHECKING:
    import httpx2
    import openai

OPENAI_BASE_URL = "https://api.openai.com/v1"
EMBEDDED_BASE_URL = "http://embedded.invalid/v1"
EMBEDDED_KEY = "embedded"
NO_KEY = "none"
_SECRETS = re.compile(r"\b(sk|sess)-[A-Za-z0-9_*-]{6,}|(?i:bearer)\s+\S+")
_MESSAGE_CHARACTERS = 300


class HttpObserver(Protocol):
    """Stands beside the HTTP traffic of one client. Called from several threads."""

    def before_request(self, request: httpx2.Request) -> None: ...

    def after_response(self, response: httpx2.Response) -> None:
        """The status and headers are there; the body is not read yet."""
        ...


def make_client(
    name: str,
    settings: ProviderSettings,
    *,
    environment: Mapping[str, str] | None = None,
    observer: HttpObserver | None = None,
    limits: SharedLimits | None = None,
) -> openai.OpenAI:
    """A client of provider `name`. Opens no connection yet; the caller closes it.

    `limits` keeps the turns of all clients of the provider; without it, this client keeps its own.
    `observer` sees every HTTP request and response, retried ones included, before the client reads it. Raises
    `ConfigurationError` naming the environment variable when the key is missing or cannot be a key.
    """
    import openai

    if settings.kind == "embedded":
        import httpx2

        from rag_assets.models.embedded.provider import EmbeddedProvider
        from rag_assets.models.embedded.transport import EmbeddedTransport

        # No retries: this process does not become available by waiting.
        transport = EmbeddedTransport(EmbeddedProvider(state_dir=settings.state_dir))
        http_client = httpx2.Client(transport=transport, event_hooks=_hooks(observer))
        return openai.OpenAI(api_key=EMBEDDED_KEY, base_url=EMBEDDED_BASE_URL, max_retries=0, http_client=http_client)
    pacing = Pacing(name, rate_limits(settings), limits)
    key = _read_key(name, settings, os.environ if environment is None else environment)
    return openai.OpenAI(
        api_key=key,
        organization=settings.organization,
        base_url=settings.base_url or OPENAI_BASE_URL,
        timeout=settings.timeout_seconds,
        max_retries=settings.max_retries,
        http_client=openai.DefaultHttpxClient(event_hooks=_hooks(pacing, observer)),
    )


def rate_limits(settings: ProviderSettings) -> RateLimits:
    """What the settings of a provider allow in a minute."""
    return RateLimits(settings.requests_per_minute, settings.tokens_per_minute)


def _hooks(*observers: HttpObserver | None) -> dict[str, list[Callable[..., None]]]:
    present = [observer for observer in observers if observer is not None]
    return {
        "request": [observer.before_request for observer in present],
        "response": [observer.after_response for observer in present],
    }


def _read_key(name: str, settings: ProviderSettings, environment: Mapping[str, str]) -> str:
    variable = settings.api_key_env
    if variable is None:
        return NO_KEY
    key = environment.get(variable, "").strip()
    if not key:
        raise ConfigurationError(
            f"Provider {name!r} takes its key from the environment variable {variable}, which is not set.",
            fix=f"Set {variable}, or set models.providers.{name}.api_key_env to null for a server without keys.",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            f"The environment variable {variable} holds characters that no key of provider {name!r} can have.",
            fix=f"Set {variable} to the key alone, without quotes or line breaks.",
        )
    return key


@contextmanager
def translate_errors(provider: str, model: str, *, secret: str = "") -> Iterator[None]:
    """Turns the client's exceptions into this project's, one line each: provider, model, status, what to do.

    No key appears in them: `secret` and whatever looks like a key is cut from the server's words, and the original
    exception, which holds the request, is not chained.
    """
    import httpx2
    import openai

    where = f"Provider {provider!r}, model {model!r}"
    try:
        yield
    except openai.APIStatusError as error:
        raise _from_status(error, where, provider, model, secret) from None
    except (openai.APITimeoutError, httpx2.TimeoutException):
        raise ProviderUnavailableError(
            f"{where}: no answer within the time limit, after the retries.",
            fix=f"Try again, or raise models.providers.{provider}.timeout_seconds.",
        ) from None
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        if isinstance(error.__cause__, RagAssetsError):  # on this side of the wire: the ledger that keeps the limits
            raise error.__cause__ from None
        cause = str(error.__cause__ or error) or type(error).__name__
        raise ProviderUnavailableError(
            f"{where}: the connection failed ({_clean(cause, secret).rstrip('.')}).",
            fix=f"Check the network and models.providers.{provider}.base_url.",
        ) from None
    except openai.APIError as error:  # an error in the middle of a stream, or a body that is not the API's
        raise ProviderUnavailableError(
            f"{where}: the answer broke off ({_clean(error.message, secret).rstrip('.')}).", fix="Try again."
        ) from None


def _from_status(error: openai.APIStatusError, where: str, provider: str, model: str, secret: str) -> ModelError:
    status = error.status_code
    detail = f"{where}: status {status}"
    body = error.body if isinstance(error.body, dict) else {}
    said = _clean(str(body.get("message") or ""), secret)
    because = f"{detail}, {said}" if said else f"{detail}."
    if error.code == "weights_missing":  # the embedded provider's own sentence, which ends in the command to run
        return WeightsError(said)
    if error.code == "model_not_found" or (status == 404 and _is_about(model, said)):
        return ModelNotFoundError(
            because, fix=f"Check the model's name and models.providers.{provider}, or choose another model."
        )
    if secret == EMBEDDED_KEY and error.code == "state_unavailable":  # its disk is full, or its files are held
        return ProviderUnavailableError(because, fix="Run again later.")
    if secret == EMBEDDED_KEY:
        return InvalidRequestError(because)
    if status in (401, 403):  # the server's words are left out: some servers repeat the key
        why = "the key was refused" if status == 401 else "the key has no access to this"
        return AuthenticationError(f"{detail}, {why}.", fix=f"Check the key of provider {provider!r}.")
    if status == 402 or (status == 429 and _is_quota(error, said)):
        return QuotaError(
            f"{detail}, the quota or credit is used up.",
            fix="Add credit or raise the limit at the provider; then run again.",
        )
    if status == 429 and TOO_LARGE_MARK in said.lower():
        return InvalidRequestError(because, fix="Lower models.embedding.batch_size or chunking.max_tokens.")
    if status == 429:
        return RateLimitError(
            f"{because} The retries are used up.",
            fix=f"Run again later, or lower models.providers.{provider}.max_concurrency.",
        )
    if status >= 500 or status in (408, 409):
        return ProviderUnavailableError(f"{because} The retries are used up.", fix="Run again later.")
    if status == 404:
        return InvalidRequestError(because, fix=f"Check the model's name and models.providers.{provider}.base_url.")
    return InvalidRequestError(because, fix="Check the model's settings.")


def _is_about(model: str, said: str) -> bool:
    """Whether a server without codes says of `model` that it is not there, and not of the address."""
    return bool(model) and model in said and "model" in said.lower()


def _is_quota(error: openai.APIStatusError, said: str) -> bool:
    return any(mark in (error.code or "", error.type or "") or mark in said for mark in QUOTA_MARKS)


def _clean(message: str, secret: str) -> str:
    """A server's message on one line, of bounded length, without keys, ending in a full stop."""
    if secret and secret not in (EMBEDDED_KEY, NO_KEY):
        message = message.replace(secret, "***")
    line = " ".join(_SECRETS.sub("***", message).split())
    if len(line) > _MESSAGE_CHARACTERS:
        line = f"{line[:_MESSAGE_CHARACTERS]}…"
    return line if not line or line[-1] in ".!?…" else f"{line}."
