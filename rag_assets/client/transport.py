"""HTTP to one server: POST with JSON, and every way that can go wrong as one clear error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from rag_assets.errors import AccessRefusedError, ConfigurationError, ServerError

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
REFUSED = {401, 403, 407}
SHOWN_CHARACTERS = 300


class Transport:
    """A connection to the server at `url`, which may have a path. `headers` go with every request and are never shown.

    Raises `ServerError` when nothing answers or what answers is no Dagster, and `AccessRefusedError`.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        try:
            address = httpx2.URL(self.url)
        except (httpx2.InvalidURL, TypeError):
            raise _bad_url() from None
        if address.scheme not in ("http", "https") or not address.host or address.userinfo:
            raise _bad_url()  # the address is not repeated: a password may stand in it
        self._http = httpx2.Client(
            headers=dict(headers or {}),
            timeout=timeout_seconds,
            trust_env=address.host not in LOOPBACK,  # a proxy from the environment cannot reach this machine's loopback
        )

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of a GraphQL answer."""
        answer = self.post("/graphql", {"query": document, "variables": dict(variables or {})})
        errors, data = answer.get("errors"), answer.get("data")
        if errors or not isinstance(data, dict):
            said = errors[0].get("message", "") if errors else "no data"
            raise ServerError(
                f"{self.url} could not answer a GraphQL query: {_short(said)}",
                fix="If its Dagster is much older or newer than 1.13, bring both to the same version.",
            )
        return data

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that `path` answers to `body`."""
        try:
            response = self._http.post(self.url + path, json=dict(body))
        except httpx2.TimeoutException:
            raise ServerError(
                f"{self.url} did not answer within {self._timeout_seconds:g} s.",
                fix="See whether it is busy; asking again with the same request id launches nothing twice.",
            ) from None
        except httpx2.TransportError as error:
            raise ServerError(
                f"{self.url} cannot be reached: {_short(str(error)) or type(error).__name__}.",
                fix="Start it with: rag-assets dev, or give the address that it listens on.",
            ) from None
        try:
            answer = response.json()
        except ValueError:  # a proxy's page, or another program's
            answer = None
        if isinstance(answer, dict) and (response.is_success or "errors" in answer or "data" in answer):
            return answer
        raise self._refusal(response, path, answer)

    def _refusal(self, response: httpx2.Response, path: str, answer: Any) -> ServerError:
        """What an answer that is not Dagster's means: of the server's own guard, of a proxy, of another program."""
        said = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(said, dict) and "problem" in said:
            return AccessRefusedError(f"{self.url}: {_short(said['problem'])}", fix=str(said.get("fix", "")))
        if response.status_code in REFUSED:
            return AccessRefusedError(
                f"{self.url}{path} refused this caller (HTTP {response.status_code}).",
                fix="Give the login that the proxy in front of it wants: RAG_ASSETS_AUTH, or the client's headers.",
            )
        return ServerError(
            f"{self.url}{path} answered HTTP {response.status_code}, which is no answer of Dagster's: "
            f"{_short(response.text)}.",
            fix="Give the address of Dagster's webserver, with its path if it has one.",
        )


def _bad_url() -> ConfigurationError:
    return ConfigurationError(
        "The address of the server is not http://HOST:PORT or https://HOST:PORT without a login in it.",
        fix="Write it like http://127.0.0.1:3000; a login goes into RAG_ASSETS_AUTH, or the client's headers.",
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
