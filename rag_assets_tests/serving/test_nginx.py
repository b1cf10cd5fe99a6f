"""The shipped nginx configuration: first before a server that would do anything, then before the real ones."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rag_assets_tests.browser import browser_page, needs_chromium
from rag_assets_tests.cli.command import configure
from rag_assets_tests.serving.door import SET_LIMIT, Door, running_door
from rag_assets_tests.serving.proxy import EDITOR, NAME, READER, Proxy, logged_in, needs_nginx, running_nginx
from rag_assets_tests.serving.test_guard import Obedient, obeying

pytestmark = needs_nginx
EVIL = "https://evil.example"
LINEAGE = "/locations/rag_assets/asset-groups/ingestion/lineage"
HOW_TO = Path(__file__).parents[2] / "docs/how-to/run-behind-a-proxy.md"


@pytest.fixture(scope="module")
def inner() -> Obedient:
    return Obedient()


@pytest.fixture(scope="module")
def proxy(inner: Obedient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx before a server that does whatever it is asked: what is refused here, nginx refused by itself."""
    with obeying(inner) as port, running_nginx(tmp_path_factory.mktemp("nginx"), port, port) as proxy:
        yield proxy


@pytest.fixture(params=["editors", "readers"])
def door(request: pytest.FixtureRequest, proxy: Proxy, inner: Obedient) -> Door:
    inner.reached.clear()
    return (
        logged_in(proxy.editors, EDITOR) if request.param == "editors" else logged_in(proxy.readers, READER)
    )  # fmt: skip


