"""Writes a table anew, history and all, into a folder beside it, and puts that in the table's place.

For erasure alone: what a Delta commit takes out stays in older files and in the log. Whose rows go is the
caller's business. Whoever is killed leaves the old table or the new one; `tidy` removes what lies beside.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from domotic_assets.errors import LakeError
from domotic_assets.lake.file_format import writer_of
from domotic_assets.lake.store import PROPERTIES, Lake
from domotic_assets.schemas.table import Table
from domotic_assets.settings import is_remote

BATCH_ROWS = 20_000
"""Rows held at once: of bronze about 100 MB of bytes."""

_AT_WORKING_FOLDER, _EXCHANGE = -100, 2

Batches = Iterator[pl.DataFrame]
Change = Callable[[date | None, Batches], Batches]
"""From the partition's value and its rows to the rows that the new table has there."""


@dataclass(frozen=True)
class Rewritten:
    """Rows of the table before and after, and the Delta versions of both."""

    rows_before: int
    rows_after: int
    version_before: int
    version_after: int


def require_folder(lake: Lake) -> None:
    """Raise LakeError for a lake in an object store: nothing can be put in a table's place there."""
    if is_remote(lake.root):
        raise LakeError(
            "an object store cannot put one folder in the place of another",
            where=lake.root,
            expected="a lake in a folder of this machine",
            remedy="copy the lake to a folder, work on it there, and replace the remote one by the copy",
        )


def batches(lake: Lake, table: Table, day: date | None = None) -> Batches:
    """The rows of a table, or of one value of its partition, in pieces that fit the memory."""
    held = lake.delta(table)
    if held is None:
        return
    chosen = None if day is None else f"{table.partition} = '{day}'"
    for file in held.file_uris(file_pruning_predicate=chosen):
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                if day is not None:
                    frame = frame.with_columns(pl.lit(day).alias(str(table.partition)))
                yield frame.select(table.schema.names()).cast(table.schema)


def write_aside(lake: Lake, table: Table, change: Change) -> Rewritten:
    """Write the changed table into the folder beside it, on disk to the last byte; one commit a date."""
    held = lake.delta(table)
    assert held is not None
    aside = _aside(lake, table)
    shutil.rmtree(aside, ignore_errors=True)
    before = after = 0

    def counted(rows: Batches) -> Batches:
        nonlocal before
        for frame in rows:
            before += frame.height
            yield frame

    try:
        DeltaTable.create(
            str(aside),
            schema=held.schema(),
            partition_by=[table.partition] if table.partition else None,
            name=table.name,
            description=table.grain,
            configuration=PROPERTIES,
        )
        days: list[date | None] = [*lake.dates(table)] if table.partition else [None]
        for day in days:
            rows = change(day, counted(batches(lake, table, day)))
            after += _append(aside, rows, writer_of(table))
        _sync_tree(aside)
    except (DeltaError, OSError) as error:
        raise _unwritable(aside, error) from error
    return Rewritten(before, after, held.version(), DeltaTable(str(aside)).version())


def put_in_place(lake: Lake, table: Table) -> None:
    """Make the table that was written aside the table, and delete the one before."""
    present, aside = Path(lake.uri(table)), _aside(lake, table)
    try:
        if not _exchange(present, aside):
            # Here the system cannot do both at once; `tidy` mends what is killed in between.
            present.rename(_replaced(lake, table))
            aside.rename(present)
        _sync(present.parent)
    except OSError as error:
        raise _unwritable(present, error) from error
    tidy(lake, table)


def tidy(lake: Lake, table: Table) -> None:
    """Remove what a rewriting left beside the table, finished or not; the table itself is there after."""
    present, replaced = Path(lake.uri(table)), _replaced(lake, table)
    if replaced.exists() and not present.exists():
        replaced.rename(present)
    for folder in (_aside(lake, table), replaced):
        if folder.exists():
            shutil.rmtree(folder)


def _append(folder: Path, rows: Batches, writer: WriterProperties) -> int:
    """One commit of some rows; their number. Nothing is written for none."""
    filled = (frame for frame in rows if frame.height)
    first = next(filled, None)
    if first is None:
        return 0
    written = 0

    def pieces(frames: Iterator[pl.DataFrame]) -> Iterator[pa.RecordBatch]:
        nonlocal written
        for frame in frames:
            written += frame.height
            yield from _arrow(frame).to_batches()

    reader = pa.RecordBatchReader.from_batches(_arrow(first).schema, pieces(chain([first], filled)))
    write_deltalake(str(folder), reader, mode="append", writer_properties=writer)
    return written


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _aside(lake: Lake, table: Table) -> Path:
    return Path(lake.root, table.layer, f".{table.name}.rewritten")


def _replaced(lake: Lake, table: Table) -> Path:
    return Path(lake.root, table.layer, f".{table.name}.replaced")


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step of the system; False where it cannot."""
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
    for path in [folder, *folder.rglob("*")]:
        _sync(path)


def _sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(where: Path, error: Exception) -> LakeError:
    said = str(error).partition("\n")[0][:300]
    return LakeError(
        f"the table cannot be written anew ({type(error).__name__}: {said})",
        where=str(where),
        expected="free space for a second copy of the table, and the right to write",
        remedy="mend that and run again: it goes on where it was",
    )
