"""Numbers and dates changes of database rows as Bronze holds them, and replays them into the present state.

Reading the database does not belong here, nor does any judgement of values.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from domotic_assets.schemas.register import REGISTER_ROWS

Row = Mapping[str, Any]
State = dict[str, dict[str, Row]]
"""Register table to key to row."""


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


def change_rows(
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


def _as_json(row: Row | None) -> str | None:
    return None if row is None else json.dumps(row, ensure_ascii=False, sort_keys=True)
