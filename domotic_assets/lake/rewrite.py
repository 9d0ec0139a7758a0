"""Rewrites a table without its history into a staging folder, and swaps that into the table's place.

For erasure alone: what a Delta commit removes stays in older files and in the log. Which rows go is the
caller's business. A killed process leaves the old table or the new one; `tidy` removes what it left beside.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from domotic_assets.errors import LakeError
from domotic_assets.files_on_disk import sync
from domotic_assets.lake.bulk_append import delta_schema, write_files
from domotic_assets.lake.store import PROPERTIES, Lake
from domotic_assets.schemas.table import Table
from domotic_assets.settings import is_remote

BATCH_ROWS, BATCH_FILES = 200_000, 20_000
"""Rows read at a time, some 100 MB; the second figure is for tables that hold whole files."""
FILE_BYTES = 200 * 1024 * 1024
"""Size in memory at which rows are written to one file."""

_AT_WORKING_FOLDER, _EXCHANGE = -100, 2

Batches = Iterator[pl.DataFrame]
Change = Callable[[date | None, Batches], Batches]
"""Maps a value of the partition and its rows to the rows that the new table has there."""


@dataclass(frozen=True)
class Rewritten:
    """Number of rows of the table before and after, and the Delta versions of both."""

    rows_before: int
    rows_after: int
    version_before: int
    version_after: int


def require_folder(lake: Lake) -> None:
    """Raise LakeError for a lake in an object store: no folder can be swapped for another there."""
    if is_remote(lake.root):
        raise LakeError(
            "an object store cannot put one folder in the place of another",
            where=lake.root,
            expected="a lake in a folder of this machine",
            remedy="copy the lake to a folder, work on it there, and replace the remote one by the copy",
        )


def batches(lake: Lake, table: Table, day: date | None = None) -> Batches:
    """Yield the rows of a table, or of one value of its partition, in frames that fit in memory."""
    many = BATCH_FILES if pl.Binary in table.schema.values() else BATCH_ROWS
    for file in lake.files(table, None if day is None else [day]):
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(many):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                if day is not None:
                    frame = frame.with_columns(pl.lit(day).alias(str(table.partition)))
                # A file from before a column was added lacks it.
                whole = pl.concat([table.empty(), frame], how="diagonal_relaxed")
                yield whole.select(table.schema.names()).cast(table.schema)


def write_staged(lake: Lake, table: Table, change: Change) -> Rewritten:
    """Write the changed table into its staging folder, in one commit, and flush it to disk.

    The table must exist, and is not touched. Raises LakeError if the copy cannot be written.
    """
    held = lake.delta(table)
    assert held is not None
    staging = _staging(lake, table)
    shutil.rmtree(staging, ignore_errors=True)
    before = after = 0

    def counted(rows: Batches) -> Batches:
        nonlocal before
        for frame in rows:
            before += frame.height
            yield frame

    files: list[AddAction] = []
    try:
        days: list[date | None] = [*lake.dates(table)] if table.partition else [None]
        for day in days:
            for rows in _gathered(change(day, counted(batches(lake, table, day)))):
                files += write_files(staging, table, rows)
                after += rows.height
        create_table_with_add_actions(
            str(staging),
            delta_schema(table),
            files,
            partition_by=[table.partition] if table.partition else None,
            name=table.name,
            description=table.grain,
            configuration=PROPERTIES,
        )
        _sync_tree(staging)
    except (DeltaError, OSError) as error:
        raise _unwritable(staging, error) from error
    return Rewritten(before, after, held.version(), DeltaTable(str(staging)).version())


def put_in_place(lake: Lake, table: Table) -> None:
    """Replace the table by the staged one, and delete the old one; raises LakeError if that fails."""
    present, staging = Path(lake.uri(table)), _staging(lake, table)
    try:
        if not _exchange(present, staging):
            # This system cannot swap in one step; `tidy` repairs what a kill in between leaves.
            present.rename(_replaced(lake, table))
            staging.rename(present)
        sync(present.parent)
    except OSError as error:
        raise _unwritable(present, error) from error
    tidy(lake, table)


def tidy(lake: Lake, table: Table) -> None:
    """Remove what a rewrite left beside the table, finished or not; restore a table that was moved away."""
    present, replaced = Path(lake.uri(table)), _replaced(lake, table)
    if replaced.exists() and not present.exists():
        replaced.rename(present)
    for folder in (_staging(lake, table), replaced):
        if folder.exists():
            shutil.rmtree(folder)


def _gathered(rows: Batches) -> Batches:
    """Join small frames until they reach FILE_BYTES in memory, and yield them; empty frames are left out."""
    held: list[pl.DataFrame] = []
    size = 0
    for frame in rows:
        if frame.height:
            held.append(frame)
            size += int(frame.estimated_size())
        if size >= FILE_BYTES:
            yield pl.concat(held)
            held, size = [], 0
    if held:
        yield pl.concat(held)


def _staging(lake: Lake, table: Table) -> Path:
    """Return the folder that a table is rewritten into before it replaces the present table."""
    return Path(lake.root, table.layer, f".{table.name}.rewritten")


def _replaced(lake: Lake, table: Table) -> Path:
    """Return the folder that the old table is moved to if two folders cannot be swapped in one step."""
    return Path(lake.root, table.layer, f".{table.name}.replaced")


def _exchange(one: Path, other: Path) -> bool:
    """Swap the names of two folders in one atomic step; False if the system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    names = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_AT_WORKING_FOLDER, names[0], _AT_WORKING_FOLDER, names[1], _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(number, os.strerror(number))


def _sync_tree(folder: Path) -> None:
    """Flush a folder and everything below it to disk; raises OSError."""
    for path in [folder, *folder.rglob("*")]:
        sync(path)


def _unwritable(where: Path, error: Exception) -> LakeError:
    """Make the error for a table that cannot be rewritten. where: the folder. error: the cause."""
    said = str(error).partition("\n")[0][:300]
    return LakeError(
        f"the table cannot be written anew ({type(error).__name__}: {said})",
        where=str(where),
        expected="free space for a second copy of the table, and the right to write",
        remedy="mend that and run again: it goes on where it was",
    )
