"""Under which names a server may be reached: the answer to DNS rebinding.

A page of `evil.example` can let its own name resolve to 127.0.0.1 and then talk to a server there as its own origin.
The name it used is in `Host`, so a server that answers only to names it knows cannot be reached in that way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from rag_assets.errors import ConfigurationError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORTS = {"http": "80", "https": "443"}
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True)
class AllowedHosts:
    """Pairs of a name and the port it needs; None takes every port, for a proxy's port is not known here."""

    pairs: frozenset[tuple[str, str | None]]

    @classmethod
    def at(cls, port: int, *names: str) -> AllowedHosts:
        """This machine's own names at `port`, and `names` as `NAME` or `NAME:PORT`. Raises `ConfigurationError`."""
        pairs: set[tuple[str, str | None]] = {(name, str(port)) for name in LOOPBACK_NAMES}
        for given in names:
            parsed = _parse(given)
            if parsed is None:
                raise ConfigurationError(
                    f"The host name {given!r} is not one.", fix="Write it as in a URL: ui.example.org, or NAME:PORT."
                )
            pairs.add(parsed)
        return cls(frozenset(pairs))

    def admit(self, host: str) -> bool:
        """Whether the value of a `Host` header is one of these."""
        parsed = _parse(host)
        if parsed is None:
            return False
        name, port = parsed
        return (name, None) in self.pairs or (name, port or DEFAULT_PORTS["http"]) in self.pairs


def same_host(origin: str, host: str) -> bool:
    """Whether the value of an `Origin` header is a page of `host`, the value of `Host`. `null` never is.

    The scheme may be either: behind a proxy that ends TLS the page is https, and the request here is http.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in DEFAULT_PORTS or origin.lower() != f"{parts.scheme}://{parts.netloc.lower()}":
        return False
    page, server, default = _parse(parts.netloc), _parse(host), DEFAULT_PORTS[parts.scheme]
    if page is None or server is None:
        return False
    return (page[0], page[1] or default) == (server[0], server[1] or default)


def _parse(host: str) -> tuple[str, str | None] | None:
    found = _HOST.fullmatch(host.strip().lower())
    return (found["name"], found["port"]) if found else None
