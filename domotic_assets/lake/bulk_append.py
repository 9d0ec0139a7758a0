"""Appends many rows to a table: writes the data files here, then names them in one Delta commit.

Delta's own writer takes twice as long for repeated texts, as it looks up each one. Here such a column may be
categorical (a number in each row, and a list of the texts), and is written to the file in that form.

Why: docs/decisions/0028-many-rows-at-once.md
"""

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.transaction import AddAction, create_table_with_add_actions

from domotic_assets.lake.file_format import COMPRESSION_LEVEL, is_counted
from domotic_assets.schemas.table import Table, as_texts, categories_of

MANY = 100_000
"""Rows from which on this is faster than Delta's own writer; with fewer, opening a file costs most."""

_FIRST, _LAST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))

_FEW = 1_000
"""A list of at most this many texts is written to each file whole, even if the file does not use them all."""


def append_many(
    uri: str, present: DeltaTable | None, table: Table, rows: pl.DataFrame, **described: Any
) -> None:
    """Append rows to a table in a folder: write new data files, then make one commit.

    rows: the table's columns, in the order to be written; texts may be categorical. present: the table; None
    to create it. described: partitions, name, description, configuration and commit properties.
    One file is written per value of the physical partition.
    Raises OSError or DeltaError; then none of the rows is visible.
    """
    files = write_files(Path(uri), table, rows)
    if present is None:
        create_table_with_add_actions(uri, delta_schema(table), files, **described)
    else:
        present.create_write_transaction(
            [*files],
            "append",
            present.schema(),
            described["partition_by"],
            commit_properties=described["commit_properties"],
        )


def delta_schema(table: Table) -> Schema:
    """Return the columns of a table as Delta declares them."""
    return Schema.from_arrow(table.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema)


def write_files(folder: Path, table: Table, rows: pl.DataFrame) -> list[AddAction]:
    """Write rows to new files of a table in a folder, one per value of the physical partition.

    Returns the add actions for a commit; the files are not read before a commit names them.
    """
    return [_write_file(folder, table, value, part) for value, part in _parts(table, rows)]


def _parts(table: Table, rows: pl.DataFrame) -> Iterator[tuple[date | None, pl.DataFrame]]:
    """Yield each value of the physical partition with its rows, without the partition's column.

    For a table without partitions it yields None with all rows.
    """
    if table.partition is None:
        yield None, rows
        return
    values = rows[table.partition]
    for value in values.unique().sort():
        # Rows of one value are contiguous unless the table has another sort order: a slice copies nothing.
        first, number = values.index_of(value), int((values == value).sum())
        assert first is not None
        part = rows.slice(first, number)
        if not (part[table.partition] == value).all():
            part = rows.filter(values == value)
        yield value, part.drop(table.partition)


def _write_file(folder: Path, table: Table, value: date | None, rows: pl.DataFrame) -> AddAction:
    """Write rows to one new Parquet file of a table, and return its add action for a Delta commit.

    folder: the table's. value: the physical partition of all these rows; None if the table has no partitions.
    """
    name = f"part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    path = name if table.partition is None else f"{table.partition}={value}/{name}"
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    counted = [column.name for column in table.columns if is_counted(column) and column.name in rows.columns]
    pq.write_table(
        pa.table({column.name: as_arrow(column) for column in rows}),
        file,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        store_schema=False,
        use_dictionary=[name for name in rows.columns if not rows[name].dtype.is_float()],
        write_statistics=counted,
    )
    status = file.stat()
    return AddAction(
        path,
        status.st_size,
        {} if table.partition is None else {table.partition: str(value)},
        int(status.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(_statistics(rows.select(counted))),
    )


def as_arrow(column: pl.Series) -> pa.Array:
    """Convert a column for its file; categories become numbers with a dictionary of their texts."""
    if not isinstance(column.dtype, pl.Categorical):
        return column.to_arrow(compat_level=pl.CompatLevel.oldest())
    # Polars' own conversion searches all rows for the texts in use.
    numbers, texts = column.to_physical(), categories_of(column)
    if texts.len() > _FEW and (used := numbers.drop_nulls().unique().sort()).len() < texts.len():
        places = pl.repeat(0, texts.len(), dtype=pl.UInt32, eager=True).scatter(
            used, pl.int_range(used.len(), dtype=pl.UInt32, eager=True)
        )
        numbers, texts = places[numbers], texts[used]
    # Unchecked: the numbers of a category are always valid indices of its texts.
    return pa.DictionaryArray.from_arrays(numbers.to_arrow(), texts.to_arrow(), safe=False)


def _statistics(rows: pl.DataFrame) -> dict[str, Any]:
    """Compute the statistics that the log keeps of a file; rows: the columns that `is_counted` accepts.

    A moment that no date can hold, as of the year 10000, is no bound.
    """
    rows = as_texts(rows)
    in_a_date = pl.when(pl.col(pl.Datetime("us", "UTC")).is_between(_FIRST, _LAST)).then(
        pl.col(pl.Datetime("us", "UTC"))
    )
    least, most = (
        edge.with_columns(in_a_date) for edge in (rows.select(pl.all().min()), rows.select(pl.all().max()))
    )
    return {
        "numRecords": rows.height,
        "minValues": _log_values(least.row(0, named=True)),
        "maxValues": _log_values(most.row(0, named=True)),
        "nullCount": {column.name: column.null_count() for column in rows},
    }


def _log_values(bounds: Mapping[str, datetime | date | str | float | None]) -> dict[str, str | float]:
    """Format bounds for the log: times cut to milliseconds, without nulls and what JSON cannot express."""
    values: dict[str, str | float] = {}
    for name, value in bounds.items():
        if isinstance(value, datetime):
            values[name] = value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        elif isinstance(value, date):
            values[name] = value.isoformat()
        elif isinstance(value, str) or (value is not None and math.isfinite(value)):
            values[name] = value
    return values
