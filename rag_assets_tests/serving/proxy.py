"""nginx with the shipped configuration, on loopback, as the user who runs the tests."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag_assets_tests.serving.door import Door, free_port

SHIPPED = Path(__file__).parents[2] / "deploy/nginx/rag-assets.conf"
NAME = "ui.example.org"
EDITOR, READER = ("ada", "a long password"), ("ben", "another password")
MAIN = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/rag-assets.conf;
}}
"""
needs_nginx = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")),
    reason="nginx or openssl is not installed (apt install nginx-light openssl)",
)


@dataclass(frozen=True)
class Proxy:
    """Both doors of a running nginx, without a login; `folder` has its files."""

    editors: Door
    readers: Door
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "fullchain.pem"


def logged_in(door: Door, login: tuple[str, str]) -> Door:
    """The door for someone who sends this user and password."""
    import base64

    token = base64.b64encode(":".join(login).encode()).decode()
    return Door(door.port, door.name, door.log, door.tls, {"authorization": f"Basic {token}"})


@contextmanager
def running_nginx(folder: Path, editors_port: int, readers_port: int) -> Iterator[Proxy]:
    """nginx before two servers on this machine. The shipped file is used as it is but for ports, paths and logins."""
    first, second = free_port(), free_port()
    _write_logins(folder)
    _write_certificate(folder)
    text = SHIPPED.read_text("utf-8")
    for shipped, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{first} ssl",
        "listen 8443 ssl": f"listen 127.0.0.1:{second} ssl",
        "server 127.0.0.1:3000;": f"server 127.0.0.1:{editors_port};",
        "server 127.0.0.1:3001;": f"server 127.0.0.1:{readers_port};",
        "/etc/ssl/rag-assets/": f"{folder}/",
        "/etc/nginx/": f"{folder}/",
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    (folder / "rag-assets.conf").write_text(text, "utf-8")
    user = "user root;" if os.geteuid() == 0 else ""  # or its workers could not read the folder of a test
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    program = shutil.which("nginx")
    assert program is not None
    with (folder / "stderr").open("w") as said:
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")], stderr=said
        )
    try:
        _await_port(process, first, folder)
        tls = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        tls.check_hostname = False  # requests go to 127.0.0.1 by any name
        yield Proxy(Door(first, NAME, tls=tls), Door(second, NAME, tls=tls), folder)
    finally:
        process.terminate()
        process.wait(30)


def _write_logins(folder: Path) -> None:
    for name, (user, password) in {"editors": EDITOR, "readers": READER}.items():
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
        ).stdout  # fmt: skip
        (folder / f"{name}.htpasswd").write_text(f"{user}:{hashed}")


def _write_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1",
         "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")],
        check=True, capture_output=True,
    )  # fmt: skip


def _await_port(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError((folder / "stderr").read_text() + (folder / "error.log").read_text())
