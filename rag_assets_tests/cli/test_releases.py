"""`rag-assets releases`, `lineage` and `rate`, as a user runs them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from rag_assets.project import Project
from rag_assets.releasing import QUALITY, candidate
from rag_assets_tests.cli.command import configure, rag_assets

QUESTION = "At how many degrees is green tea brewed?"


def brew(folder: Path, degrees: str) -> str:
    """Releases tea brewed at so many degrees; returns the id of the release."""
    (folder / "wiki/tea.md").write_text(f"# Tea\n\nGreen tea is brewed at {degrees} degrees.\n", "utf-8")
    ran = rag_assets(folder, "ingest", "--json")
    assert ran.code == 0, ran.err
    return str(ran.json["release"])


@pytest.fixture(scope="module")
def brewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], Any]:
    """A project that was released three times, its releases, and an answer that the first one gave."""
    folder = tmp_path_factory.mktemp("brewed")
    configure(folder, "wiki")
    first = brew(folder, "seventy")
    answer = rag_assets(folder, "ask", QUESTION, "--json").json
    return folder, [first, brew(folder, "eighty"), brew(folder, "ninety")], answer


def rows(folder: Path) -> dict[str, Any]:
    return {row["release"]: row for row in rag_assets(folder, "releases", "list", "--json").json}


def test_an_answer_is_rated_with_the_release_that_gave_it(brewed: tuple[Path, list[str], Any]) -> None:
    folder, (first, *_), answer = brewed
    rated = rag_assets(folder, "rate", answer["answer_id"], "--bad", "--reason", "too cold", "--json").json
    assert (rated["rating"], rated["release_id"], rated["reason"]) == ("bad", first, "too cold")
    with Project.open(folder / "rag_assets.yaml") as project:
        (kept,) = project.ledger.ratings(release_id=first)
    assert (kept.answer_id, kept.rating) == (answer["answer_id"], "bad")
    for flags in ([], ["--good", "--bad"]):
        refused = rag_assets(folder, "rate", answer["answer_id"], *flags)
        assert (refused.code, "exactly one of --good and --bad" in refused.err) == (2, True)
    unknown = rag_assets(folder, "rate", "nothing", "--good")
    assert (unknown.code, unknown.error.split(".")[0]) == (1, "There is no answer 'nothing'")


@pytest.mark.slow
def test_lineage_walks_from_the_answer_to_the_file_and_back(brewed: tuple[Path, list[str], Any]) -> None:
    folder, (first, _, third), answer = brewed
    chain = rag_assets(folder, "lineage", answer["answer_id"], "--json").json
    assert (chain["kind"], chain["release"]["release_id"]) == ("answer", first)
    version = chain["citations"][0]["chunk"]["version"]
    former = b"# Tea\n\nGreen tea is brewed at seventy degrees.\n"
    assert version["content_hash"] == hashlib.sha256(former).hexdigest()
    assert version["file"]["state"] == "changed"
    back = rag_assets(folder, "lineage", "wiki/tea.md", "--json").json
    assert (back["kind"], back["serving_release"], back["file"]["state"]) == ("document", third, "unchanged")
    assert answer["answer_id"] in [one["answer_id"] for one in back["answers"]]
    chunk = rag_assets(folder, "lineage", back["chunks"][0]["chunk_id"], "--json").json
    assert (chunk["kind"], chunk["release"]["release_id"]) == ("chunk", third)
    for of in (answer["answer_id"], "wiki/tea.md", chunk["chunk_id"]):
        said = rag_assets(folder, "lineage", of).out
        assert "wiki/tea.md" in said and "None" not in said
        assert version["content_hash"] in said or of == chunk["chunk_id"]
    nothing = rag_assets(folder, "lineage", "nothing.md")
    assert nothing.code == 1
    assert "There is no answer, chunk, training file, tuned model or document 'nothing.md'" in nothing.error


@pytest.mark.slow
def test_diff_names_what_changed(brewed: tuple[Path, list[str], Any]) -> None:
    folder, (first, _, third), _ = brewed
    found = rag_assets(folder, "releases", "diff", first, "--json").json
    assert (found["before"], found["after"]) == (first, third)
    assert [(one["kind"], one["uri"]) for one in found["documents"]] == [("changed", "tea.md")]
    assert found["settings"] == [] == found["prompts"]
    assert "changed: wiki/tea.md (the file changed)" in rag_assets(folder, "releases", "diff", first).out
    alone = rag_assets(folder, "releases", "diff", third)
    assert (alone.code, alone.out.splitlines()) == (
        0,
        [f"{third} is both sides: there is nothing to compare it with. Name another: rag-assets releases list"],
    )
    assert rag_assets(folder, "releases", "diff", "nothing").error.startswith("There is no release 'nothing'")


def test_show_says_how_it_did_and_when_it_served(brewed: tuple[Path, list[str], Any]) -> None:
    folder, (first, second, third), _ = brewed
    shown = rag_assets(folder, "releases", "show", second, "--json").json
    assert shown.keys() > {"metrics", "gates", "served", "kept", "evaluation"}
    assert {gate: verdict["passed"] for gate, verdict in shown["gates"].items()} == {
        "embedding_integrity": True,
        "completeness": True,
        "quality": True,
    }
    assert [(one["instead_of"], one["rollback"], one["forced"]) for one in shown["served"]] == [(first, False, False)]
    assert (shown["kept"], shown["serving"], rows(folder)[third]["serving"]) == (True, False, True)


@pytest.mark.slow
def test_promote_rollback_and_prune(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    first, second, third = (brew(tmp_path, degrees) for degrees in ("sixty", "seventy", "eighty"))
    assert rag_assets(tmp_path, "releases", "rollback", "--reason", "wrong").code == 0
    assert rows(tmp_path)[second]["serving"]
    promoted = rag_assets(tmp_path, "releases", "promote", third, "--json").json
    assert (promoted["serving"], promoted["flipped"], promoted["forced"]) == (True, True, False)

    again = rag_assets(tmp_path, "releases", "prune", "--keep", "1", "--keep-days", "0", "--dry-run", "--json").json
    assert (again["dry_run"], again["pruned"]) == (True, [first])
    assert rows(tmp_path)[first]["kept"]
    pruned = rag_assets(tmp_path, "releases", "prune", "--keep", "1", "--keep-days", "0")
    assert "1 releases pruned, 2 kept" in pruned.out
    assert not rows(tmp_path)[first]["kept"]
    assert f"  {first}" in rag_assets(tmp_path, "releases", "list").out
    assert "(pruned)" in rag_assets(tmp_path, "releases", "list").out
    for command in (["rollback", "--to", first], ["promote", first]):
        refused = rag_assets(tmp_path, "releases", *command)
        assert (refused.code, "no longer kept" in refused.error) == (1, True)
    assert rag_assets(tmp_path, "ask", QUESTION, "--json").json["release"] == third


@pytest.mark.slow
def test_force_is_asked_for_its_reason_and_recorded(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    first = brew(tmp_path, "sixty")
    (tmp_path / "wiki/tea.md").write_text("# Tea\n\nGreen tea is brewed at ninety degrees.\n", "utf-8")
    assert rag_assets(tmp_path, "ingest", "--no-release").code == 0
    with Project.open(tmp_path / "rag_assets.yaml") as project:
        from rag_assets.assets.snapshot import snapshot_of
        from rag_assets.evaluation.review import quality_subject

        snapshot_of(project)
        content = project.content(candidate(project.ledger))
        subject = quality_subject(content, [], project.settings.evaluation)
        project.ledger.record_verdict(QUALITY, subject, False, {"reason": "it got worse", "serving": first})
    refused = rag_assets(tmp_path, "releases", "promote", content.release_id)
    assert (refused.code, "quality: it got worse" in refused.error) == (1, True)
    assert "needs a reason" in rag_assets(tmp_path, "releases", "promote", content.release_id, "--force").error
    assert rows(tmp_path).keys() == {first}
    forced = rag_assets(
        tmp_path, "releases", "promote", content.release_id, "--force", "--reason", "urgent", "--json"
    ).json
    assert (forced["forced"], forced["overruled"]) == (True, {"quality": "it got worse"})
    shown = rag_assets(tmp_path, "releases", "show", "--json").json
    assert (shown["served"][0]["forced"], shown["served"][0]["reason"]) == (True, "urgent")
    assert shown["served"][0]["by"].startswith("command line")
    assert "(forced)" in rag_assets(tmp_path, "releases", "list").out
