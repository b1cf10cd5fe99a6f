"""Output that cannot be written, and a `.env` that cannot be read, are one line each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag_assets_tests.cli.command import FORGOTTEN, configure, rag_assets

FULL = Path("/dev/full")
COMMANDS = [
    ["--help"],
    ["releases", "list"],
    ["releases", "list", "--json"],
    ["search", "x", "--json"],
    ["ask", "--json"],
]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, arguments: list[str], unbuffered: str) -> None:
    configure(tmp_path, "wiki")
    environment = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rag_assets.cli.main", *arguments],
            cwd=tmp_path,
            env=environment | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "error: Nothing more can be written: No space left on device. What was finished before is kept."
    )


@pytest.mark.parametrize("content", [b"NAME=caf\xe9\n", b"NAME=a\0b\n"], ids=["latin-1", "NUL"])
def test_an_env_file_that_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    configure(tmp_path, "wiki")
    (tmp_path / ".env").write_bytes(content)
    ran = rag_assets(tmp_path, "releases", "list")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == f"{tmp_path / '.env'} is not UTF-8 text. Save it as UTF-8."


def test_a_configuration_named_on_the_command_line_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_assets.cli.main import root
    from rag_assets.config_file import CONFIG_FILE_VARIABLE, load_settings

    file = configure(tmp_path, "wiki")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, "overwritten below, and put back by monkeypatch")
    monkeypatch.chdir(tmp_path)
    root(config=Path(file.name))
    monkeypatch.chdir(elsewhere)
    assert os.environ[CONFIG_FILE_VARIABLE] == str(file)
    assert load_settings().sources.keys() == {"wiki"}
