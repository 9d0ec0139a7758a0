"""Numbers, dates and replays changes of database rows, as Bronze holds them.

Reading the database does not belong here, nor does any judgement of values.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from domotic_assets.schemas.register import REGISTER_ROWS

Row = Mapping[str, Any]
State = dict[str, dict[str, Row]]
"""Register table to key to row."""


@dataclass(frozen=True)
class Version:
    """A row as it stood from `valid_from` until before `valid_to`; None while it stands so still."""

    row: Row
    valid_from: datetime
    valid_to: datetime | None


class ChangeRecord(Protocol):
    """A change as a source delivers it."""

    @property
    def table(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def before(self) -> Row | None: ...
    @property
    def after(self) -> Row | None: ...


def register_rows(
    changes: Iterable[ChangeRecord], source: str, last_sequence: int, ts: datetime
) -> pl.DataFrame:
    """One row per change: `REGISTER_ROWS`, numbered on from `last_sequence`; `ts` is when they were seen."""
    rows = [
        (source, c.table.lower(), c.key, c.op, sequence, ts, _as_json(c.before), _as_json(c.after))
        for sequence, c in enumerate(changes, start=last_sequence + 1)
    ]
    return pl.DataFrame(rows, schema=REGISTER_ROWS.schema, orient="row")


def last_sequence(rows: pl.DataFrame) -> int:
    """The number of the latest change in `REGISTER_ROWS`; 0 before the first."""
    latest = rows["sequence"].max()
    return latest if isinstance(latest, int) else 0


def current_state(rows: pl.DataFrame) -> State:
    """The register after all changes of `REGISTER_ROWS`: the next pull's position, and what silver reads.

    A change that was landed twice changes nothing.
    """
    latest = rows.sort("sequence").unique(["table", "key"], keep="last", maintain_order=True)
    state: State = {}
    for table, key, after in latest.select("table", "key", "after").iter_rows():
        if after is not None:
            state.setdefault(table, {})[key] = json.loads(after)
    return state


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


def _as_json(row: Row | None) -> str | None:
    return None if row is None else json.dumps(row, ensure_ascii=False, sort_keys=True)
