"""Lists in pages: `after` the last one seen, at most `limit`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.models.embedded.wire import JsonObject, WireError

Query = Mapping[str, str]


def page_limit(query: Query, *, default: int, most: int) -> int:
    """How many are asked for; raises `WireError`."""
    text = query.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= most:
        raise WireError(f"`limit` must be a whole number from 1 to {most}.", param="limit")
    return int(text)


def select_page(
    connection: sqlite3.Connection,
    table: str,
    query: Query,
    *,
    where: Mapping[str, Any],
    limit: int,
    ascending: bool = False,
) -> tuple[list[sqlite3.Row], bool]:
    """Rows of `table` in which each column of `where` has its value, newest first, and whether there are more.

    Raises `WireError` where `after` names none of them.
    """
    conditions = [f"{column} = ?" for column in where] or ["1"]
    values = list(where.values())
    order, beyond = ("ASC", ">") if ascending else ("DESC", "<")
    after = query.get("after")
    if after is not None:
        selected = f"SELECT seq FROM {table} WHERE {' AND '.join(conditions)} AND id = ?"  # noqa: S608  # names of ours
        row = connection.execute(selected, [*values, after]).fetchone()
        if row is None:
            raise WireError(f"There is no `{after}` in this list.", status=404, param="after")
        conditions.append(f"seq {beyond} ?")
        values.append(row["seq"])
    selected = f"SELECT * FROM {table} WHERE {' AND '.join(conditions)} ORDER BY seq {order} LIMIT ?"  # noqa: S608
    rows = connection.execute(selected, [*values, limit + 1]).fetchall()
    return rows[:limit], len(rows) > limit


def listed(data: Sequence[JsonObject], *, more: bool) -> JsonObject:
    """A list object of the API."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": more,
    }
