from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from rag_assets.errors import LedgerError, TuningError
from rag_assets.ledger import Ledger, TunedModel
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.tuning_tables import tuning_jobs
from rag_assets_tests.ledger.test_releases import snapshot

BASE = "gpt-4.1-mini"


def intent(ledger: Ledger, intent_id: str) -> str:
    """What a tuned model hangs on: an attempt, as the table keeps it."""
    with ledger.writing() as connection:
        connection.execute(
            insert(tuning_jobs).values(
                intent_id=intent_id,
                key=intent_id,
                attempt=1,
                state="succeeded",
                provider="openai",
                base_model=BASE,
                training_file="f" * 64,
                hyperparameters={},
                seed=0,
                suffix="",
                error="",
                details={},
                created_at=utc_now(),
            )
        )
    return intent_id


def model(ledger: Ledger, model_id: str = "ft:one", *, new_intent: bool = True, **changes: Any) -> TunedModel:
    intent_id = f"intent-{model_id}"[:32]
    if new_intent:
        intent(ledger, intent_id)
    values: dict[str, Any] = {
        "intent_id": intent_id,
        "provider": "openai",
        "base_model": BASE,
        "job_id": f"job-{model_id}",
        "training_file": "f" * 64,
        "examples": 12,
        "validation_examples": 3,
        "hyperparameters": {"n_epochs": 3},
        "metrics": {"valid_loss": 0.5},
        "trained_tokens": 900,
        "cost_usd": None,
    }
    return ledger.record_tuned_model(model_id, **(values | changes))


def serve(ledger: Ledger, chat_model: str, *, rollback: bool = False) -> str:
    if ledger.snapshot("s1") is None:
        snapshot(ledger)
    details = {"chat": {"provider": "openai", "model": chat_model}}
    release = ledger.create_release(None, "s1", {"answer": "Quote."}, chat_model, details=details)
    ledger.serve(release.release_id, "test", "a test", rollback=rollback)
    return release.release_id


def test_a_model_is_registered_once_and_what_was_learned_later_is_added(ledger: Ledger):
    first = model(ledger)
    again = model(ledger, new_intent=False, cost_usd=0.25, metrics={}, trained_tokens=None)
    assert again == ledger.tuned_model("ft:one")
    assert (again.cost_usd, again.metrics, again.trained_tokens) == (0.25, {"valid_loss": 0.5}, 900)
    assert again.created_at == first.created_at
    with pytest.raises(LedgerError, match="another base_model"):
        model(ledger, new_intent=False, base_model="another")
    with pytest.raises(LedgerError, match="job-ft:one is registered with another model than ft:two"):
        model(ledger, "ft:two", new_intent=False, intent_id="intent-ft:one", job_id="job-ft:one")
    assert [one.model_id for one in ledger.tuned_models()] == ["ft:one"]


@pytest.mark.parametrize("name", ["", "None", " null ", None])
def test_a_job_without_a_model_registers_none(ledger: Ledger, name: Any):
    with pytest.raises(TuningError, match="is no model"):
        model(ledger, name, new_intent=False, intent_id=intent(ledger, "i"))
    assert ledger.tuned_models() == []


def test_a_status_follows_what_serves(ledger: Ledger):
    for name in ("ft:one", "ft:two"):
        model(ledger, name)
    serve(ledger, BASE)
    assert ledger.model_statuses() == {"ft:one": "challenger", "ft:two": "challenger"}
    serve(ledger, "ft:one")
    assert ledger.model_statuses() == {"ft:one": "champion", "ft:two": "challenger"}
    serve(ledger, "ft:two")
    assert ledger.model_statuses() == {"ft:one": "retired", "ft:two": "champion"}
    serve(ledger, "ft:one", rollback=True)  # the release's rollback is the model's
    assert ledger.model_statuses() == {"ft:one": "champion", "ft:two": "retired"}
    ledger.mark_model_missing("ft:one")
    assert ledger.model_statuses()["ft:one"] == "retired"
    assert ledger.mark_model_found("ft:one") and not ledger.mark_model_found("ft:one")
    assert ledger.model_statuses()["ft:one"] == "champion"


def test_the_newest_decision_holds_and_a_repeated_one_is_not_added(ledger: Ledger):
    model(ledger)
    said: dict[str, Any] = {"reason": "it is worse", "against": BASE, "comparison_id": "c1"}
    ledger.record_decision("ft:one", "rejected", decided_by="run 1", **said)
    again = ledger.record_decision("ft:one", "rejected", decided_by="run 2", **said)
    assert again.decided_by == "run 1"
    assert ledger.model_statuses() == {"ft:one": "rejected"}
    ledger.record_decision("ft:one", "undecided", reason="few", decided_by="run 3", against=BASE, comparison_id="c2")
    assert [one.decision for one in ledger.decisions("ft:one")] == ["undecided", "rejected"]
    assert ledger.model_statuses() == {"ft:one": "challenger"}
    assert ledger.retire_model("ft:one") and not ledger.retire_model("ft:one")
    assert ledger.model_statuses() == {"ft:one": "retired"}
    assert ledger.unretire_model("ft:one")
    with pytest.raises(LedgerError):
        ledger.record_decision("ft:unknown", "rejected", reason="", decided_by="run 1")
    assert ledger.decisions() == ledger.decisions("ft:one")


def test_a_comparison_keeps_the_time_of_its_first_try_and_its_first_decision(ledger: Ledger):
    snapshot(ledger)
    said = {"champion": BASE, "challenger": "ft:one", "snapshot_id": "s1", "questions_version": "q"}
    first = ledger.start_comparison("c1", **said)
    assert (first.decision, first.finished_at) == (None, None)
    assert ledger.start_comparison("c1", **said) == first
    done = ledger.finish_comparison("c1", "challenger", {"difference": 0.125})
    assert ledger.finish_comparison("c1", "champion", {}) == done
    assert (done.decision, done.details, done.started_at) == ("challenger", {"difference": 0.125}, first.started_at)
    ledger.set_comparison_report("c1", "comparison-c1")
    assert [one.report for one in ledger.comparisons("ft:one")] == ["comparison-c1"]
    assert ledger.comparisons("ft:two") == []
