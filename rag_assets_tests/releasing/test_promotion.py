"""A person decides what serves: with the gates, or against them and on record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rag_assets.errors import GateError, NoReleaseError
from rag_assets.ledger import Verdict
from rag_assets.project import Project
from rag_assets.releasing import (
    COMPLETENESS,
    EMBEDDING_INTEGRITY,
    FORCED,
    QUALITY,
    Promotion,
    ReleaseContent,
    promote,
    roll_back,
)
from rag_assets.releasing import (
    candidate as newest_candidate,
)
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, found_texts, ingest, quality, refresh, release, serving


@pytest.fixture
def brewed(small_project: SmallProject, brew: Callable[[str], str]) -> tuple[SmallProject, str, str]:
    """A project, its serving release, and a candidate that the quality gate refused."""
    small_project.configure(wiki="")
    first = brew("eighty")
    small_project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at ninety degrees.\n")
    with small_project.open() as opened:
        ingest(opened)
        return small_project, first, candidate(opened, good=False).release_id


def promoted(project: Project, release_id: str, *, force: bool = False, reason: str = "a reason") -> Promotion:
    return promote(
        project.store,
        project.ledger,
        release_id,
        candidate=project.content(newest_candidate(project.ledger)),
        quality=quality,
        models=project.settings.models,
        sources=project.source_names,
        force=force,
        reason=reason,
        by="a test",
    )


def record(project: Project, release_id: str) -> Verdict | None:
    return project.ledger.verdict(FORCED, release_id)


def test_a_refused_candidate_does_not_serve_without_force(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, refused = brewed
    with small.open() as project:
        with pytest.raises(GateError, match=r"did not pass every gate\. quality: 5 of 9 answers") as error:
            promoted(project, refused)
        assert f"releases promote {refused} --force" in error.value.fix
        assert project.ledger.release(refused) is None
        assert record(project, refused) is None
    assert serving(small) == first


def test_force_serves_it_and_is_on_record(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, refused = brewed
    with small.open() as project:
        result = promoted(project, refused, force=True, reason="the questions are outdated")
        assert (result.made, result.flipped, [one.gate for one in result.overruled]) == (True, True, [QUALITY])
        change = project.ledger.serving_history()[0]
        assert (change.release_id, change.previous_release_id) == (refused, first)
        assert (change.forced, change.reason, change.served_by) == (True, "the questions are outdated", "a test")
        noted = record(project, refused)
        assert noted is not None and not noted.passed
        assert noted.details["overruled"] == [{"gate": QUALITY, "reason": "5 of 9 answers"}]
        assert noted.details["reason"] == "the questions are outdated"
    assert found_texts(small, "green tea") == ["# Tea\n\nGreen tea is brewed at ninety degrees."]


def test_force_needs_a_reason(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, refused = brewed
    with small.open() as project, pytest.raises(GateError, match="needs a reason"):
        promoted(project, refused, force=True, reason=" \n")
    assert serving(small) == first


def test_a_release_that_the_gates_let_serve_needs_no_force_and_none_is_recorded(
    brewed: tuple[SmallProject, str, str], brew: Callable[[str], str]
) -> None:
    small, first, _ = brewed
    second = brew("seventy")
    with small.open() as project:
        back = roll_back(
            project.store, project.ledger, sources=project.source_names, to=None, by="a test", reason="wrong"
        )
        assert back.release_id == first
        result = promoted(project, second, force=True)
        assert (result.made, result.flipped, result.overruled) == (False, True, ())
        assert not project.ledger.serving_history()[0].forced
        assert record(project, second) is None
    assert serving(small) == second
    assert refresh(small) == second  # no longer taken for one that a person went back from
    with small.open() as project:
        again = promoted(project, second)
        assert (again.flipped, len(project.ledger.serving_history())) == (False, 4)


def test_a_forced_release_must_be_forced_again(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, refused = brewed
    with small.open() as project:
        promoted(project, refused, force=True)
        roll_back(project.store, project.ledger, sources=project.source_names, to=None, by="a test", reason="wrong")
        with pytest.raises(GateError, match="quality"):
            promoted(project, refused)
    assert serving(small) == first


def test_a_candidate_that_passed_needs_no_force(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, _ = brewed
    with small.open() as project:
        content = candidate(project, good=True)
        assert promoted(project, content.release_id).overruled == ()
    assert serving(small) == content.release_id != first


def test_an_older_candidate_is_known_by_its_evaluation(brewed: tuple[SmallProject, str, str]) -> None:
    small, _, refused = brewed
    with small.open() as project:
        content = project.content(newest_candidate(project.ledger))
        evaluated(project, content)
    small.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at ten degrees.\n")
    refresh(small)
    with small.open() as project:
        with pytest.raises(GateError, match="completeness: it was judged before another release began to serve"):
            promoted(project, refused)
        result = promoted(project, refused, force=True)
        assert {one.gate for one in result.overruled} == {COMPLETENESS, QUALITY}
    assert found_texts(small, "green tea") == ["# Tea\n\nGreen tea is brewed at ninety degrees."]


def evaluated(project: Project, content: ReleaseContent) -> None:
    project.ledger.record_evaluation(
        "e1",
        measured_id="m1",
        release_id=content.release_id,
        snapshot_id=content.snapshot.snapshot_id,
        questions_version="questions",
        questions=9,
        content=content.values,
        metrics={},
        details={},
    )


def test_damaged_vectors_never_serve(small_project: SmallProject, brew: Callable[[str], str]) -> None:
    small_project.configure(wiki="")
    first = brew("eighty")
    small_project.write("wiki/milk.md", "# Milk\n\nMilk is heated slowly.\n")
    with small_project.open() as project:
        ingest(project)
        index = project.index
        table = index.latest()
        assert table is not None
        table.update(where="uri = 'milk.md'", values={"vector": np.zeros(384, np.float32)})
        content = candidate(project)
        verdict = project.ledger.verdict(EMBEDDING_INTEGRITY, content.snapshot.snapshot_id)
        assert verdict is not None and not verdict.passed
        with pytest.raises(GateError, match=r"not sound: 1 of 2 vectors .* Force does not overrule this"):
            promoted(project, content.release_id, force=True)
        assert project.ledger.release(content.release_id) is None
    assert serving(small_project) == first


def test_vectors_of_another_model_never_serve(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, _ = brewed
    small.configure("models: {embedding: {precision: fp32}}", wiki="")
    with small.open() as project:
        mixed = project.content(newest_candidate(project.ledger))
        with pytest.raises(GateError, match=r"questions would be embedded in .*fp32.* Force does not overrule this"):
            promoted(project, mixed.release_id, force=True)
    assert serving(small) == first


def test_what_is_nowhere_or_no_longer_kept_cannot_be_promoted(brewed: tuple[SmallProject, str, str]) -> None:
    small, first, refused = brewed
    with small.open() as project:
        with pytest.raises(NoReleaseError, match=f"no candidate of this id. The candidate of now is {refused}"):
            promoted(project, "nothing", force=True)
        project.ledger.mark_unpinned([project.content(newest_candidate(project.ledger)).snapshot.snapshot_id])
        with pytest.raises(NoReleaseError, match="no longer kept"):
            promoted(project, refused, force=True)
    assert serving(small) == first


def test_a_revoked_document_does_not_come_back_by_promotion(
    small_project: SmallProject, brew: Callable[[str], str]
) -> None:
    small_project.configure(wiki="")
    small_project.write("wiki/milk.md", "# Milk\n\nMilk is heated slowly.\n")
    first = brew("eighty")
    (small_project.root / "wiki/milk.md").unlink()
    with small_project.open() as project:
        ingest(project)
        release(project, candidate(project))
        promoted(project, first)
    assert serving(small_project) == first
    assert not any("Milk" in text for text in found_texts(small_project, "milk heated"))


def test_a_candidate_that_passed_by_other_rules_is_not_promoted_by_that(
    small_project: SmallProject, brew: Callable[[str], str]
) -> None:
    small_project.configure(wiki="")
    first = brew("eighty")
    small_project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at ninety degrees.\n")
    with small_project.open() as project:
        ingest(project)
        content = candidate(project)
        with pytest.raises(GateError, match="judged by other questions or rules than those of now"):
            promote(
                project.store,
                project.ledger,
                content.release_id,
                candidate=content,
                quality=lambda content: f"release/{content.release_id}@questions/other rules",
                models=project.settings.models,
                sources=project.source_names,
                force=False,
                reason="",
                by="a test",
            )
    assert serving(small_project) == first
