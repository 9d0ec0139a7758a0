"""Makes numbered, dated Bronze rows of database changes, and replays them into the current state.

Reading the database does not belong here, nor does any check of values.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from domotic_assets.schemas.register import REGISTER_ROWS

Row = Mapping[str, Any]
State = dict[str, dict[str, Row]]
"""Rows by register table, then by key."""


class ChangeRecord(Protocol):
    """A change of a row as a source delivers it."""

    @property
    def table(self) -> str:
        """Name of the changed table, in any letter case."""
        ...

    @property
    def key(self) -> str:
        """Primary key of the changed row, as text."""
        ...

    @property
    def op(self) -> str:
        """Kind of the change: insert, update or delete."""
        ...

    @property
    def before(self) -> Row | None:
        """The row before the change; None for an insert."""
        ...

    @property
    def after(self) -> Row | None:
        """The row after the change; None for a delete."""
        ...


def change_rows(
    changes: Iterable[ChangeRecord], source: str, last_sequence: int, ts: datetime
) -> pl.DataFrame:
    """Make a row of `REGISTER_ROWS` per change, numbered from `last_sequence` + 1; ts: when it was seen."""
    rows = [
        (source, c.table.lower(), c.key, c.op, sequence, ts, _as_json(c.before), _as_json(c.after))
        for sequence, c in enumerate(changes, start=last_sequence + 1)
    ]
    return pl.DataFrame(rows, schema=REGISTER_ROWS.schema, orient="row")


def last_sequence(rows: pl.DataFrame) -> int:
    """Return the number of the latest change in `REGISTER_ROWS`; 0 if there is none."""
    latest = rows["sequence"].max()
    return latest if isinstance(latest, int) else 0


def current_state(rows: pl.DataFrame) -> State:
    """Replay all changes of `REGISTER_ROWS` into the register's current rows.

    The next pull compares the database with them, and silver reads them. A change that was landed twice has
    no effect.
    """
    latest = rows.sort("sequence").unique(["table", "key"], keep="last", maintain_order=True)
    state: State = {}
    for table, key, after in latest.select("table", "key", "after").iter_rows():
        if after is not None:
            state.setdefault(table, {})[key] = json.loads(after)
    return state


def _as_json(row: Row | None) -> str | None:
    """Serialise a row as JSON with sorted keys; None stays None."""
    return None if row is None else json.dumps(row, ensure_ascii=False, sort_keys=True)
