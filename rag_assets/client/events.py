"""Reads what GraphQL answers into the values of `model`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rag_assets.client.model import PARTITION_TAG, CheckVerdict, Materialization, Run

Json = Mapping[str, Any]
FAILED_CHECK = "DagsterAssetCheckFailedError"
PLAIN_FIELDS = ("text", "mdStr", "path", "url", "timestamp", "runId", "boolValue")


def run(answer: Json) -> Run:
    """A run from `queries.RUN_FIELDS`."""
    tags = {tag["key"]: tag["value"] for tag in answer["tags"]}
    return Run(
        run_id=answer["runId"],
        job=answer["jobName"],
        status=answer["status"],
        source=tags.get(PARTITION_TAG),
        created_at=answer["creationTime"],
        started_at=answer["startTime"],
        ended_at=answer["endTime"],
        run_config=answer["runConfig"] or {},
        tags=tags,
    )


def materializations(events: Iterable[Json]) -> tuple[Materialization, ...]:
    """The materializations among `events`, oldest first."""
    return tuple(
        Materialization(_name(event), event["partition"], int(event["timestamp"]) / 1_000, metadata(event))
        for event in events
        if event["__typename"] == "MaterializationEvent"
    )


def checks(events: Iterable[Json]) -> tuple[CheckVerdict, ...]:
    """The evaluations of asset checks among `events`, oldest first."""
    found = (event["evaluation"] for event in events if event["__typename"] == "AssetCheckEvaluationEvent")
    return tuple(
        CheckVerdict(
            check=one["checkName"],
            asset=_name(one),
            partition=one["partition"],
            passed=one["success"],
            severity=one["severity"],
            description=one["description"] or "",
            metadata=metadata(one),
        )
        for one in found
    )


def first_error(events: Iterable[Json]) -> str | None:
    """The sentence of the first failure: of a blocking check, its description; of a step, the failure's own."""
    failed_checks: list[str] = []
    for event in events:
        kind = event["__typename"]
        if kind == "AssetCheckEvaluationEvent":
            verdict = event["evaluation"]
            if not verdict["success"] and verdict["severity"] == "ERROR":
                failed_checks.append(
                    f"The check {verdict['checkName']!r} failed: {verdict['description'] or ''}".strip()
                )
        elif kind == "ExecutionStepFailureEvent":
            if failed_checks and (event["error"] or {}).get("className") == FAILED_CHECK:
                return failed_checks[-1]
            return _step_error(event)
        elif kind == "RunFailureEvent":  # no step has failed: the run did not start, or its process died
            error = event["error"]
            return _sentence(error) if error else event["message"] or "The run failed."
        elif kind == "RunCanceledEvent":
            return "The run was cancelled."
    return None


def metadata(event: Json) -> dict[str, Any]:
    """Plain values by label. A number that is not finite is its name, as JSON has none."""
    return {entry["label"]: value for entry in event["metadataEntries"] if (value := _value(entry)) is not None}


def _value(entry: Json) -> Any:
    if (written := entry.get("intRepr")) is not None:  # GraphQL's own integers have 32 bits
        return int(written)
    if (written := entry.get("floatRepr")) is not None:
        number = float(written)
        return number if math.isfinite(number) else written
    if (written := entry.get("jsonString")) is not None:
        return json.loads(written)
    return next((entry[key] for key in PLAIN_FIELDS if entry.get(key) is not None), None)


def _name(event: Json) -> str:
    return "/".join(event["assetKey"]["path"])


def _step_error(event: Json) -> str:
    described = (event["failureMetadata"] or {}).get("description")
    if described:
        return str(described)
    error = event["error"]
    if not error:
        return str(event["message"])
    return _sentence(error["causes"][-1] if error["causes"] else error)


def _sentence(error: Json) -> str:
    """A Python error's message without the class in front of it."""
    message = str(error["message"]).strip()
    head, separator, rest = message.partition(": ")
    return rest if separator and head.rpartition(".")[2] == error["className"] else message


def last_line(message: str) -> str:
    """Where Python says what was wrong."""
    return message.strip().rpartition("\n")[2].strip()
