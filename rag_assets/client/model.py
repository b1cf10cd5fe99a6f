"""What the server says, as values. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TERMINAL = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
"""Every other status, known or not (`SUSPENDED` waits for work outside), may still change."""
PARTITION_TAG = "dagster/partition"
REQUEST_TAG = "rag_assets/request_id"


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the code location; one that is `partitioned` runs for one source at a time."""

    name: str
    description: str
    partitioned: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it stood when it was read."""

    run_id: str
    job: str
    status: str
    source: str | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    run_config: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        """Whether the run has ended well."""
        return self.status == "SUCCESS"

    @property
    def label(self) -> str:
        """The job, and the source if it has one, for a message."""
        return f"{self.job} of {self.source}" if self.source else self.job


@dataclass(frozen=True, slots=True)
class Materialization:
    """What one asset recorded. `metadata` holds numbers, text, booleans and JSON; tables and schemas are left out."""

    asset: str
    partition: str | None
    at: float
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """One evaluation of an asset check. `severity` is `WARN` or `ERROR`."""

    check: str
    asset: str
    partition: str | None
    passed: bool
    severity: str
    description: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run has brought so far. `error` is the sentence of its first failure, `None` while there is none."""

    run: Run
    materializations: tuple[Materialization, ...]
    checks: tuple[CheckVerdict, ...]
    error: str | None

    def materialization(self, asset: str) -> Materialization:
        """The newest of `asset` in this run. Raises `KeyError` when it has none."""
        for made in reversed(self.materializations):
            if made.asset == asset:
                return made
        raise KeyError(asset)
