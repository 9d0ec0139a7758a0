"""Finishes windows: takes them off the work list, compacts finished days. Keeps the lake's tables small."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from domotic_assets.domains.homes.flows import health
from domotic_assets.domains.homes.flows.all_flows import HEALTH
from domotic_assets.flow import reading
from domotic_assets.flow.windows import Window, is_day
from domotic_assets.flow.worklist import DAY_CLOSED, WINDOWS, PendingWork
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake import upkeep
from domotic_assets.schemas import ALL_TABLES
from domotic_assets.schemas.homes import bronze
from domotic_assets.schemas.table import Cadence, Table


@dataclass(frozen=True)
class FinishedWindows:
    """Windows that are done: their keys and the number of their files.

    lag_seconds: from their newest file's arrival until they were done; None without files. compacted: by how
    many data files compaction reduced the tables.
    """

    keys: tuple[str, ...]
    files: int
    lag_seconds: float | None
    compacted: int

    def covered_keys(self, registered: Iterable[str]) -> list[str]:
        """Return the registered keys of minutes and hours that lie within a day or hour in `keys`."""
        return [
            key
            for key in registered
            if any(key != whole and key.startswith(whole) for whole in self.keys if len(whole) < len(key))
        ]

    def metadata(self) -> dict[str, Any]:
        """Return the figures for the asset's page."""
        lag = {} if self.lag_seconds is None else {"lag seconds": round(self.lag_seconds, 1)}
        return {"windows": len(self.keys), "files": self.files, "files compacted": self.compacted, **lag}


def finish_windows(work: Workspace, windows: Sequence[Window], now: datetime) -> FinishedWindows:
    """Remove processed windows from the work list; compact the tables of live minutes for days among them.

    Where a window is a whole UTC day, each table that live minutes write to is compacted on that date. The
    local dates that the windows touch are added to the work list, so that device health is computed again.
    now: when the windows were done. Returns their keys, number of files and lag, and by how many data files
    compaction reduced the tables.
    """
    days = [window.start.date() for window in windows if is_day(window.key)]
    compacted = _keep_up(work, _by_minute(), days).get("data files compacted", 0) if days else 0
    landed = reading.read_within(work, bronze.SENSOR_FILES, "window", windows, ["arrived_at"])
    newest: datetime | None = landed.select(pl.col("arrived_at").max()).item()
    touched = health.local_days(work, windows)
    keys = tuple(window.key for window in windows)

    def change(held: PendingWork) -> None:
        held.done(WINDOWS, keys)
        held.add_dates(HEALTH.name, touched)
        if days:
            held.marks[DAY_CLOSED] = now

    work.worklist.change(change)
    return FinishedWindows(
        keys, landed.height, None if newest is None else (now - newest).total_seconds(), compacted
    )


def keep_lake_up(work: Workspace, now: datetime) -> dict[str, int]:
    """Compact the days that live minutes are written to (UTC, today and yesterday), and clean up every table.

    Returns counts: data files compacted, data files removed, log files removed.
    """
    open_days = [now.date() - timedelta(days=1), now.date()]
    return _keep_up(work, ALL_TABLES.values(), open_days)


def _by_minute() -> list[Table]:
    """Return the tables that live minutes write to."""
    return [table for table in ALL_TABLES.values() if table.cadence is Cadence.MINUTE]


def _keep_up(work: Workspace, tables: Iterable[Table], days: Sequence[date]) -> dict[str, int]:
    """Compact these UTC days of the tables that live minutes write to; delete old files of all tables given.

    Old log files are deleted as well. Returns counts over all tables: data files compacted, data files
    removed, log files removed.
    """
    counts: Counter[str] = Counter()
    for table in tables:
        done = upkeep.keep_up(work.lake, table, days if table.cadence is Cadence.MINUTE else ())
        if done is not None:
            counts["data files compacted"] += done.files_before - done.files_after
            counts["data files removed"] += done.data_files_removed
            counts["log files removed"] += done.log_files_removed
    return dict(counts)
