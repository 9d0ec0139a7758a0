"""Replays changes of rows into versions: each row as it stood, from when to when."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from domotic_assets.ingest.changes import Row


@dataclass(frozen=True)
class Version:
    """A row as it stood from `valid_from` until before `valid_to`; None while it stands so still."""

    row: Row
    valid_from: datetime
    valid_to: datetime | None


def row_versions(rows: pl.DataFrame) -> dict[str, list[Version]]:
    """Register table to every version of its rows, as replayed from `REGISTER_ROWS`.

    A change that was landed twice changes nothing; of changes seen at one moment the last one counts.
    """
    states: dict[tuple[str, str], dict[datetime, Row | None]] = {}
    changes = rows.sort("sequence").select("table", "key", "ts", "after")
    for table, key, ts, after in changes.iter_rows():
        of_key = states.setdefault((table, key), {})
        # A clock that was set back must not turn an interval round.
        seen_at = max(ts, next(reversed(of_key), ts))
        of_key[seen_at] = None if after is None else json.loads(after)
    found: dict[str, list[Version]] = {}
    for (table, _), of_key in states.items():
        found.setdefault(table, []).extend(_intervals(of_key))
    return found


def _intervals(states: Mapping[datetime, Row | None]) -> Iterator[Version]:
    """The versions of one row, from what it became (None: gone) at which moment."""
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
