"""The examples of a set in their table: what was read, written as differences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.evaluation.model import Expected
from rag_assets.fingerprints import data_version
from rag_assets.store import Table
from rag_assets.tuning.examples.model import FIELDS, Example

FORMAT = "training examples@1"


@dataclass(frozen=True, slots=True)
class ExamplesResult:
    """What a sync did. `data_version` is `examples_version`; `moved` stand in another line or file and are the same."""

    examples: int
    inserted: int
    changed: int
    moved: int
    deleted: int
    commits: int
    data_version: str
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        counts = ((self.inserted, "added"), (self.changed, "changed"), (self.deleted, "removed"), (self.moved, "moved"))
        happened = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        return f"Examples: {happened}." if happened else f"No example changed; the set has {self.examples:,}."


def sync_examples(table: Table, examples: Sequence[Example]) -> ExamplesResult:
    """Makes the table hold exactly `examples`, of one set; where it does already, nothing is written."""
    now = datetime.now(UTC)
    rows = [_row(example, now) for example in examples]
    stored = table.rows([table.key, "row_hash"]).to_pylist()
    hashes = {row[table.key]: row["row_hash"] for row in stored}
    gone = sorted(hashes.keys() - {example.example_id for example in examples})
    changed = sum(hashes.get(example.example_id, example.row_hash) != example.row_hash for example in examples)
    result = table.apply(pa.Table.from_pylist(rows, schema=schemas.TRAINING_EXAMPLES), gone)
    return ExamplesResult(
        examples=len(rows),
        inserted=result.inserted,
        changed=changed,
        moved=result.updated - changed,
        deleted=result.deleted,
        commits=result.commits,
        data_version=examples_version(examples),
        table_version=result.version,
    )


def stored_examples(table: Table) -> list[Example]:
    """The examples that the table holds, in the order of their ids; none when it does not exist."""
    return sorted(map(_example, table.rows().to_pylist()), key=lambda example: example.example_id)


def examples_version(examples: Sequence[Example]) -> str:
    """The version of a set of examples: what they teach, whatever their order and wherever they stand."""
    return data_version(((example.example_id, example.row_hash) for example in examples), FORMAT)


def _row(example: Example, loaded_at: datetime) -> dict[str, Any]:
    values = example.values
    messages = json.dumps(values["messages"], ensure_ascii=False) if example.messages else ""
    return {
        **values,
        "messages": messages,
        "example_id": example.example_id,
        "row_hash": example.row_hash,
        "loaded_at": loaded_at,
    }


def _example(row: dict[str, Any]) -> Example:
    values = {name: row[name] for name in FIELDS}
    return Example(
        **{
            **values,
            "accepted": tuple(row["accepted"]),
            "quotes": tuple(row["quotes"]),
            "expected": tuple(Expected(**place) for place in row["expected"]),
            "messages": tuple(json.loads(row["messages"])) if row["messages"] else (),
        }
    )
