"""Drives a headless Chromium over its DevTools protocol: open a page, wait for what it shows, take a picture.

Chromium is not a dependency; a test that needs it skips where `chromium()` finds none.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--hide-scrollbars",
    "--ignore-certificate-errors", "--remote-debugging-port=0",
)  # fmt: skip
START_SECONDS = 60
SHOW_SECONDS = 60
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


def chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


needs_chromium = pytest.mark.skipif(chromium() is None, reason="no Chromium is installed (apt install chromium)")


@dataclass
class Page:
    """One tab. `refused` holds the answers with status 400 and above, `websockets` the statuses of handshakes."""

    connection: ClientConnection
    login: tuple[str, str] | None = None
    refused: list[str] = field(default_factory=list)
    websockets: list[int] = field(default_factory=list)
    frames_received: int = 0
    _number: int = 0

    def open(self, url: str) -> None:
        """Goes to `url`; does not wait until it shows something."""
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        if self.login:
            self.call("Fetch.enable", handleAuthRequests=True)
        self.call("Page.navigate", url=url)

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a command of the DevTools protocol."""
        number = self._send(method, parameters)
        while True:
            message = self._receive(SHOW_SECONDS)
            if message is None:
                raise AssertionError(f"{method} had no answer")
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self) -> str:
        """What a reader sees."""
        return str(self.run("document.body ? document.body.innerText : ''") or "")

    def wait_for(self, *texts: str, seconds: float = SHOW_SECONDS) -> str:
        """Until the page shows all of `texts`; returns what it shows then."""
        deadline = time.monotonic() + seconds
        while True:
            shown = self.text()
            missing = [text for text in texts if text not in shown]
            if not missing:
                return shown
            assert time.monotonic() < deadline, f"{missing} not on the page; refused: {self.refused}; shown:\n{shown}"
            self.settle(0.25)

    def settle(self, seconds: float) -> None:
        """Lets the page work for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._receive(left)

    def click(self, text: str) -> bool:
        """Clicks the innermost visible element with this very text; False where there is none."""
        found = f"""[...document.querySelectorAll('a,button,[role=button],[role=tab],div,span')]
            .filter(e => e.innerText && e.innerText.trim() === {json.dumps(text)}).pop()"""
        return bool(self.run(f"(() => {{ const e = {found}; if (e) e.click(); return !!e }})()"))

    def picture(self, file: Path) -> None:
        """What the window shows, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(answer["data"]))

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._number += 1
        self.connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        return self._number

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message, after what it asks for is done; None when none came."""
        try:
            message: dict[str, Any] = json.loads(self.connection.recv(timeout=seconds))
        except TimeoutError:
            return None
        self._react(message.get("method", ""), message.get("params", {}))
        return message

    def _react(self, event: str, parameters: dict[str, Any]) -> None:
        if event == "Fetch.requestPaused":
            self._send("Fetch.continueRequest", {"requestId": parameters["requestId"]})
        elif event == "Fetch.authRequired" and self.login:
            user, password = self.login
            answer = {"response": "ProvideCredentials", "username": user, "password": password}
            self._send(
                "Fetch.continueWithAuth", {"requestId": parameters["requestId"], "authChallengeResponse": answer}
            )
        elif event == "Network.responseReceived" and (status := parameters["response"]["status"]) >= 400:
            self.refused.append(f"{status} {parameters['response']['url']}")
        elif event == "Network.webSocketHandshakeResponseReceived":
            self.websockets.append(parameters["response"]["status"])
        elif event == "Network.webSocketFrameReceived":
            self.frames_received += 1


@contextmanager
def browser_page(
    *, login: tuple[str, str] | None = None, here: str = "", width: int = 1600, height: int = 1000
) -> Iterator[Page]:
    """A tab of a fresh browser without a history. `login` answers what asks for a user and a password; the name `here`
    leads to this machine.
    """
    program = chromium()
    assert program is not None
    names = [f"--host-resolver-rules=MAP {here} 127.0.0.1"] if here else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, *names, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
        )  # fmt: skip
        try:
            # Without a proxy, whatever the environment says: the browser is on this machine.
            with connect(_address_of_tab(Path(profile)), max_size=MAX_MESSAGE_BYTES, proxy=None) as connection:
                yield Page(connection, login)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address_of_tab(profile: Path) -> str:
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if file.exists() and (lines := file.read_text().splitlines()):
            with opener.open(f"http://127.0.0.1:{lines[0]}/json/list", timeout=10) as answer:
                for tab in json.load(answer):
                    if tab["type"] == "page":
                        return str(tab["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("Chromium did not start")
