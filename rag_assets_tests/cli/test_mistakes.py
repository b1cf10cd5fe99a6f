"""What a user gets wrong is answered with one clear line and an exit code, and with JSON when JSON was asked for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rag_assets_tests.cli.command import configure, rag_assets
from rag_assets_tests.integration.gateway import KEY_VARIABLE, gateway_settings
from rag_assets_tests.openai_server import API_KEY, UNAUTHORIZED, OpenAIServer, openai_server

__all__ = ["openai_server"]

TEA = "# Tea\n\nGreen tea is brewed at eighty degrees for two minutes.\n"
GARBAGE_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8


BAD_CONFIGURATIONS = {
    "misspelt key": (
        "chunking:\n  max_token: 100\n",
        ("the key 'chunking.max_token' is not known", "Did you mean 'max_tokens'?"),
    ),
    "wrong type": ("chunking:\n  max_tokens: many\n", ("'chunking.max_tokens' is wrong", "(found 'many')")),
    "no YAML": ("sources:\n  wiki: {path: x\n", ("line ", "is not valid YAML")),
    "source name": ("sources:\n  My Wiki: {path: x}\n", ("'My Wiki' is not a source name", "lower-case")),
    "unknown provider": (
        "models:\n  chat: {provider: nobody}\n",
        ("provider 'nobody' is not declared", "known providers: embedded"),
    ),
    "a list": ("- a\n- b\n", ("must hold keys and values",)),
}


@pytest.mark.parametrize(("text", "said"), BAD_CONFIGURATIONS.values(), ids=BAD_CONFIGURATIONS.keys())
def test_a_bad_configuration_names_the_file_and_the_key(tmp_path: Path, text: str, said: tuple[str, ...]) -> None:
    file = tmp_path / "rag_assets.yaml"
    file.write_text(text, "utf-8")
    ran = rag_assets(tmp_path, "ingest", "--json")
    assert ran.code == 1
    assert str(file) in ran.error
    for words in said:
        assert words in ran.error
    error = ran.json["error"]
    assert error["type"] == "ConfigurationError"
    assert f"{error['problem']} {error['fix']}".strip() == ran.error


def test_a_configuration_that_is_not_there_or_has_no_source(tmp_path: Path) -> None:
    ran = rag_assets(tmp_path, "--config", "nowhere.yaml", "sources", "list")
    assert (ran.code, ran.out) == (1, "")
    assert "nowhere.yaml does not exist" in ran.error
    ran = rag_assets(tmp_path, "ingest")
    assert ran.code == 1
    assert ran.error.startswith("No source is configured. Run: rag-assets sources add")
    ran = rag_assets(tmp_path, "doctor", DAGSTER_HOME="relative/home")
    assert ran.code == 1
    assert "DAGSTER_HOME" in ran.out
    assert "absolute path" in ran.out


def test_doctor_names_a_prompt_template_that_cannot_be_used(tmp_path: Path) -> None:
    configure(tmp_path, settings="prompts_dir: prompts")
    template = tmp_path / "prompts/refusal.md"
    template.parent.mkdir()
    template.write_bytes("Désolé".encode("latin-1"))
    ran = rag_assets(tmp_path, "doctor", "--json")
    assert ran.code == 1
    [found] = [finding for finding in ran.json if finding["name"] == "prompts"]
    assert not found["ok"]
    assert found["detail"] == f"The prompt template {template} is not UTF-8 text."
    assert found["fix"] == "Save it as UTF-8."


def test_a_server_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        url = f"ftp://127.0.0.1:{closed.getsockname()[1]}/docs"
        (tmp_path / "rag_assets.yaml").write_text(f"sources:\n  far:\n    path: {url}\n", "utf-8")
        validated = rag_assets(tmp_path, "sources", "validate", "--json")
        ingested = rag_assets(tmp_path, "ingest", "--json")
    assert validated.code == 1
    assert validated.json[0]["error"].startswith(f"{url} cannot be reached: Connection refused.")
    assert ingested.code != 0
    assert f"{url} cannot be reached: Connection refused." in ingested.out + ingested.err


def test_wrong_usage_is_told_as_json_too(tmp_path: Path) -> None:
    for arguments, said in (
        (["ask"], "Missing argument 'question'."),
        (["teach", "me"], "No such command 'teach'."),
        (["search", "x", "-k", "0"], "Invalid value for '-k'"),
    ):
        ran = rag_assets(tmp_path, *arguments, "--json")
        assert ran.code == 2
        assert said in ran.err
        assert ran.json["error"]["type"] == "UsageError"
        assert said in ran.json["error"]["problem"]


def test_before_anything_is_released(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    for arguments in (["ask", "Who?"], ["search", "x"], ["releases", "show"], ["releases", "rollback"]):
        ran = rag_assets(tmp_path, *arguments, "--json")
        assert ran.code == 1
        assert ran.error == "Nothing is released yet. Run: rag-assets ingest --all"
        assert ran.json["error"]["type"] == "NoReleaseError"
    ran = rag_assets(tmp_path, "releases", "list", "--json")
    assert (ran.code, ran.json, ran.err) == (0, [], "")


def test_names_that_do_not_exist(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    for arguments, said in (
        (["ingest", "--source", "wikki"], "There is no source named 'wikki'; configured sources: wiki."),
        (["ask", "x", "--source", "wikki"], "There is no source named 'wikki'; configured sources: wiki."),
        (["sources", "remove", "wikki"], "has no source named 'wikki'; it has: wiki."),
        (["sources", "add", "wiki", "--path", "x"], "has a source named 'wiki' already."),
        (["releases", "show", "abc"], "There is no release 'abc'. List them with: rag-assets releases list"),
        (["ingest", "--source", "wiki", "--all"], "--source and --all were both given."),
    ):
        ran = rag_assets(tmp_path, *arguments, "--json")
        assert ran.code == 1
        assert said in ran.error
        assert ran.json["error"]["problem"] in ran.error


def test_nothing_is_reset_without_yes(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    rag_assets(tmp_path, "releases", "list")
    ran = rag_assets(tmp_path, "reset")
    assert ran.code == 1
    assert f"This would delete: {tmp_path / '.rag_assets' / 'ledger.sqlite'}" in ran.error
    assert (tmp_path / ".rag_assets/ledger.sqlite").is_file()


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = rag_assets(tmp_path, "dev", "--port", str(port))
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"Port {port} on 127.0.0.1 is in use.")
    assert "rag-assets dev --port" in ran.error


@pytest.mark.slow
def test_a_document_and_a_source_in_trouble_do_not_stop_the_others(tmp_path: Path) -> None:
    configure(tmp_path, "gone", "wiki")
    (tmp_path / "gone").rmdir()
    (tmp_path / "wiki/tea.md").write_text(TEA, "utf-8")
    (tmp_path / "wiki/broken.pdf").write_bytes(GARBAGE_PDF)
    ran = rag_assets(tmp_path, "ingest", "--json")
    assert ran.code == 3
    summary = ran.json
    assert summary["release"]
    assert summary["sources"]["wiki"]["documents"] == {
        "added": 1, "changed": 0, "removed": 0, "unchanged": 0, "failed": 1,
    }  # fmt: skip
    assert not summary["sources"]["gone"]["succeeded"]
    about_source, about_document = ran.err.splitlines()
    assert about_source.startswith("error: gone: ")
    assert "gone does not exist" in about_source
    assert about_document.startswith("failed: wiki: ")
    assert "broken.pdf" in about_document
    found = rag_assets(tmp_path, "search", "green tea", "--json").json
    assert [(hit["uri"], found["release"]) for hit in found["results"]] == [("tea.md", summary["release"])]
    ran = rag_assets(tmp_path, "sources", "validate", "--json")
    assert ran.code == 1
    assert [(row["source"], row["ok"]) for row in ran.json] == [("gone", False), ("wiki", True)]
    (tmp_path / "wiki/broken.pdf").rename(tmp_path / "wiki/broken\x1b[31m\n.pdf")
    ran = rag_assets(tmp_path, "ingest", "--source", "wiki")
    assert ran.code == 3
    assert ran.err.startswith("failed: wiki: broken\\x1b[31m .pdf is not")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.slow
def test_a_provider_that_refuses_the_key_or_gets_none(tmp_path: Path, openai_server: OpenAIServer) -> None:
    configure(tmp_path, "wiki", settings=gateway_settings(openai_server))
    (tmp_path / "wiki/tea.md").write_text(TEA, "utf-8")
    ran = rag_assets(tmp_path, "ingest", "--no-release", "--json")
    assert ran.code == 1
    assert ran.error.startswith("wiki: Provider 'gateway' takes its key from the environment variable GATEWAY_KEY")
    assert openai_server.requests == []
    openai_server.script(*[UNAUTHORIZED] * 5)
    ran = rag_assets(tmp_path, "ingest", "--no-release", "--json", **{KEY_VARIABLE: API_KEY})
    assert ran.code == 1
    assert ran.error.endswith("status 401, the key was refused. Check the key of provider 'gateway'.")
    assert ran.json["sources"]["wiki"]["documents"]["unchanged"] == 1
    assert ran.json["release"] is None
    assert len(openai_server.requests) == 1
    kept = [path for path in (tmp_path / ".rag_assets").rglob("*") if path.is_file()]
    assert API_KEY not in ran.out + ran.err
    assert not any(API_KEY.encode() in path.read_bytes() for path in kept)
