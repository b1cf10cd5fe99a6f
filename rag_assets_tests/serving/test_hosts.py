"""By which names a server is reached, and which pages are its own."""

from __future__ import annotations

import pytest

from rag_assets.errors import ConfigurationError
from rag_assets.serving.hosts import AllowedHosts, same_host


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000"])
def test_this_machine_at_the_right_port(host: str) -> None:
    assert AllowedHosts.at(3000).admit(host)


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1", "127.0.0.1:3001", "evil.example:3000", "evil.example", "localhost.:3000", "127.0.0.1:3000@evil",
     "127.0.0.1.evil.example:3000", "localhost:3000, evil.example", "127.1:3000", "[::2]:3000", "0.0.0.0:3000"],
)  # fmt: skip
def test_any_other_name_or_port(host: str) -> None:
    assert not AllowedHosts.at(3000).admit(host)


def test_a_configured_name_with_and_without_a_port() -> None:
    hosts = AllowedHosts.at(3000, "UI.example.org", "other.example.org:8443")
    assert hosts.admit("ui.example.org")
    assert hosts.admit("ui.example.org:8443")
    assert hosts.admit("other.example.org:8443")
    assert not hosts.admit("other.example.org")
    assert not hosts.admit("x.ui.example.org")


def test_port_80_needs_not_be_written() -> None:
    assert AllowedHosts.at(80).admit("127.0.0.1")


@pytest.mark.parametrize("name", ["", "http://ui.example.org", "ui example", "*", "-x"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not one"):
        AllowedHosts.at(3000, name)


@pytest.mark.parametrize(
    ("origin", "host"),
    [("http://127.0.0.1:3000", "127.0.0.1:3000"), ("https://ui.example.org", "ui.example.org"),
     ("https://ui.example.org", "ui.example.org:443"), ("http://ui.example.org:80", "ui.example.org"),
     ("https://UI.example.org:8443", "ui.example.org:8443")],
)  # fmt: skip
def test_a_page_of_the_same_host(origin: str, host: str) -> None:
    assert same_host(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [("null", "127.0.0.1:3000"), ("", "127.0.0.1:3000"), ("http://evil.example", "127.0.0.1:3000"),
     ("http://127.0.0.1:3001", "127.0.0.1:3000"), ("http://localhost:3000", "127.0.0.1:3000"),
     ("http://127.0.0.1", "127.0.0.1:3000"), ("http://x@127.0.0.1:3000", "127.0.0.1:3000"),
     ("http://127.0.0.1:3000/", "127.0.0.1:3000"), ("file://127.0.0.1:3000", "127.0.0.1:3000"),
     ("http://[", "127.0.0.1:3000"), ("https://ui.example.org:444", "ui.example.org")],
)  # fmt: skip
def test_a_page_of_another_host(origin: str, host: str) -> None:
    assert not same_host(origin, host)
