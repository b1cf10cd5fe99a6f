"""Serves the reports that runs write, read-only, below `/reports/`: what links in the metadata of assets lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX = "/reports/"
INDEX = "index.html"
# A report quotes documents. What a document smuggles into one can neither run nor call anyone.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


class Reports:
    """An ASGI application around another one: it answers what lies below `/reports/` from files in `folder`.

    `folder` may appear later. Nothing outside it is served, be it named by `..`, by an absolute path or by a link;
    a folder is not listed, and `/reports/` itself is the page of all reports.
    """

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self._files = StaticFiles(directory=folder, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file, or 404; every other path goes to the inner application."""
        if scope["type"] == "http" and scope["path"] == PREFIX.rstrip("/"):
            await RedirectResponse(scope.get("root_path", "") + PREFIX)(scope, receive, send)
            return
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        name = scope["path"].removeprefix(PREFIX) or INDEX
        if "\0" in name or not self._inside(name):
            missing = JSONResponse({"error": {"problem": "There is no such report.", "fix": ""}}, status_code=404)
            await missing(scope, receive, send)
            return
        await self._files({**scope, "path": "/" + name, "root_path": ""}, receive, _with_policy(send))

    def _inside(self, name: str) -> bool:
        """Whether `name` is a file in the folder, wherever links lead."""
        try:
            file = (self.folder / name.lstrip("/")).resolve()
            return file.is_relative_to(self.folder.resolve()) and file.is_file()
        except (OSError, RuntimeError):  # too long a name, or links in a circle
            return False


def _with_policy(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(b"content-security-policy", POLICY.encode()), (b"cache-control", b"no-cache")]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return sending
