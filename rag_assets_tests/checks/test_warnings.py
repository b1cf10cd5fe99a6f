"""A check warns above its threshold, is silent at it, and stops nothing either way."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

GARBAGE_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8


@pytest.fixture
def kitchen(small_project: SmallProject) -> SmallProject:
    """Of eight documents one is empty and two are equal; a ninth cannot be read."""
    small_project.configure(kitchen="")
    for number in range(5):
        small_project.write(f"kitchen/{number}.md", f"# Spoon {number}\n\nIt is kept in drawer {number}.\n")
    small_project.write("kitchen/copy.md", "# Whisk\n\nIt hangs on the wall.\n")
    small_project.write("kitchen/whisk.md", "# Whisk\n\nIt hangs on the wall.\n")
    small_project.write("kitchen/blank.md", " \n\n")
    small_project.write("kitchen/broken.pdf", GARBAGE_PDF)
    return small_project


def evaluations(project: SmallProject, checks: str) -> dict[str, Any]:
    """What each check of `raw_documents` says with these thresholds; the run must end in a release."""
    project.configure(f"checks: {{{checks}}}", kitchen="")
    outcome = ingest(project)
    assert [run.error for run in outcome.runs] == [None, None]
    logged = project.instance.all_logs(
        outcome.sources["kitchen"].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    data = [event.get_dagster_event().asset_check_evaluation_data for event in logged]
    assert {check.partition for check in data} == {"kitchen"}
    return {check.check_name: check for check in data if check.asset_key == dg.AssetKey("raw_documents")}


def test_at_the_threshold_a_check_is_silent_and_above_it_warns(kitchen: SmallProject) -> None:
    at = evaluations(kitchen, "empty_fraction: 0.125, duplicate_fraction: 0.25, failed_documents: 1")
    assert {name: check.passed for name, check in at.items()} == {
        "failed_documents": True,
        "watch_running": True,
        "empty_documents": True,
        "duplicate_documents": True,
    }
    above = evaluations(kitchen, "empty_fraction: 0.12, duplicate_fraction: 0.24, failed_documents: 0")
    assert {name: (check.passed, check.severity) for name, check in above.items()} == dict.fromkeys(
        at.keys() - {"watch_running"}, (False, dg.AssetCheckSeverity.WARN)
    ) | {"watch_running": (True, dg.AssetCheckSeverity.WARN)}
    numbers = {key: entry.value for check in above.values() for key, entry in check.metadata.items()}
    assert (numbers["documents_empty"], numbers["empty_fraction"]) == (1, 0.125)
    assert (numbers["documents_duplicate"], numbers["duplicate_fraction"]) == (2, 0.25)
    assert numbers["documents_failed"] == 1
    assert numbers["documents_given_up"] == 0
    assert numbers["given_up"] == "none"
    examples = {name: check.metadata["examples"].value for name, check in above.items() if "examples" in check.metadata}
    assert examples["empty_documents"] == "- `blank.md`"
    assert examples["duplicate_documents"] == "- `copy.md`\n- `whisk.md`"
    header, _, row = numbers["failed"].splitlines()
    assert header == "| document | stage | error | attempts | first seen (UTC) | last seen (UTC) |"
    assert row.startswith("| broken.pdf | parse | broken.pdf ")
    assert "| 1 | 20" in row  # an unchanged run is no attempt
