"""Finishing windows, sealing days, and keeping the lake and Dagster's records small. Plain functions."""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from domotic_assets.lake import upkeep
from domotic_assets.orchestration import gold_steps, sensor_steps, tags
from domotic_assets.orchestration.windows import Window, is_day
from domotic_assets.orchestration.worklist import Work
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.schemas import ALL_TABLES, bronze, gold, silver
from domotic_assets.schemas.table import Table

DAY_CLOSED = "day closed"

MINUTE_TABLES = (
    bronze.SENSOR_FILES, silver.SENSOR_EVENTS, silver.SENSOR_FILES, silver.REJECTS, silver.DEVICES,
    silver.VARIABLES, silver.DEVICE_TYPES, *gold.MINUTE_FACTS,
)  # fmt: skip
"""Tables that the live minutes write to."""

KEEP_RUNS = timedelta(days=7)

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Carried:
    """Windows that are done: their files, and how long after the newest arrival that was."""

    keys: tuple[str, ...]
    files: int
    lag_seconds: float | None
    compacted: int

    def covered_keys(self, registered: Iterable[str]) -> list[str]:
        """Keys of minutes and hours that a finished day or hour of these windows covers."""
        return [
            key
            for key in registered
            if any(key != whole and key.startswith(whole) for whole in self.keys if len(whole) < len(key))
        ]

    def metadata(self) -> dict[str, Any]:
        """For the asset's page."""
        lag = {} if self.lag_seconds is None else {"lag seconds": round(self.lag_seconds, 1)}
        return {"windows": len(self.keys), "files": self.files, "files compacted": self.compacted, **lag}


def finish_windows(work: Workspace, windows: Sequence[Window], now: datetime) -> Carried:
    """Strike windows off the work list, note the days of health that they touch, compact finished days."""
    days = [window.start.date() for window in windows if is_day(window.key)]
    compacted = _keep_up(work, MINUTE_TABLES, days).get("data files compacted", 0) if days else 0
    landed = sensor_steps.read_within(work, bronze.SENSOR_FILES, "window", windows, ["arrived_at"])
    newest: datetime | None = landed.select(pl.col("arrived_at").max()).item()
    touched = gold_steps.local_days(work, windows)
    keys = tuple(window.key for window in windows)

    def change(held: Work) -> None:
        held.finished(keys, touched)
        if days:
            held.marks[DAY_CLOSED] = now

    work.worklist.change(change)
    return Carried(keys, landed.height, None if newest is None else (now - newest).total_seconds(), compacted)


def keep_lake_up(work: Workspace, now: datetime) -> dict[str, int]:
    """Compact the days that live minutes are written to, and tidy up behind every table; counts."""
    open_days = [now.date() - timedelta(days=1), now.date()]
    return _keep_up(work, ALL_TABLES.values(), open_days)


def _keep_up(work: Workspace, tables: Iterable[Table], days: Sequence[date]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for table in tables:
        done = upkeep.keep_up(work.lake, table, days if table in MINUTE_TABLES else ())
        if done is not None:
            counts["data files compacted"] += done.files_before - done.files_after
            counts["data files removed"] += done.data_files_removed
            counts["log files removed"] += done.log_files_removed
    return dict(counts)


def prune_runs(instance: dg.DagsterInstance, home: Path, now: datetime, *, keep: str) -> int:
    """Delete records of runs that tell nothing any more; number of runs.

    home: the folder of Dagster's records. keep: the run that asks.

    A window's run goes once its keys went, which is when its day is sealed; any other run when it is old
    and a later one did the same.
    """
    registered = set(instance.get_dynamic_partitions(tags.WINDOW))
    done_later: set[tuple[str, ...]] = set()
    removed = 0
    for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED)):
        run = record.dagster_run
        keys = tags.keys_of(run.tags) or ()
        same = (run.job_name, *keys)
        if run.job_name in (tags.WINDOWS_JOB, tags.BUILD_JOB) and keys:
            spent = not registered.intersection(keys)
        else:
            spent = same in done_later and now - record.create_timestamp > KEEP_RUNS
        if run.status is dg.DagsterRunStatus.SUCCESS:
            done_later.add(same)
        if spent and run.run_id != keep:
            instance.delete_run(run.run_id)
            _remove_files(home, run.run_id)
            removed += 1
    return removed


def _remove_files(home: Path, run_id: str) -> None:
    """A run's own event file and outputs, which Dagster empties and leaves."""
    for file in (home / "history" / "runs").glob(f"{run_id}.db*"):
        file.unlink(missing_ok=True)
    shutil.rmtree(home / "storage" / run_id, ignore_errors=True)
