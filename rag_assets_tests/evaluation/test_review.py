"""What a review leaves behind, and what a trial leaves alone."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from rag_assets.assets.release import release
from rag_assets.assets.snapshot import snapshot_of
from rag_assets.automation.runs import run_job
from rag_assets.definitions import defs
from rag_assets.evaluation.configured import configured_questions
from rag_assets.evaluation.question_table import stored_questions
from rag_assets.evaluation.questions import split_of
from rag_assets.evaluation.review import quality_subject, review
from rag_assets.evaluation.variation import vary
from rag_assets.project import Project
from rag_assets.releasing import QUALITY, ReleaseContent
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest, serving

pytestmark = pytest.mark.slow

TOPICS = ("amber", "basalt", "copper", "dolomite", "emerald", "flint", "garnet", "hematite", "iolite", "jade")


def question(topic: str) -> str:
    """A question of the split gate about `topic`."""
    return next(text for n in range(99) if split_of(text := f"Where is {topic} mined{'?' * n}") == "gate")


@pytest.fixture
def mine(small_project: SmallProject) -> SmallProject:
    small_project.configure("evaluation: {questions: [golden.jsonl]}", stones="")
    lines = []
    for number, topic in enumerate(TOPICS):
        small_project.write(
            f"stones/{topic}.md", f"# {topic.title()}\n\n{topic.title()} is mined in valley {number}.\n"
        )
        asked = {"id": topic, "question": question(topic), "expected_uris": [f"{topic}.md"], "answers": [str(number)]}
        lines.append(json.dumps(asked))
    small_project.write("golden.jsonl", "\n".join(lines))
    assert [run.error for run in ingest(small_project).runs] == [None, None]
    return small_project


def served_content(project: Project) -> ReleaseContent:
    return ReleaseContent.of(project.release(), project.ledger)


def test_a_trial_takes_the_place_of_no_figure_by_which_a_release_was_decided(mine: SmallProject) -> None:
    with mine.open() as project:
        content = served_content(project)
        decided = project.ledger.deciding_evaluations(content.release_id)
        report = project.settings.data_path / "reports" / decided[0].evaluation_id / "report.html"
        before = report.read_bytes()
        review(project, content, configured_questions(project)[:1])  # as with a file of questions of one's own
        review(project, content, configured_questions(project))
        assert project.ledger.deciding_evaluations(content.release_id) == decided
        assert len(project.ledger.evaluations(release_id=content.release_id)) == 2
        assert report.read_bytes() == before
        report.unlink()
        review(project, content, configured_questions(project))
        assert project.ledger.deciding_evaluations(content.release_id)[0].details["decides"]


def test_nothing_is_asked_or_written_again_for_what_serves(mine: SmallProject) -> None:
    with mine.open() as project:
        rows = project.ledger.evaluations()
        verdicts = project.ledger.verdicts(QUALITY)
    released = serving(mine)
    assert [run.error for run in ingest(mine).runs] == [None, None]
    assert serving(mine) == released
    with mine.open() as project:
        assert project.ledger.evaluations() == rows
        assert project.ledger.verdicts(QUALITY) == verdicts


def test_what_a_person_forced_is_not_turned_into_a_pass_by_serving(mine: SmallProject) -> None:
    with mine.open() as project:
        worse = vary(served_content(project), ["retrieval.mode=text"], project.settings)
        questions = stored_questions(project.store.golden_questions())
        subject = quality_subject(worse, questions, project.settings.evaluation)
        serves = project.release().release_id
        result = review(project, worse, questions, record_verdict=True)
        said = {**result.verdict.details, "reason": "it got worse", "evaluation": result.evaluation.evaluation_id}
        project.ledger.record_verdict(QUALITY, subject, False, {**said, "serving": serves})
        worse.create(project.ledger)
        project.ledger.serve(worse.release_id, "urgent", "a test", forced=True)
        again = review(project, worse, questions, record_verdict=True)
        assert not again.verdict.passed
        newest = project.ledger.verdict(QUALITY, subject)
        assert newest is not None and not newest.passed


def test_the_version_that_was_evaluated_is_released_whatever_was_written_since(mine: SmallProject) -> None:
    first = serving(mine)
    mine.write("stones/amber.md", "# Amber\n\nAmber is mined in valley 0, near the ferry.\n")
    ingest(mine, release=False)
    with mine.open() as project:
        evaluated = snapshot_of(project)
    assert run_job(mine.instance, defs.resolve_job_def("evaluate_index"), "evaluation").succeeded
    assert serving(mine) == first
    mine.write("stones/kunzite.md", "# Kunzite\n\nKunzite is mined behind the mill.\n")
    ingest(mine, release=False)  # commits to the index that was evaluated
    with mine.open() as project:
        assert project.index.version() > evaluated.version
    alone = dg.define_asset_job("alone", selection=dg.AssetSelection.assets("release"))
    code = dg.Definitions(assets=[release], jobs=[alone], resources={"project": ProjectResource()})
    assert code.resolve_job_def("alone").execute_in_process(instance=mine.instance).success
    with mine.open() as project:
        released = project.snapshot(project.release().snapshot_id)
        assert (released.snapshot_id, released.version) == (evaluated.snapshot_id, evaluated.version)
        found = {hit.uri for hit in project.search("Where is kunzite mined, near the ferry?", k=20)[1]}
    assert serving(mine) != first
    assert "amber.md" in found and "kunzite.md" not in found
