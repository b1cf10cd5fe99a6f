"""Other systems report that a source has new data, and it is ingested."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from rag_assets.automation.sensors import reports
from rag_assets.ingestion import watch as rules
from rag_assets_tests.automation.ticks import ingest_one, said, unfinished_run
from rag_assets_tests.conftest import SmallProject


def report(project: SmallProject, source: str | None) -> None:
    """What Dagster's server does with a report that comes over REST."""
    project.instance.report_runless_asset_event(dg.AssetMaterialization("source_updates", partition=source))


def tick(project: SmallProject, cursor: str | None) -> dg.SensorResult:
    with project.open() as opened:
        return reports.tick(opened, project.instance, cursor)


def sources(result: dg.SensorResult) -> list[str]:
    return [str(request.partition_key) for request in result.run_requests or []]


def test_each_report_starts_one_ingestion_also_of_a_source_that_is_not_watched(small_project: SmallProject) -> None:
    small_project.configure(handbook="watch: false", wiki="")
    report(small_project, "handbook")  # while no daemon ran
    report(small_project, "handbook")
    report(small_project, "wiki")
    first = tick(small_project, None)
    assert sources(first) == ["handbook", "wiki"]
    assert set(small_project.instance.get_dynamic_partitions("sources")) == {"handbook", "wiki"}
    second = tick(small_project, first.cursor)
    assert said(second) == "No new report on source_updates."
    report(small_project, "handbook")
    third = tick(small_project, second.cursor)
    assert sources(third) == ["handbook"]
    assert len(json.dumps(third.cursor)) < 200


def test_a_report_for_an_unknown_source_is_said_and_starts_nothing(small_project: SmallProject) -> None:
    small_project.configure(wiki="")
    report(small_project, "nowhere")
    report(small_project, None)
    result = tick(small_project, None)
    assert said(result) == (
        "Ignored, for no source has this name: 'nowhere', a report without a source. Configured: wiki."
    )
    assert said(tick(small_project, result.cursor)) == "No new report on source_updates."


def fail(project: SmallProject, message: str) -> None:
    project.instance.report_run_failed(unfinished_run(project, "wiki"), message)


def test_a_report_whose_ingestion_fails_is_tried_again_and_in_the_end_given_up_visibly(
    small_project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)
    small_project.configure("automation:\n  pause_after_failures: 3", wiki="watch: false")
    report(small_project, "wiki")
    cursor = None
    for _ in range(3):
        result = tick(small_project, cursor)
        assert sources(result) == ["wiki"]
        cursor = result.cursor
        fail(small_project, "The disk is full.")
    result = tick(small_project, cursor)
    assert "Gave up on the report of wiki after 3 failures in a row: " in said(result)
    assert "The disk is full." in said(tick(small_project, result.cursor)), "it is said for as long as it is so"
    report(small_project, "wiki")
    again = tick(small_project, result.cursor)
    assert sources(again) == ["wiki"]
    small_project.write("wiki/a.md", "# A\n\nApples.\n")
    assert ingest_one(small_project, "wiki").succeeded
    assert said(tick(small_project, again.cursor)) == "No new report on source_updates."


def test_a_report_whose_ingestion_failed_once_waits_before_it_is_tried_again(small_project: SmallProject) -> None:
    small_project.configure(wiki="watch: false")
    report(small_project, "wiki")
    first = tick(small_project, None)
    unfinished_run(small_project, "wiki")
    assert said(tick(small_project, first.cursor)) == "No new report on source_updates.", "its run is under way"
    small_project.instance.report_run_failed(small_project.instance.get_runs()[0], "The disk is full.")
    second = tick(small_project, first.cursor)
    assert "The report of wiki is tried again at " in said(second)


def test_what_is_watched_is_left_to_the_watch(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)
    small_project.configure(wiki="")
    report(small_project, "wiki")
    first = tick(small_project, None)
    fail(small_project, "The disk is full.")
    assert said(tick(small_project, first.cursor)) == "No new report on source_updates."
