"""Compacts small files of tables, removes files that are no longer needed, and keeps logs short.

No row changes here, and a table that is in order gets no commit. Upkeep may be repeated at any time, beside
writers too: if it conflicts with a writer of the same date, it has compacted nothing and may run again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from domotic_assets.errors import LakeError
from domotic_assets.lake.file_format import writer_of
from domotic_assets.lake.store import PROPERTIES, Lake
from domotic_assets.schemas.table import Table
from domotic_assets.settings import is_remote

RETENTION_HOURS = 24
"""How long a replaced file is kept, for readers of the older version."""


@dataclass(frozen=True)
class Upkept:
    """What was done to a table: data files of its snapshot and their bytes, before and after; files removed.

    log_files_removed: those removed, less those added.
    """

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    data_files_removed: int
    log_files_removed: int


def keep_up(
    lake: Lake,
    table: Table,
    dates: Collection[date] = (),
    *,
    retention_hours: int = RETENTION_HOURS,
) -> Upkept | None:
    """Compact dates of a table, delete old data files and log files; None if the table does not exist.

    dates: those to compact; a table without partitions is always compacted whole. Each date gets one file, up
    to the size that Delta aims at (100 MB). Rows keep the order in which they were written; only the rewrite
    of a sealed day sorts them.
    retention_hours: how long a data file is kept after a newer version of the table replaced it. Log files
    older than `delta.logRetentionDuration` in `PROPERTIES` are deleted here. Delta deletes them as well, at
    every hundredth commit. Raises LakeError if it fails, as in a conflict with a writer.
    """
    delta = lake.delta(table)
    if delta is None:
        return None
    try:
        files_before, bytes_before = _size(delta)
        log_before = _log_files(lake.uri(table))
        _set_properties(delta)
        _compact(delta, table, dates)
        removed = _vacuum(delta, retention_hours)
        delta.cleanup_metadata()
        delta.update_incremental()
        files_after, bytes_after = _size(delta)
        log_after = _log_files(lake.uri(table))
    except (DeltaError, OSError) as error:
        raise LakeError(
            f"upkeep failed ({type(error).__name__}: {str(error).partition(chr(10))[0][:300]})",
            where=lake.uri(table),
            expected="free space, and no other writer of the same date at that moment",
            remedy="run it again: no row is touched",
        ) from error
    return Upkept(files_before, files_after, bytes_before, bytes_after, removed, log_before - log_after)


def _set_properties(delta: DeltaTable) -> None:
    """Set the `PROPERTIES` that a table lacks or has with other values, as older code may have made it."""
    held = delta.metadata().configuration
    if lacking := {name: value for name, value in PROPERTIES.items() if held.get(name) != value}:
        delta.alter.set_table_properties(lacking)


def _compact(delta: DeltaTable, table: Table, dates: Collection[date]) -> None:
    """Compact each date into one file; Delta commits nothing for dates that have one already."""
    if table.partition is None:
        delta.optimize.compact(writer_properties=writer_of(table))
    elif dates:
        listed = [(table.partition, "in", [day.isoformat() for day in sorted(dates)])]
        delta.optimize.compact(partition_filters=listed, writer_properties=writer_of(table))


def _vacuum(delta: DeltaTable, retention_hours: int) -> int:
    """Delete data files that no snapshot of the last `retention_hours` needs, and files of killed writers.

    Returns their number. Nothing is committed if there is nothing to delete.
    """
    removed = delta.vacuum(retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
    return len(removed)


def _size(delta: DeltaTable) -> tuple[int, int]:
    """Return the number of data files of the snapshot, and their bytes."""
    sizes: list[int] = delta.get_add_actions(flatten=True)["size_bytes"].to_pylist()
    return len(sizes), sum(sizes)


def _log_files(uri: str) -> int:
    """Count the files of a table's log; 0 for a remote lake, where they are not counted."""
    return 0 if is_remote(uri) else sum(1 for _ in Path(uri, "_delta_log").iterdir())
