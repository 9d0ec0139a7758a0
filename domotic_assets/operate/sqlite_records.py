"""Erases a home from a lake's Dagster records: from SQLite files row by row, other files as a whole.

A run that mentions the home is removed with all its events. So is a single row outside of any run that
mentions it. The rest of a database is rewritten, as freed pages keep their bytes. Windows, and runs that do
not mention the home, stay: without them the feed would not know which days are kept in detail.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domotic_assets.alerts import memory
from domotic_assets.errors import LakeError
from domotic_assets.escaping import identifier
from domotic_assets.lake.traces import Needles

_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True)
class Cleaned:
    """Counts of what was removed: runs, single rows that belong to no run, and files."""

    runs: int
    rows: int
    files: int


def cells(file: Path) -> Iterator[tuple[str, int, str | None, list[Any]]]:
    """Read every row of a SQLite file: table, rowid, id of its run (None if it has none), decompressed cells.

    Tables without a rowid are skipped.
    """
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for table in _tables(connection):
            rows = connection.execute(f"SELECT rowid, * FROM {identifier(table)}")  # noqa: S608
            columns = [column[0] for column in rows.description][1:]
            for number, *values in rows:
                run = dict(zip(columns, values, strict=True)).get("run_id")
                yield table, number, run, list(map(_inflated, values))


def says(needles: Needles, row: list[Any]) -> bool:
    """Return whether a cell of a row contains one of the needles."""
    for cell in row:
        if isinstance(cell, str) and needles.in_text(cell):
            return True
        if isinstance(cell, bytes) and needles.in_bytes(cell):
            return True
    return False


def is_sqlite(file: Path) -> bool:
    """Return whether a file is a SQLite database, by its first bytes."""
    with file.open("rb") as handle:
        return handle.read(len(_MAGIC)) == _MAGIC


def clean(folder: Path, needles: Needles) -> Cleaned:
    """Remove everything that contains a needle from Dagster's records in a folder; count what was removed."""
    databases = [file for file in sorted(folder.rglob("*")) if file.is_file() and is_sqlite(file)]
    runs: set[str] = set()
    rows: dict[Path, list[tuple[str, int]]] = {}
    for file in databases:
        for table, number, run, row in cells(file):
            if says(needles, row):
                if run is None:
                    rows.setdefault(file, []).append((table, number))
                else:
                    runs.add(run)
    files = 0
    for file in databases:
        # Dagster keeps the events of a run in a database named after the run.
        if file.stem in runs:
            file.unlink()
            for ending in ("-wal", "-shm", "-journal"):
                file.with_name(file.name + ending).unlink(missing_ok=True)
            files += 1
        else:
            _rewrite(file, runs, rows.get(file, []))
    for run in runs:
        shutil.rmtree(folder / "storage" / run, ignore_errors=True)
    _clean_alerts(folder, needles)
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or is_sqlite(file):
            continue
        if needles.in_text(file.name) or needles.in_bytes(file.read_bytes()):
            file.unlink()
            files += 1
    return Cleaned(len(runs), sum(map(len, rows.values())), files)


def _rewrite(file: Path, runs: set[str], rows: list[tuple[str, int]]) -> None:
    """Delete runs' rows and single rows, and rewrite the file without free pages or write-ahead log.

    rows: table and rowid of each. Raises LakeError if the file cannot be written.
    """
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in _tables(connection):
                described = connection.execute(f"SELECT * FROM {identifier(table)} LIMIT 0")  # noqa: S608
                if "run_id" in [column[0] for column in described.description]:
                    connection.executemany(
                        f"DELETE FROM {identifier(table)} WHERE run_id = ?",  # noqa: S608
                        [(run,) for run in runs],
                    )
            for table, number in rows:
                connection.execute(f"DELETE FROM {identifier(table)} WHERE rowid = ?", (number,))  # noqa: S608
            connection.execute("COMMIT")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise LakeError(
            f"Dagster's records cannot be written anew ({error})",
            where=str(file),
            expected="a free SQLite file and room for a second copy of it",
            remedy="end what works on this lake and run again",
        ) from None


def _clean_alerts(folder: Path, needles: Needles) -> None:
    """Remove the incidents and failed runs that mention the home from the alerts' memory."""
    if not (folder / memory.FILE).exists():
        return
    memory.remember(folder, memory.without(memory.recall(folder), needles.in_text))


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables of a database that have a rowid."""
    named = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%'"
    )
    return [name for (name,) in named]


def _inflated(cell: Any) -> Any:
    """Decompress a cell that Dagster has compressed, such as a snapshot; return others unchanged."""
    if isinstance(cell, bytes):
        try:
            return zlib.decompress(cell)
        except zlib.error:
            return cell
    return cell
