"""Reads, appends to and replaces the lake's tables. Only Delta belongs here.

A table is written with the columns and in the sort order that `schemas` declares; a frame of another shape is
refused. Rows are never merged: they are appended, or a range of them is replaced in one commit.

Why: docs/decisions/0001-delta-append-or-replace.md, docs/decisions/0022-tables-stay-open.md
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.lake import added_columns
from domotic_assets.lake.bulk_append import MANY, append_many
from domotic_assets.lake.file_format import writer_of
from domotic_assets.lake.listing import Between, Listing
from domotic_assets.schemas.table import Table, as_texts, is_ordered
from domotic_assets.settings import is_remote

PROPERTIES = {
    # The default, made explicit: every hundredth commit also removes expired log files.
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 6 hours",
    # How long checkpoints remember replaced files: as long as `upkeep` keeps them.
    "delta.deletedFileRetentionDuration": "interval 24 hours",
}
"""Delta properties that limit a table's log: at a commit a minute about 360 + 100 log files stay."""

Marks = Mapping[str, int]
"""Transaction versions by name, which a commit writes to the log together with its rows, all or nothing
(Delta's application transactions). If two writers commit the same name at the same time, one is refused."""
NO_MARKS: Marks = {}


class Lake:
    """Delta tables below one root: a folder or an object store."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self._opened = _Opened()

    def require_writable(self) -> None:
        """Raise LakeError if no files can be written below the root; a remote root is not tested."""
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
        """Return the address of the table."""
        return f"{self.root}/{table.id}"

    def delta(self, table: Table) -> DeltaTable | None:
        """Return the table's current snapshot; None if the table does not exist.

        A thread opens a table once, and later only adds what others have committed since: opening reads the
        log from its last checkpoint on, which takes ten times as long.
        """
        opened = self._open(table)
        return None if opened is None else opened.snapshot

    def _open(self, table: Table) -> "_Open | None":
        """Open a table, or update the snapshot that this thread has open; None if the table does not exist.

        A table whose folder was replaced by another one is opened again.
        """
        uri = self.uri(table)
        place = _place(uri)
        opened = self._opened.tables.get(uri)
        try:
            if opened is None or opened.place != place:
                opened = self._opened.tables[uri] = _Open(place, DeltaTable(uri))
            elif not _is_newest(uri, opened.snapshot.version()):
                opened.snapshot.update_incremental()
        except TableNotFoundError:
            self._opened.tables.pop(uri, None)
            return None
        return opened

    def _listing(self, table: Table) -> Listing | None:
        """List the files of the current snapshot; None if the table does not exist."""
        opened = self._open(table)
        if opened is None:
            return None
        if opened.listing is None or opened.listing.version != opened.snapshot.version():
            opened.listing = Listing.of(opened.snapshot, self.uri(table), table.sparse_columns)
        if list(opened.listing.partitions) != ([table.partition] if table.partition else []):
            raise LakeError(
                f"the table is partitioned by {sorted(opened.listing.partitions) or 'nothing'}",
                where=self.uri(table),
                expected=table.partition or "no partitions",
                remedy="move its folder away, and build again: it was not written by this program",
            )
        return opened.listing

    def held_schema(self, table: Table) -> pl.Schema | None:
        """Return the columns of the stored table, whatever `schemas` declares; None if it does not exist."""
        listing = self._listing(table)
        return None if listing is None else listing.schema

    def version(self, table: Table) -> int | None:
        """Return the Delta version of the table; None if the table does not exist."""
        snapshot = self.delta(table)
        return None if snapshot is None else snapshot.version()

    def files(self, table: Table, dates: Iterable[date] | None = None) -> list[str]:
        """List the Parquet files of the current snapshot, or of some dates of its physical partition."""
        listing = self._listing(table)
        return [] if listing is None else listing.files_of(table.partition, dates)

    def snapshot(self, table: Table) -> tuple[int, list[str]]:
        """Return version and Parquet files of one snapshot; -1 and no files if the table does not exist."""
        snapshot = self.delta(table)
        return (-1, []) if snapshot is None else (snapshot.version(), snapshot.file_uris())

    def dates(self, table: Table) -> list[date]:
        """Return the values of the physical partition that hold rows, oldest first."""
        listing = self._listing(table)
        if listing is None or table.partition is None:
            return []
        return sorted(set(listing.partitions[table.partition]))

    def read(
        self,
        table: Table,
        *,
        dates: Iterable[date] | None = None,
        between: Between | None = None,
        where: pl.Expr | None = None,
        holding: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Read the rows of some dates of the physical partition, of a range, and of a condition.

        holding: only rows in which this sparse column has a value. None means no restriction; columns: None
        for all. Files without rows of the dates and the range, or without a value, are not opened; a
        condition alone opens all.
        """
        rows = self.scan(table, dates=dates, between=between, holding=holding)
        if where is not None:
            rows = rows.filter(where)
        return rows.select(columns or table.schema.names()).collect()

    def scan(
        self,
        table: Table,
        *,
        dates: Iterable[date] | None = None,
        between: Between | None = None,
        holding: str | None = None,
    ) -> pl.LazyFrame:
        """Scan lazily the rows of some dates of the physical partition and of a range; None for all.

        holding: as in `read`.

        Polars' own scan does not find files below a folder with a space in its name.
        """
        listing = self._listing(table)
        if listing is None:
            return table.empty().lazy()
        schema = added_columns.read_schema(table, listing.schema)
        return listing.scan(schema, table.partition, dates, between, holding)

    def mark(self, table: Table, name: str) -> int:
        """Return the last transaction version committed under this name; 0 if there is none."""
        snapshot = self.delta(table)
        return 0 if snapshot is None else snapshot.transaction_version(name) or 0

    def create(self, table: Table) -> None:
        """Create the table without rows if it does not exist: a step that found none has done its work."""
        if self.version(table) is None:
            self._write(table, table.empty())

    def append(self, table: Table, rows: pl.DataFrame, marks: Marks = NO_MARKS) -> bool:
        """Append rows in one commit; nothing is written if there are none. Returns whether rows were."""
        if not rows.is_empty():
            self._write(table, rows, marks=marks)
        return not rows.is_empty()

    def replace_values(
        self,
        table: Table,
        rows: pl.DataFrame,
        column: str,
        values: pl.Series,
        dates: pl.Series,
        marks: Marks = NO_MARKS,
    ) -> bool:
        """Replace every row whose `column` is one of `values` by the given rows.

        column: one that grows with the physical partition (a minute). dates: the partition of each value.
        Makes one commit for each run of consecutive dates, so that a distant value does not make everything
        in between be rewritten. Returns whether anything was written.

        If the table has no row from the least to the greatest value, rows are appended, which saves the
        search for rows to replace. If the dates hold only rows to replace, they are replaced whole, which
        saves the search in their files. marks: transaction versions to commit with the rows.
        """
        partition = table.partition
        assert partition is not None
        present = set(self.dates(table))
        wrote = False
        for first, last in consecutive(dates.unique().sort().to_list()):
            inside = values.filter(dates.is_between(first, last))
            new = rows.filter(pl.col(partition).is_between(first, last))
            low, high = inside.min(), inside.max()
            days = [day for day in present if first <= day <= last]
            between = (column, low, high)
            held = self.read(table, dates=days, between=between, columns=[column])[column]
            if held.is_empty():
                wrote |= self.append(table, new, marks)
                continue
            if not held.is_in(inside.implode()).all():
                others = ~pl.col(column).is_in(inside.implode())
                kept = self.read(table, dates=days, between=between, where=others)
                new = pl.concat([kept, as_texts(new)])
            span = (
                f"{partition} = '{first}'"
                if first == last
                else f"{partition} >= '{first}' AND {partition} <= '{last}'"
            )
            bounds = f"{column} >= {_literal(low)} AND {column} <= {_literal(high)}"
            whole = self._holding_only(table, (first, last), between)
            self._write(table, new, span if whole else f"{span} AND {bounds}", onto=whole, marks=marks)
            wrote = True
        return wrote

    def _holding_only(self, table: Table, span: tuple[date, date], between: Between) -> DeltaTable | None:
        """Return the current snapshot if, by its log, all rows of the span lie in the range; else None."""
        listing = self._listing(table)
        assert table.partition is not None
        if listing is None or not listing.lies_within(table.partition, span, between):
            return None
        return self._opened.tables[self.uri(table)].snapshot

    def replace_dates(
        self, table: Table, rows: pl.DataFrame, dates: Sequence[date], marks: Marks = NO_MARKS
    ) -> None:
        """Replace whole dates of the physical partition by the given rows, in one commit."""
        partition = table.partition
        assert partition is not None
        if not set(self.dates(table)) & set(dates):
            self.append(table, rows, marks)
            return
        listed = ", ".join(f"'{day}'" for day in sorted(dates))
        self._write(table, rows, f"{partition} IN ({listed})", marks=marks)

    def replace_all(self, table: Table, rows: pl.DataFrame) -> bool:
        """Make the table hold exactly these rows; False, without a commit, if it does already."""
        fitted = _fit(table, rows)
        if self.version(table) is not None:
            held = self.read(table).sort(table.primary_key)
            if held.equals(fitted.sort(table.primary_key)):
                return False
        self._write(table, fitted, everything=True)
        return True

    def _write(
        self,
        table: Table,
        rows: pl.DataFrame,
        predicate: str | None = None,
        *,
        everything: bool = False,
        onto: DeltaTable | None = None,
        marks: Marks = NO_MARKS,
    ) -> None:
        """Make one commit: append, or replace the rows that the predicate selects (or everything).

        onto: the snapshot that the predicate was made for. Rows that others commit after it are never lost:
        Delta keeps them, or refuses the commit. Raises LakeError; then nothing of the commit is visible.
        """
        fitted = _fit(table, rows)
        described: dict[str, Any] = {
            "partition_by": [table.partition] if table.partition else None,
            "name": table.name,
            "description": table.grain,
            "configuration": PROPERTIES,
            "commit_properties": CommitProperties(
                max_commit_retries=15,
                app_transactions=[Transaction(name, number) for name, number in marks.items()],
            ),
        }
        try:
            present = onto or self.delta(table)
            if present is not None:
                added_columns.add(present, table)
            if predicate is None and not everything and fitted.height >= MANY and not is_remote(self.root):
                append_many(self.uri(table), present, table, fitted, **described)
                return
            target, texts = present or self.uri(table), as_texts(fitted)
            described["writer_properties"] = writer_of(table)
            if predicate is not None or everything:
                write_deltalake(target, texts, mode="overwrite", predicate=predicate, **described)
            else:
                write_deltalake(target, texts, mode="append", **described)
        except (DeltaError, OSError) as error:
            raise LakeError(
                f"writing {fitted.height:,} rows failed ({type(error).__name__}: {_first_line(error)})",
                where=self.uri(table),
                expected="free space and the right to write",
                remedy="mend that and run again: nothing of this write is visible",
            ) from error


