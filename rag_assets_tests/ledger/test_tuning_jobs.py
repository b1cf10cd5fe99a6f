"""One open attempt for a wish, however many ask at once; nothing is collected twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from rag_assets.ledger import Ledger, TuningWish
from rag_assets.ledger import tuning_jobs as states
from rag_assets.ledger.columns import utc_now

WISH = TuningWish("k" * 64, "openai", "gpt-4o-mini", "f" * 64, seed=0, hyperparameters={"n_epochs": 3})


def test_starts_at_once_are_one_attempt(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as threads:
        begun = list(threads.map(lambda _: ledger.begin_tuning(WISH), range(4)))
        assert len({job.intent_id for job in begun}) == 1
        assert len(ledger.tuning_jobs()) == 1
        claims = list(threads.map(lambda _: ledger.claim_tuning_call(begun[0].intent_id, None), range(4)))
    first = [claim for claim in claims if claim is not None]
    assert first == [ledger.tuning_jobs()[0].called_at]
    second = ledger.claim_tuning_call(begun[0].intent_id, first[0])
    assert second is not None
    assert not ledger.forget_tuning_call(begun[0].intent_id, first[0])
    assert ledger.forget_tuning_call(begun[0].intent_id, second)


@pytest.mark.parametrize("state", states.UNSUCCESSFUL)
def test_a_new_attempt_only_after_one_that_ended_without_a_model(ledger: Ledger, state: str) -> None:
    first = ledger.begin_tuning(WISH)
    ledger.submit_tuning(first.intent_id, "ftjob-1", utc_now() + timedelta(hours=1))
    assert ledger.begin_tuning(WISH).intent_id == first.intent_id
    assert ledger.end_tuning(first.intent_id, state, error="why")
    assert not ledger.end_tuning(first.intent_id, states.SUCCEEDED, model_id="ft:x")
    second = ledger.begin_tuning(WISH)
    assert (second.attempt, second.state, second.job_id) == (2, states.INTENDED, None)


def test_what_succeeded_is_reused_until_its_model_is_gone(ledger: Ledger) -> None:
    job = ledger.begin_tuning(WISH)
    ledger.submit_tuning(job.intent_id, "ftjob-1", utc_now())
    assert ledger.end_tuning(job.intent_id, states.SUCCEEDED, model_id="ft:x", trained_tokens=10)
    assert ledger.begin_tuning(WISH).model_id == "ft:x"
    again = ledger.begin_tuning(WISH, gone=job.intent_id)
    assert again.attempt == 2
    assert ledger.end_tuning(again.intent_id, states.SUCCEEDED, model_id="ft:y")
    assert ledger.begin_tuning(WISH, gone=job.intent_id).model_id == "ft:y", "another process tuned it anew meanwhile"
    found = ledger.tuning_job("ftjob-1")
    assert found is not None and found.intent_id == job.intent_id


def test_success_without_a_model_cannot_be_written(ledger: Ledger) -> None:
    job = ledger.begin_tuning(WISH)
    with pytest.raises(ValueError, match="has a model"):
        ledger.end_tuning(job.intent_id, states.SUCCEEDED)


def test_the_end_is_taken_in_once(ledger: Ledger) -> None:
    job = ledger.begin_tuning(WISH)
    ledger.submit_tuning(job.intent_id, "ftjob-1", utc_now())
    assert ledger.tuning_to_collect() == []
    ledger.end_tuning(job.intent_id, states.SUCCEEDED, model_id="ft:x")
    assert [one.intent_id for one in ledger.tuning_to_collect()] == [job.intent_id]
    assert [ledger.collect_tuning(job.intent_id) for _ in range(2)] == [True, False]
    assert ledger.tuning_to_collect() == []


def test_files_and_details_are_kept_as_first_noted(ledger: Ledger) -> None:
    job = ledger.begin_tuning(WISH)
    assert ledger.name_tuning_files(job.intent_id, "file-1", "file-2").train_file_id == "file-1"
    assert ledger.name_tuning_files(job.intent_id, "file-3", None).validation_file_id == "file-2"
    ledger.note_tuning(job.intent_id, {"step": 1})
    assert ledger.note_tuning(job.intent_id, {"loss": 0.5}).details == {"step": 1, "loss": 0.5}
    assert ledger.reserve_tuning(job.intent_id, "r1") and not ledger.reserve_tuning(job.intent_id, "r2")
