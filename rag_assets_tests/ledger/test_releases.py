from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from typing import Any

import pytest

from rag_assets.errors import LedgerError, NoReleaseError
from rag_assets.ledger import Ledger, Release, Snapshot


def snapshot(ledger: Ledger, snapshot_id: str = "s1", **changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "generation": "g",
        "table_name": "vector_index_g",
        "version": 7,
        "space": "minilm-int8-384",
        "retrieval": {"mode": "hybrid", "weights": (0.6, 0.4)},
        "sources": {"handbook": "v1"},
        "tag": f"snapshot-{snapshot_id}",
    }
    return ledger.record_snapshot(snapshot_id, **(values | changes))


def release(ledger: Ledger, release_id: str | None, snapshot_id: str = "s1", **changes: Any) -> Release:
    if ledger.snapshot(snapshot_id) is None:
        snapshot(ledger, snapshot_id)
    values: dict[str, Any] = {"prompts": {"answer": "Quote the passages."}, "chat_model": "extractive-reader"}
    return ledger.create_release(release_id, snapshot_id, **(values | changes))


def test_a_snapshot_comes_back_as_it_was_recorded(ledger: Ledger):
    recorded = snapshot(ledger, details={"dimension": 384})
    assert recorded == ledger.snapshot("s1")
    assert recorded.retrieval == {"mode": "hybrid", "weights": [0.6, 0.4]}
    assert recorded.details == {"dimension": 384}
    assert recorded.created_at.utcoffset() == timedelta(0)
    assert ledger.snapshot("s2") is None


def test_recording_a_snapshot_again_changes_nothing(ledger: Ledger):
    assert snapshot(ledger) == snapshot(ledger)
    assert len(ledger.snapshots()) == 1


def test_a_snapshot_never_changes(ledger: Ledger):
    first = snapshot(ledger)
    with pytest.raises(LedgerError, match="another version"):
        snapshot(ledger, version=8)
    assert ledger.snapshot("s1") == first


def test_snapshots_come_newest_first(ledger: Ledger):
    for name in ("s1", "s2", "s3"):
        snapshot(ledger, name)
    assert [each.snapshot_id for each in ledger.snapshots(limit=2)] == ["s3", "s2"]


def test_a_release_comes_back_as_it_was_made(ledger: Ledger):
    made = release(ledger, "r1", retrieval={"k": 5}, answering={"passages": 4}, metrics={"chunks": 12})
    assert ledger.release("r1") == made
    assert (made.space, made.metrics, made.created_at.tzinfo) == ("minilm-int8-384", {"chunks": 12}, UTC)
    assert ledger.release("r2") is None


def test_equal_content_is_one_release_whatever_its_id_and_metrics(ledger: Ledger):
    first = release(ledger, "r1", metrics={"chunks": 1})
    assert release(ledger, "r2", metrics={"chunks": 2}) == first
    assert release(ledger, None) == first
    assert [each.release_id for each in ledger.releases()] == ["r1"]


@pytest.mark.parametrize(
    "change",
    [
        {"snapshot_id": "s2"},
        {"prompts": {"answer": "Write."}},
        {"chat_model": "gpt-4o-mini"},
        {"retrieval": {"k": 6}},
        {"answering": {"passages": 5}},
        {"details": {"temperature": 1}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_content_is_another_release(ledger: Ledger, change: dict[str, Any]):
    assert release(ledger, None).release_id != release(ledger, None, **change).release_id


def test_equal_releases_made_at_the_same_time_are_one(ledger: Ledger):
    snapshot(ledger)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda number: release(ledger, f"r{number}"), range(8)))
    assert len({each.release_id for each in made}) == len(ledger.releases()) == 1


def test_a_release_id_stands_for_one_content(ledger: Ledger):
    release(ledger, "r1")
    with pytest.raises(LedgerError, match="another content"):
        release(ledger, "r1", chat_model="gpt-4o-mini")


def test_a_release_needs_its_snapshot(ledger: Ledger):
    with pytest.raises(LedgerError, match="not recorded"):
        ledger.create_release("r1", "nowhere", {}, "extractive-reader")


def test_nothing_serves_at_first(ledger: Ledger):
    assert ledger.serving() is None
    assert ledger.rollback_target() is None
    with pytest.raises(NoReleaseError, match="'r9'"):
        ledger.serve("r9", "first", "ana")


def test_serving_flips_and_keeps_its_history(ledger: Ledger):
    for name in ("r1", "r2"):
        release(ledger, name, f"snapshot-of-{name}")
        assert ledger.serve(name, f"because of {name}", "ana")
    serving = ledger.serving()
    assert serving is not None and serving.release_id == "r2"
    newest, oldest = ledger.serving_history()
    assert (newest.release_id, newest.previous_release_id, newest.reason, newest.served_by) == (
        "r2",
        "r1",
        "because of r2",
        "ana",
    )
    assert (oldest.release_id, oldest.previous_release_id) == ("r1", None)


def test_serving_what_serves_writes_nothing(ledger: Ledger):
    release(ledger, "r1")
    assert ledger.serve("r1", "first", "ana")
    assert not ledger.serve("r1", "again", "ana")
    assert len(ledger.serving_history()) == 1


def test_a_flip_to_an_unknown_release_leaves_the_old_one_serving(ledger: Ledger):
    release(ledger, "r1")
    ledger.serve("r1", "first", "ana")
    with pytest.raises(NoReleaseError):
        ledger.serve("r9", "typing error", "ana")
    serving = ledger.serving()
    assert serving is not None and serving.release_id == "r1"


def test_rolling_back_twice_goes_two_releases_back(ledger: Ledger):
    for name in ("r1", "r2", "r3"):
        release(ledger, name, f"snapshot-of-{name}")
        ledger.serve(name, "new", "ana")
    for expected in ("r2", "r1"):
        target = ledger.rollback_target()
        assert target is not None and target.release_id == expected
        ledger.serve(expected, "worse", "ana", rollback=True)
    assert ledger.rollback_target() is None
    ledger.serve("r3", "mended", "ana")
    target = ledger.rollback_target()
    assert target is not None and target.release_id == "r1"


def test_flips_at_the_same_time_form_one_chain(ledger: Ledger):
    names = [f"r{number}" for number in range(8)]
    for name in names:
        release(ledger, name, f"snapshot-of-{name}")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: ledger.serve(name, "race", name), names))
    history = ledger.serving_history()[::-1]
    assert sorted(change.release_id for change in history) == names
    assert [change.previous_release_id for change in history] == [None, *[change.release_id for change in history[:-1]]]
    serving = ledger.serving()
    assert serving is not None and serving.release_id == history[-1].release_id