@dataclass
class _Open:
    """An opened table: what identifies its folder, its snapshot, and the files of the version last read."""

    place: tuple[int, int] | None
    snapshot: DeltaTable
    listing: Listing | None = None


class _Opened(threading.local):
    """The tables that the present thread has opened, by address; threads share none."""

    def __init__(self) -> None:
        self.tables: dict[str, _Open] = {}


def _is_newest(uri: str, version: int) -> bool:
    """Tell whether a version is the table's last, by looking for two log files.

    Versions have no gaps. If the log was cleared of this version, the next may be missing too: the answer is
    False, as it is for a remote table.
    """
    log = f"{uri}/_delta_log"
    return (
        not is_remote(uri)
        and Path(log, f"{version:020}.json").exists()
        and not Path(log, f"{version + 1:020}.json").exists()
    )


def _place(uri: str) -> tuple[int, int] | None:
    """Identify a table's folder by inode and time of change, as an erasure swaps another into its place.

    None if it is remote or does not exist.
    """
    if is_remote(uri):
        return None
    try:
        status = Path(uri).stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _fit(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Check the rows' columns, and sort the rows as the table declares within each partition.

    Texts may be categorical. Raises ContractError if a column is missing, unknown, of another type, or has
    nulls that the table does not allow.
    """
    schema = as_texts(rows.clear()).schema
    if schema != table.schema:
        odd = sorted(set(schema.items()) ^ set(table.schema.items()), key=str)
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
    order = tuple(table.sort or table.primary_key)
    # Each value of the partition has files of its own, so rows ordered by partition first need no sorting.
    by_partition = (table.partition, *order) if table.partition else order
    return rows if is_ordered(rows, by_partition) or is_ordered(rows, order) else rows.sort(order)


def consecutive(days: Sequence[date]) -> list[tuple[date, date]]:
    """Group sorted dates into runs of consecutive ones, as (first, last)."""
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _literal(value: Any) -> str:
    """Format a UTC moment or a whole number as a literal in Delta's SQL."""
    if isinstance(value, datetime):
        return f"'{value.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"
    return str(int(value))


def _first_line(error: Exception) -> str:
    """Return the first line of an error's text, at most 300 characters; empty if it has no text."""
    return str(error).splitlines()[0][:300] if str(error) else ""
