"""Other systems report that a source has new data, and it is ingested."""

from __future__ import annotations

import json

import dagster as dg

from rag_assets.automation.sensors import reports
from rag_assets_tests.automation.ticks import said
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
    assert len(json.dumps(third.cursor)) < 100


def test_a_report_for_an_unknown_source_is_said_and_starts_nothing(small_project: SmallProject) -> None:
    small_project.configure(wiki="")
    report(small_project, "nowhere")
    report(small_project, None)
    result = tick(small_project, None)
    assert said(result) == (
        "Ignored, for no source has this name: 'nowhere', a report without a source. Configured: wiki."
    )
    assert said(tick(small_project, result.cursor)) == "No new report on source_updates."
