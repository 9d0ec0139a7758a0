"""Replays changes of rows into versions: each state of a row, with the time in which it was valid."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from domotic_assets.ingest.changes import Row


@dataclass(frozen=True)
class Version:
    """A version of a row, valid from `valid_from` to `valid_to` (exclusive); None while it is current."""

    row: Row
    valid_from: datetime
    valid_to: datetime | None


def row_versions(rows: pl.DataFrame) -> dict[str, list[Version]]:
    """Replay `REGISTER_ROWS` into every version of every row, by register table.

    A change that was landed twice has no effect. Of changes seen at the same moment the last one counts.
    """
    states: dict[tuple[str, str], dict[datetime, Row | None]] = {}
    changes = rows.sort("sequence").select("table", "key", "ts", "after")
    for table, key, ts, after in changes.iter_rows():
        of_key = states.setdefault((table, key), {})
        # A clock that was set back must not make an interval end before it starts.
        seen_at = max(ts, next(reversed(of_key), ts))
        of_key[seen_at] = None if after is None else json.loads(after)
    found: dict[str, list[Version]] = {}
    for (table, _), of_key in states.items():
        found.setdefault(table, []).extend(_intervals(of_key))
    return found


def _intervals(states: Mapping[datetime, Row | None]) -> Iterator[Version]:
    """Yield the versions of one row; states: the row by moment of its change, None once it is deleted."""
    held: Row | None = None
    since: datetime | None = None
    for ts, row in states.items():
        if row == held:
            continue
        if held is not None and since is not None:
            yield Version(held, since, ts)
        held, since = row, ts
    if held is not None and since is not None:
        yield Version(held, since, None)