def test_what_the_ui_sends_passes(door: Door, inner: Obedient) -> None:
    own = {"origin": door.url, "sec_fetch_site": "same-origin", "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}
    assert door.send("GET", "/", accept="text/html").status == 200
    assert door.send("GET", "/graphql", accept="text/html").status == 200
    assert door.graphql("{ version }", **own).status == 200
    assert door.graphql("{ version }", content_type="application/json; charset=utf-8").status == 200
    assert door.handshake(door.url) == 101
    assert len(inner.reached) == 5


def test_the_password_goes_no_further(door: Door, inner: Obedient) -> None:
    door.send("GET", "/")
    assert "authorization" not in inner.headers
    assert inner.headers["host"] == door.host


@pytest.mark.parametrize("login", [None, ("ada", "guessed"), ("nobody", "x")])
def test_without_the_right_login(proxy: Proxy, inner: Obedient, login: tuple[str, str] | None) -> None:
    inner.reached.clear()
    for plain in (proxy.editors, proxy.readers):
        door = logged_in(plain, login) if login else plain
        assert door.send("GET", "/").status == 401
        assert door.send("GET", "/reports/a.html").status == 401
        assert door.graphql("{ version }").status == 401
        assert door.handshake() == 401
    assert inner.reached == []


def test_each_door_has_its_own_logins(proxy: Proxy) -> None:
    assert logged_in(proxy.editors, READER).send("GET", "/").status == 401
    assert logged_in(proxy.readers, EDITOR).send("GET", "/").status == 401


@pytest.mark.parametrize("path", ["/graphql", "/%67raphql", "//graphql", "/x/../graphql"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_graphql_in_an_address(door: Door, inner: Obedient, method: str, path: str) -> None:
    assert door.send(method, f"{path}?query=mutation%7Bx%7D", accept="text/html").status == 405
    assert inner.reached == []


@pytest.mark.parametrize("origin", [EVIL, "null", "https://ui.example.org", "https://ui.example.org.evil.example"])
def test_a_foreign_origin(door: Door, inner: Obedient, origin: str) -> None:
    """The third is the right name without the port of this door."""
    assert door.graphql("mutation { x }", origin=origin).status == 403
    assert door.handshake(origin) == 403
    assert inner.reached == []


def test_another_page_may_link_here_and_not_load_from_here(door: Door, inner: Obedient) -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert door.send("GET", "/runs/1", **link).status == 200
    for foreign in ({**link, "sec_fetch_dest": "iframe"}, {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}):
        assert door.send("GET", "/runs/1", **foreign).status == 403
    assert inner.reached == ["GET /runs/1"]


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1", "ui.example.org.evil.example"])
def test_a_foreign_host(door: Door, inner: Obedient, name: str) -> None:
    foreign = Door(door.port, name, tls=door.tls, headers=door.headers)
    assert foreign.graphql("mutation { x }", origin=foreign.url).status == 421
    assert inner.reached == []


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", "", "x/jsonx"]
)
def test_a_post_in_a_form_that_needs_no_permission(door: Door, inner: Obedient, content_type: str) -> None:
    assert door.graphql("mutation { x }", content_type=content_type).status == 405
    refused = door.send("POST", "/report_asset_check/a", "{}", content_type=content_type)
    assert refused.status in (403, 405)
    assert inner.reached == []


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE"])
def test_methods_that_nothing_here_uses(door: Door, inner: Obedient, method: str) -> None:
    assert door.send(method, "/graphql", b"{}", content_type="application/json").status == 405
    assert door.send("POST", "/runs", "{}", content_type="application/json").status == 405
    assert inner.reached == []


def test_a_body_that_is_too_large(door: Door, inner: Obedient) -> None:
    assert door.send("POST", "/graphql", b"x" * 4_200_000, content_type="application/json").status == 413
    assert inner.reached == []


def test_only_editors_report_on_assets(proxy: Proxy, inner: Obedient) -> None:
    inner.reached.clear()
    path = "/report_asset_materialization/a"
    reader, editor = logged_in(proxy.readers, READER), logged_in(proxy.editors, EDITOR)
    assert reader.send("POST", path, "{}", content_type="application/json").status == 403
    assert inner.reached == []
    assert editor.send("POST", path, "{}", content_type="application/json").status == 200
    assert inner.reached == [f"POST {path} {{}}"]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx before the two servers that the how-to starts, on one DAGSTER_HOME."""
    folder = tmp_path_factory.mktemp("servers")
    configure(folder, "wiki")
    with ExitStack() as stack:
        first = stack.enter_context(running_door(folder, "--allow-host", NAME))
        second = stack.enter_context(running_door(folder, "--allow-host", NAME, "--read-only"))
        yield stack.enter_context(running_nginx(tmp_path_factory.mktemp("nginx"), first.port, second.port))


def test_a_mutation_by_each_door(doors: Proxy) -> None:
    editor, reader = logged_in(doors.editors, EDITOR), logged_in(doors.readers, READER)
    assert reader.graphql(SET_LIMIT.replace("KEY", "second"), origin=reader.url).status == 403
    assert "second" not in reader.pools()
    assert editor.graphql(SET_LIMIT.replace("KEY", "first"), origin=editor.url).status == 200
    assert "first" in reader.pools() & editor.pools()
    assert reader.handshake(reader.url) == editor.handshake(editor.url) == 101


@needs_chromium
@pytest.mark.parametrize("door", ["editors", "readers"])
def test_the_ui_in_a_browser(doors: Proxy, door: str) -> None:
    plain, login = (doors.editors, EDITOR) if door == "editors" else (doors.readers, READER)
    with browser_page(login=login, here=NAME) as page:
        page.open(plain.url + LINEAGE)
        page.wait_for("raw_documents", "chunks", "embeddings", "vector_index")
        page.settle(2)
        assert [refusal for refusal in page.refused if not refusal.startswith("401")] == []
        assert page.websockets[-1] == 101
        assert page.frames_received > 0


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_commands_of_the_how_to(doors: Proxy, tmp_path: Path) -> None:
    """Logins made as it says; and every line that shows a status, as it stands but for ports and passwords."""
    made = [line.strip() for line in HOW_TO.read_text("utf-8").splitlines() if "openssl passwd" in line]
    assert len(made) == 2
    for line, password in zip(made, (EDITOR[1], READER[1]), strict=True):
        here = line.replace("/etc/nginx", str(tmp_path))
        subprocess.run(["bash", "-c", here], input=password + "\n", text=True, check=True)
    for name in ("editors", "readers"):
        written, used = (tmp_path / f"{name}.htpasswd").read_text(), doors.folder / f"{name}.htpasswd"
        assert written.split(":")[1].startswith("$6$")
        used.write_text(written)  # nginx reads it anew with every request

    lines = [line.strip() for line in HOW_TO.read_text("utf-8").splitlines() if line.strip().startswith("status ")]
    assert len(lines) >= 8
    shown = {}
    for line in lines:
        command, _, status = line.rpartition("#")
        shown[command.strip()] = (status.strip(), _status(command, doors))
    assert {command: seen for command, (_, seen) in shown.items()} == {
        command: said for command, (said, _) in shown.items()
    }


def _status(command: str, doors: Proxy) -> str:
    for said, used in (
        (f"{NAME}:8443", f"{NAME}:{doors.readers.port}"),
        (f"{NAME}/", f"{NAME}:{doors.editors.port}/"),
        *((f"-u {user} ", f'-u "{user}:{password}" ') for user, password in (EDITOR, READER)),
    ):
        command = command.replace(said, used)
    names = " ".join(f"--resolve {NAME}:{door.port}:127.0.0.1" for door in (doors.editors, doors.readers))
    options = f'-s -o /dev/null -w "%{{http_code}}" --noproxy "*" --cacert {doors.certificate} {names}'
    done = subprocess.run(
        ["bash", "-c", command.replace("status", f"curl {options}", 1)], capture_output=True, text=True, check=True
    )  # fmt: skip
    return done.stdout


def test_the_configuration_names_what_the_how_to_starts() -> None:
    text = HOW_TO.read_text("utf-8")
    assert f"rag-assets dev --port 3000 --allow-host {NAME}\n" in text
    assert f"rag-assets dev --port 3001 --allow-host {NAME} --read-only\n" in text
