"""Many rows appended at once: data files written here, then named by one commit of Delta.

Delta's own writer takes twice as long for texts that repeat, as it looks each up.
Here such a text may come as a number with a list of the texts (a category), and goes to its file as that.

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
from domotic_assets.schemas.table import Table, categories_of

MANY = 100_000
"""Rows from which on this is faster than Delta's own writer; of fewer, opening a file costs most."""

_FEW = 1_000
"""A list of texts no longer than this goes to each file whole, whether or not the file has all of them."""


def append_many(
    uri: str, present: DeltaTable | None, table: Table, rows: pl.DataFrame, **described: Any
) -> None:
    """Write rows, in the order in which they are to lie, to new files of a table in a folder; one commit.

    rows: of the table's columns, where categories may stand for texts. present: the table, where there is
    one. described: partitions, name, description, configuration and commit properties. One file a value of
    the physical partition. Raises OSError or DeltaError; then nothing of it is visible.
    """
    files = write_files(Path(uri), table, rows)
    if present is None:
        schema = Schema.from_arrow(table.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
        create_table_with_add_actions(uri, schema, files, **described)
    else:
        present.create_write_transaction(
            [*files],
            "append",
            present.schema(),
            described["partition_by"],
            commit_properties=described["commit_properties"],
        )


def write_files(folder: Path, table: Table, rows: pl.DataFrame) -> list[AddAction]:
    """Write rows to new files of a table in a folder, one a value of the physical partition.

    Returns what a commit says of them; before one does, nobody reads them.
    """
    return [_write_file(folder, table, value, part) for value, part in _parts(table, rows)]


def _parts(table: Table, rows: pl.DataFrame) -> Iterator[tuple[date | None, pl.DataFrame]]:
    """Each value of the physical partition, and its rows without that column."""
    if table.partition is None:
        yield None, rows
        return
    values = rows[table.partition]
    for value in values.unique().sort():
        # Where these stand together, which they do but for a table of another order, nothing is copied.
        first, number = values.index_of(value), int((values == value).sum())
        assert first is not None
        part = rows.slice(first, number)
        if not (part[table.partition] == value).all():
            part = rows.filter(values == value)
        yield value, part.drop(table.partition)


def _write_file(folder: Path, table: Table, value: date | None, rows: pl.DataFrame) -> AddAction:
    name = f"part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    path = name if table.partition is None else f"{table.partition}={value}/{name}"
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    counted = [name for name, dtype in rows.schema.items() if is_counted(dtype)]
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
    """The column for its file: categories as numbers and the texts that these stand for."""
    if not isinstance(column.dtype, pl.Categorical):
        return column.to_arrow(compat_level=pl.CompatLevel.oldest())
    # Polars' own way looks through all rows for the texts that they have.
    numbers, texts = column.to_physical(), categories_of(column)
    if texts.len() > _FEW and (used := numbers.drop_nulls().unique().sort()).len() < texts.len():
        places = pl.repeat(0, texts.len(), dtype=pl.UInt32, eager=True).scatter(
            used, pl.int_range(used.len(), dtype=pl.UInt32, eager=True)
        )
        numbers, texts = places[numbers], texts[used]
    # Unchecked: the numbers of a category are those of its texts.
    return pa.DictionaryArray.from_arrays(numbers.to_arrow(), texts.to_arrow(), safe=False)


def _statistics(rows: pl.DataFrame) -> dict[str, Any]:
    """What the log says of a file's columns that are counted."""
    least, most = rows.select(pl.all().min()), rows.select(pl.all().max())
    return {
        "numRecords": rows.height,
        "minValues": _log_values(least.row(0, named=True)),
        "maxValues": _log_values(most.row(0, named=True)),
        "nullCount": {column.name: column.null_count() for column in rows},
    }


def _log_values(bounds: Mapping[str, datetime | date | float | None]) -> dict[str, str | float]:
    """Bounds as the log writes them: times in milliseconds, finer ones cut off; none that JSON cannot say."""
    values: dict[str, str | float] = {}
    for name, value in bounds.items():
        if isinstance(value, datetime):
            values[name] = value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        elif isinstance(value, date):
            values[name] = value.isoformat()
        elif value is not None and math.isfinite(value):
            values[name] = value
    return values
