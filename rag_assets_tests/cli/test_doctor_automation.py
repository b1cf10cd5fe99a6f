"""`doctor` says what the automation has paused and what is off; `sources resume` ends a pause."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rag_assets.ledger import Watch
from rag_assets.project import Project
from rag_assets_tests.cli.command import configure, rag_assets

SINCE = datetime(2026, 6, 1, 6, 30, tzinfo=UTC)


@pytest.mark.slow
def test_a_paused_source_is_a_finding_until_it_is_resumed(tmp_path: Path) -> None:
    file = configure(tmp_path, "wiki", "news", settings="automation:\n  watch_files: false\n")
    error = "The provider refused the key."
    with Project.open(file) as project:
        project.ledger.record_watch(Watch("wiki", "digest", 3, 5, error, SINCE, SINCE, SINCE, SINCE))

    found = {finding["name"]: finding for finding in rag_assets(tmp_path, "doctor", "--json").json}
    assert found["automation"]["detail"] == "off in the configuration: watch_files"
    paused = found["watch of wiki"]
    assert not paused["ok"]
    assert paused["detail"] == f"wiki paused since 2026-06-01 06:30 UTC after 5 failures in a row: {error}"
    assert "rag-assets sources resume wiki" in paused["fix"]
    assert "watch of news" not in found
    rows = {row["source"]: row["paused"] for row in rag_assets(tmp_path, "sources", "list", "--json").json}
    assert rows == {"wiki": error, "news": None}

    assert rag_assets(tmp_path, "sources", "resume", "wiki", "--json").json["resumed"]
    assert not rag_assets(tmp_path, "sources", "resume", "wiki", "--json").json["resumed"]
    assert "watch of wiki" not in {finding["name"] for finding in rag_assets(tmp_path, "doctor", "--json").json}
    with Project.open(file) as project:
        assert project.ledger.watches()["wiki"].digest == "", "the next look launches it"


def test_a_held_source_is_to_be_confirmed_and_not_resumed(tmp_path: Path) -> None:
    file = configure(tmp_path, "wiki")
    with Project.open(file) as project:
        project.ledger.hold("wiki", "9 of 10 documents are gone", 9, 10, "digest")
        project.ledger.record_watch(Watch("wiki", "digest", 1, 1, "wiki is held.", SINCE, SINCE, SINCE, SINCE))
    found = {finding["name"]: finding for finding in rag_assets(tmp_path, "doctor", "--json").json}
    assert found["watch of wiki"]["fix"] == ""
    assert "--confirm-removals" in found["hold of wiki"]["fix"]


def test_a_newcomer_is_told_to_add_a_source_first(tmp_path: Path) -> None:
    told = {finding["name"]: finding["detail"] for finding in rag_assets(tmp_path, "doctor", "--json").json}
    assert told["sources"] == told["release"] == "none yet; next: rag-assets sources add NAME --path FOLDER"
    configure(tmp_path, "wiki")
    told = {finding["name"]: finding["detail"] for finding in rag_assets(tmp_path, "doctor", "--json").json}
    assert told["release"] == "none yet; next: rag-assets ingest --all"
    assert "sources" not in told
