"""The registry over the embedded provider: a reader that was really tuned, compared, promoted and deleted."""

from __future__ import annotations

import pytest

from rag_assets.evaluation.question_table import sync_questions
from rag_assets.models.embedded.chat import MODEL
from rag_assets.releasing import ReleaseContent
from rag_assets.tuning.by_hand import delete_at_provider, promote_model, retire_model, roll_back_model
from rag_assets.tuning.registry import decide_model
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.models.embedded.tuning.material import finished, start
from rag_assets_tests.models.embedded.wire_client import connect
from rag_assets_tests.releasing.stages import refresh
from rag_assets_tests.tuning.arena import RULES, questions
from rag_assets_tests.tuning.champions import FACTS, tuned

QUESTION = "What is the colour of machine 3?"


@pytest.mark.slow
def test_a_tuned_reader_is_compared_promoted_and_deleted(small_project: SmallProject):
    small_project.configure(RULES, docs="")
    for uri, text in FACTS.items():
        small_project.write(f"docs/{uri}", text)
    base = refresh(small_project)
    with small_project.open() as project:
        sync_questions(project.store.golden_questions(), questions())
        state_dir = project.settings.models.state_dir
        assert state_dir is not None
        with connect(state_dir=state_dir) as client:
            job = finished(state_dir, start(client, hyperparameters={"n_epochs": 2}).id)
        assert job.fine_tuned_model is not None
        name = job.fine_tuned_model
        model = tuned(project.ledger, name, provider="embedded", base_model=MODEL, job_id=job.id)

        decided = decide_model(project, model, by="run 1")
        assert decided.comparison is not None
        primary = decided.comparison.details["primary"]
        assert primary["n"] == 8
        won = primary["p_better"] <= 0.05 and primary["lower_bound"] > 0 and primary["difference"] >= 0.01
        assert decided.decision.decision == ("promoted" if won else "rejected")
        assert project.release().chat_model == (name if won else MODEL)

        if not won:
            promote_model(project, name, force=True, reason="to see it serve", by="a person")
        assert project.ask(QUESTION).model == name
        assert project.content(project.snapshot(project.release().snapshot_id)).chat.model == name
        roll_back_model(project, reason="enough seen", by="a person")
        assert (project.release().release_id, project.ask(QUESTION).model) == (base, MODEL)

        released = next(one for one in project.ledger.releases() if one.chat_model == name)
        retire_model(project, name, reason="", by="a person", delete=delete_at_provider(project))
        project.ledger.mark_model_found(name)  # as if somebody else had deleted it
        with project.pipeline(ReleaseContent.of(released, project.ledger)) as pipeline:
            answer = pipeline.ask(QUESTION, answer_id="a1")
        assert (answer.model, answer.answerable) == (MODEL, True)
        missing = project.ledger.tuned_model(name)
        assert missing is not None and missing.missing_since is not None
