"""Lists the data files of a Delta snapshot with their statistics, so that a read opens only those it needs.

Polars can do as much from a snapshot, but computes the statistics of all files anew for each read: eight of
the ten milliseconds that reading a minute's rows takes. Tables here have no deletion vectors or mapped
columns.

Why: docs/decisions/0023-reads-open-few-files.md
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from deltalake import DeltaTable

Between = tuple[str, Any, Any]
"""A range filter: a column of whole numbers or whole minutes, and its least and greatest value, included.

Only whole minutes, as the log keeps times in milliseconds and drops what is finer.
"""


@dataclass(frozen=True)
class Listing:
    """One version of a table: its columns, its files, and each file's values of the partition columns.

    bounds: by column, the least and the greatest value in each file; None where the log has none, or one of
    the two is a moment that no date can hold.
    filled: by column, the values that are not null in each file; None where the log has no count.
    """

    version: int
    schema: pl.Schema
    files: list[str]
    partitions: dict[str, list[Any]]
    bounds: dict[str, tuple[list[Any], list[Any]]]
    filled: dict[str, list[int | None]]

    @classmethod
    def of(cls, snapshot: DeltaTable, uri: str, sparse: Sequence[str]) -> "Listing":
        """List the files of a snapshot of the table at `uri`, from its log. sparse: its sparse columns."""
        said = snapshot.get_add_actions(flatten=True)
        names = set(said.schema.names)
        schema = pl.Schema(snapshot.schema())

        def column(name: str) -> list[Any]:
            found: list[Any] = said.column(name).to_pylist()
            return found

        return cls(
            snapshot.version(),
            schema,
            [f"{uri}/{path}" for path in column("path")],
            {name: column(f"partition.{name}") for name in snapshot.metadata().partition_columns},
            {
                name: _bounds(said.column(f"min.{name}"), said.column(f"max.{name}"))
                for name, dtype in schema.items()
                if (dtype == pl.Int64 or isinstance(dtype, pl.Datetime)) and f"min.{name}" in names
            },
            {
                name: [
                    None if rows is None or nulls is None else rows - nulls
                    for rows, nulls in zip(column("num_records"), column(f"null_count.{name}"), strict=True)
                ]
                for name in sparse
                if f"null_count.{name}" in names
            },
        )

    def scan(
        self,
        schema: pl.Schema,
        partition: str | None,
        dates: Iterable[date] | None = None,
        between: Between | None = None,
        holding: str | None = None,
    ) -> pl.LazyFrame:
        """Scan lazily the rows of some dates of the physical partition that lie in a range of a column.

        schema: the columns to read; one that a file lacks is null there. partition: its column; None if the
        table has none. holding: a sparse column that has a value in all these rows. dates, between, holding:
        None for no restriction.
        """
        files = self.files_of(partition, dates, between, holding)
        rows = pl.LazyFrame(schema=schema)
        if files:
            rows = pl.scan_parquet(
                files,
                schema=schema,
                hive_partitioning=bool(self.partitions),
                hive_schema={name: self.schema[name] for name in self.partitions} or None,
                missing_columns="insert",
                extra_columns="ignore",
                glob=False,
            )
        if holding is not None:
            rows = rows.filter(pl.col(holding).is_not_null())
        return rows if between is None else rows.filter(pl.col(between[0]).is_between(*between[1:]))

    def lies_within(self, partition: str, span: tuple[date, date], between: Between) -> bool:
        """Tell whether, by the log, all rows of the dates in `span` lie in a range.

        False if the log has no least and greatest values of the column. span: first and last value of the
        physical partition.
        """
        if between[0] not in self.bounds:
            return False
        (first, last), (low, high), (least, most) = span, between[1:], self.bounds[between[0]]
        return all(
            least[number] is not None and low <= least[number] and most[number] <= high
            for number, day in enumerate(self.partitions[partition])
            if first <= day <= last
        )

    def files_of(
        self,
        partition: str | None,
        dates: Iterable[date] | None = None,
        between: Between | None = None,
        holding: str | None = None,
    ) -> list[str]:
        """Find the files that may hold rows of the dates and the range, in order of date and of its column.

        holding: a sparse column; files without a value of it are left out.

        A log names its files in any order; rows that are read in order need no sorting before a comparison.
        """
        chosen: Iterable[int] = range(len(self.files))
        if dates is not None:
            assert partition is not None
            wanted, held = set(dates), self.partitions[partition]
            chosen = sorted((number for number in chosen if held[number] in wanted), key=held.__getitem__)
        if holding in self.filled:
            chosen = [number for number in chosen if self.filled[holding][number] != 0]
        if between is not None and between[0] in self.bounds:
            least, most = self.bounds[between[0]]
            low, high = between[1:]
            chosen = sorted(
                (
                    number
                    for number in chosen
                    if least[number] is None or (least[number] <= high and most[number] >= low)
                ),
                key=lambda number: (least[number] is not None, least[number]),
            )
        return [self.files[number] for number in chosen]


def _bounds(least: Any, greatest: Any) -> tuple[list[Any], list[Any]]:
    """Convert the bounds of each file to Python values; both are None where one of them is no such value.

    least, greatest: Arrow columns. A last write may be of the year 0, which no date can hold.
    """
    try:
        return least.to_pylist(), greatest.to_pylist()
    except (ValueError, OverflowError):
        pairs = [(_value(low), _value(high)) for low, high in zip(least, greatest, strict=True)]
        whole = [(None, None) if None in pair else pair for pair in pairs]
        return [low for low, _ in whole], [high for _, high in whole]


def _value(scalar: Any) -> Any:
    """Convert an Arrow value to that of Python; None if it is a moment that no date can hold."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return None
