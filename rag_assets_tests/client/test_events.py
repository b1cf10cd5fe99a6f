"""GraphQL's answers as plain values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rag_assets.client import events
from rag_assets.client.model import Run


def entry(**fields: Any) -> dict[str, Any]:
    return {"label": "x", "__typename": "SomeMetadataEntry", **fields}


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"intRepr": "0"}, 0),
        ({"intRepr": "5000000000000"}, 5_000_000_000_000),
        ({"floatRepr": "0.5"}, 0.5),
        ({"floatRepr": "nan"}, "nan"),
        ({"floatRepr": "inf"}, "inf"),
        ({"boolValue": False}, False),
        ({"text": ""}, ""),
        ({"mdStr": "| a |"}, "| a |"),
        ({"jsonString": '{"a": [1]}'}, {"a": [1]}),
    ],
)
def test_metadata_is_plain(fields: dict[str, Any], value: Any) -> None:
    found = events.metadata({"metadataEntries": [entry(**fields)]})
    assert found == {"x": value}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_tables_are_left_out() -> None:
    assert events.metadata({"metadataEntries": [entry()]}) == {}


@pytest.mark.parametrize(
    ("status", "ended", "succeeded"),
    [
        ("SUCCESS", True, True), ("FAILURE", True, False), ("CANCELED", True, False), ("CANCELING", False, False),
        ("SUSPENDED", False, False), ("A_STATUS_OF_THE_FUTURE", False, False), ("QUEUED", False, False),
    ],
)  # fmt: skip
def test_only_what_is_known_to_be_final_is_final(status: str, ended: bool, succeeded: bool) -> None:
    run = Run("1", "ingest_source", status, "wiki", 0.0, None, None)
    assert (run.ended, run.succeeded) == (ended, succeeded)


def check(passed: bool, severity: str) -> dict[str, Any]:
    evaluation = {"checkName": "budget", "success": passed, "severity": severity, "description": "9 of 5 tokens"}
    return {"__typename": "AssetCheckEvaluationEvent", "evaluation": evaluation}


def failure(kind: str, message: str, *, described: str | None = None, causes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "__typename": "ExecutionStepFailureEvent",
        "message": 'Execution of step "chunks" failed.',
        "failureMetadata": {"description": described} if described else None,
        "error": {
            "className": kind,
            "message": message,
            "causes": [{"className": cause, "message": f"builtins.{cause}: below\n"} for cause in causes],
        },
    }


RUN_FAILED = {"__typename": "RunFailureEvent", "message": "This run died.", "error": None}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([], None),
        ([check(False, "WARN")], None),
        ([failure("Failure", "dagster.Failure: a", described="No such source."), RUN_FAILED], "No such source."),
        ([failure("ValueError", "builtins.ValueError: bad: worse\n")], "bad: worse"),
        ([failure("ValueError", "ValueError: bad")], "bad"),
        ([failure("DagsterExecutionStepExecutionError", "dagster.X: above", causes=("KeyError",))], "below"),
        (
            [check(False, "ERROR"), failure("DagsterAssetCheckFailedError", "1 blocking asset check failed")],
            "The check 'budget' failed: 9 of 5 tokens",
        ),
        ([check(False, "ERROR"), failure("ValueError", "ValueError: another")], "another"),
        ([RUN_FAILED], "This run died."),
        ([{"__typename": "RunCanceledEvent"}], "The run was cancelled."),
    ],
)
def test_the_first_failure_is_one_sentence(found: list[dict[str, Any]], sentence: str | None) -> None:
    assert events.first_error(found) == sentence
