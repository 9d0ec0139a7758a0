"""The lake's tables: read, append, replace. Delta and nothing else belongs here.

A table is written as `schemas` declares it and in its order; a frame of another shape is refused.
Nothing is ever merged: rows are appended, or a range of them is replaced in one commit.
"""

import threading
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.schemas.table import Table, is_ordered
from domotic_assets.settings import is_remote

WRITER = WriterProperties(compression="ZSTD", compression_level=3)

PROPERTIES = {
    # The default, said aloud: every commit that makes a hundred also clears away expired log files.
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 6 hours",
    # How long checkpoints remember files that are gone: as long as `upkeep` keeps these.
    "delta.deletedFileRetentionDuration": "interval 24 hours",
}
"""What a table's own log does about its length: at a commit a minute about 360 + 100 files stay."""


class Lake:
    """Delta tables below one root: a folder or an object store."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self._opened = _Opened()

    def require_writable(self) -> None:
        """Raise LakeError in one line when the root cannot take files."""
        if is_remote(self.root):
            return
        probe = Path(self.root) / ".writable"
        try:
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise LakeError(
                f"the lake cannot be written ({error.strerror})",
                where=self.root,
                expected="a folder that this user may write",
                remedy="choose another with --lake, or give this user the right to write there",
            ) from None

    def uri(self, table: Table) -> str:
        """Where the table lives."""
        return f"{self.root}/{table.id}"

    def delta(self, table: Table) -> DeltaTable | None:
        """The table's current snapshot; None while it does not exist.

        A thread opens a table once and then brings it up to date, with whatever others committed:
        opening reads the log from its last checkpoint on, ten times as long.
        """
        uri = self.uri(table)
        place = _place(uri)
        held, snapshot = self._opened.tables.get(uri, (None, None))
        try:
            if snapshot is None or held != place:
                snapshot = DeltaTable(uri)
            else:
                snapshot.update_incremental()
        except TableNotFoundError:
            self._opened.tables.pop(uri, None)
            return None
        self._opened.tables[uri] = (place, snapshot)
        return snapshot

    def version(self, table: Table) -> int | None:
        """The Delta version of the table; None while it does not exist."""
        snapshot = self.delta(table)
        return None if snapshot is None else snapshot.version()

    def files(self, table: Table) -> list[str]:
        """The Parquet files of the current snapshot."""
        snapshot = self.delta(table)
        return [] if snapshot is None else snapshot.file_uris()

    def snapshot(self, table: Table) -> tuple[int, list[str]]:
        """Version and Parquet files of the same snapshot; -1 and none while the table does not exist."""
        snapshot = self.delta(table)
        return (-1, []) if snapshot is None else (snapshot.version(), snapshot.file_uris())

    def dates(self, table: Table) -> list[date]:
        """The values of the physical partition that hold rows, oldest first."""
        snapshot = self.delta(table)
        if snapshot is None or table.partition is None:
            return []
        found = {partition[table.partition] for partition in snapshot.partitions()}
        return sorted(date.fromisoformat(str(value)) for value in found)

    def read(
        self,
        table: Table,
        *,
        dates: Iterable[date] | None = None,
        where: pl.Expr | None = None,
        columns: Sequence[str] | None = None,
        snapshot: DeltaTable | None = None,
    ) -> pl.DataFrame:
        """Rows of the table: of some dates of its physical partition, and of a condition; all by default.

        snapshot: one of this table that is at hand, else the current one.
        """
        snapshot = self.delta(table) if snapshot is None else snapshot
        names = list(columns or table.schema.names())
        if snapshot is None:
            return table.empty().select(names)
        rows = pl.scan_delta(snapshot)
        if dates is not None:
            assert table.partition is not None
            rows = rows.filter(pl.col(table.partition).is_in(sorted(dates)))
        if where is not None:
            rows = rows.filter(where)
        return rows.select(names).collect()

    def append(self, table: Table, rows: pl.DataFrame) -> None:
        """Add rows in one commit; nothing is written for none."""
        if not rows.is_empty():
            self._write(table, rows)

    def replace_values(
        self, table: Table, rows: pl.DataFrame, column: str, values: pl.Series, dates: pl.Series
    ) -> None:
        """Replace every row whose `column` is one of `values` by the given rows.

        column: one that grows with the physical partition (a minute). dates: the partition of each
        value. One commit for each run of consecutive dates, so that a value far off does not make
        everything between be rewritten; a date that holds nothing yet is appended to.
        """
        partition = table.partition
        assert partition is not None
        held = set(self.dates(table))
        for first, last in consecutive(dates.unique().sort().to_list()):
            inside = values.filter(dates.is_between(first, last))
            new = rows.filter(pl.col(partition).is_between(first, last))
            if not any(first <= day <= last for day in held):
                self.append(table, new)
                continue
            low, high = inside.min(), inside.max()
            between = pl.col(partition).is_between(first, last) & pl.col(column).is_between(low, high)
            kept = self.read(table, where=between & ~pl.col(column).is_in(inside.implode()))
            span = (
                f"{partition} = '{first}'"
                if first == last
                else f"{partition} >= '{first}' AND {partition} <= '{last}'"
            )
            bounds = f"{column} >= {_literal(low)} AND {column} <= {_literal(high)}"
            self._write(table, pl.concat([kept, new]), f"{span} AND {bounds}")

    def replace_dates(self, table: Table, rows: pl.DataFrame, dates: Sequence[date]) -> None:
        """Replace whole dates of the physical partition by the given rows, in one commit."""
        partition = table.partition
        assert partition is not None
        if not set(self.dates(table)) & set(dates):
            self.append(table, rows)
            return
        listed = ", ".join(f"'{day}'" for day in sorted(dates))
        self._write(table, rows, f"{partition} IN ({listed})")

    def replace_all(self, table: Table, rows: pl.DataFrame) -> bool:
        """Make the table hold exactly these rows; False, and no commit, when it does already."""
        fitted = _fit(table, rows)
        if self.version(table) is not None:
            held = self.read(table).sort(table.primary_key)
            if held.equals(fitted.sort(table.primary_key)):
                return False
        self._write(table, fitted, everything=True)
        return True

    def _write(
        self, table: Table, rows: pl.DataFrame, predicate: str | None = None, *, everything: bool = False
    ) -> None:
        """One commit: append, or replace what the predicate (or everything) selects."""
        fitted = _fit(table, rows)
        options: dict[str, Any] = {
            "partition_by": [table.partition] if table.partition else None,
            "name": table.name,
            "description": table.grain,
            "configuration": PROPERTIES,
            "writer_properties": WRITER,
            "commit_properties": CommitProperties(max_commit_retries=15),
        }
        try:
            target = self.delta(table) or self.uri(table)
            if predicate is None and not everything:
                write_deltalake(target, fitted, mode="append", **options)
            else:
                write_deltalake(target, fitted, mode="overwrite", predicate=predicate, **options)
        except (DeltaError, OSError) as error:
            raise LakeError(
                f"writing {fitted.height:,} rows failed ({type(error).__name__}: {_first_line(error)})",
                where=self.uri(table),
                expected="free space and the right to write",
                remedy="mend that and run again: nothing of this write is visible",
            ) from error


class _Opened(threading.local):
    """The tables that a thread has opened, by place: none is ever used by two threads."""

    def __init__(self) -> None:
        self.tables: dict[str, tuple[tuple[int, int] | None, DeltaTable]] = {}


def _place(uri: str) -> tuple[int, int] | None:
    """What tells a table's folder from another that took its place, as an erasure swaps one in."""
    if is_remote(uri):
        return None
    try:
        status = Path(uri).stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _fit(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the table's column order and sort; refused when a column is missing, odd or null."""
    if rows.schema != table.schema:
        odd = sorted(set(rows.schema.items()) ^ set(table.schema.items()), key=str)
        raise ContractError(
            f"a frame differs in {odd}",
            where=table.id,
            expected="the columns that schemas/ declares",
            remedy="mend the step that made it",
        )
    for column in table.columns:
        if not column.nullable and rows[column.name].null_count():
            raise ContractError(
                f"{rows[column.name].null_count():,} nulls in {column.name}",
                where=table.id,
                expected="a value in every row",
                remedy="mend the step that made it",
            )
    order = table.sort or table.primary_key
    return rows if is_ordered(rows, order) else rows.sort(order)


def consecutive(days: Sequence[date]) -> list[tuple[date, date]]:
    """Runs of consecutive dates as (first, last)."""
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"'{value.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"
    return str(int(value))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else ""
