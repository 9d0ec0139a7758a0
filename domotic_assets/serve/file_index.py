"""Records which Parquet files the published file was filled from, in the table `meta.parts`.

Rows are not marked with their file. Instead each file is recorded with the range of places of its rows.
What a change of files means for the rows belongs to `refresh`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve.tables import paths


def place_of(table: Table) -> str:
    """Return DuckDB's SQL that computes the place of a fact's row: a whole number that grows with time.

    The rows of each partition have a range of places of their own.
    """
    place = table.place
    assert place is not None
    if place.less_days is None:
        return place.column
    return (
        f"strftime(strptime(CAST({place.column} AS VARCHAR), '%Y%m%d') - to_days({place.less_days}), "
        "'%Y%m%d')::BIGINT"
    )


@dataclass(frozen=True)
class Changes:
    """Files that a table gained and lost since its files were recorded; lost ones by their recorded path."""

    gained: list[str]
    lost: list[str]


@dataclass(frozen=True)
class Hole:
    """A range of places that lost files covered, both ends included, and the kept files with rows in it."""

    first: int
    last: int
    covered_by: list[str]


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create an empty `meta.parts`."""
    connection.execute(
        "CREATE TABLE meta.parts (table_name VARCHAR NOT NULL, part VARCHAR NOT NULL, "
        "file VARCHAR NOT NULL, first_place BIGINT, last_place BIGINT)"
    )
    connection.execute(
        "COMMENT ON TABLE meta.parts IS 'One row per Gold table and Parquet file that this file holds: "
        "its partition, and the range of its rows (of a fact with rows).'"
    )


def record(connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[str]) -> None:
    """Record these Parquet files in `meta.parts`, as the table now holds their rows too."""
    ranges: dict[str, tuple[int, int]] = {}
    fact = next((fact for fact in gold.FACTS if fact.name == table), None)
    if files and fact is not None:
        place = place_of(fact)
        found = connection.execute(
            f"SELECT filename, min({place}), max({place}) FROM read_parquet(?, filename = true, "  # noqa: S608
            "hive_partitioning = false, union_by_name = true) GROUP BY ALL",
            [paths(files)],
        ).fetchall()
        ranges = {name: (first, last) for name, first, last in found}
    rows = [
        (table, part_of(file), _short(file), *ranges.get(path, (None, None)))
        for file, path in zip(files, paths(files), strict=True)
    ]
    if rows:
        connection.executemany("INSERT INTO meta.parts VALUES (?, ?, ?, ?, ?)", rows)


def forget(connection: duckdb.DuckDBPyConnection, table: str, lost: Collection[str]) -> None:
    """Delete the lost Parquet files from `meta.parts`, as the table holds none of their rows any more."""
    connection.execute("DELETE FROM meta.parts WHERE table_name = ? AND file IN ?", [table, list(lost)])


def changes(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[str]]) -> dict[str, Changes]:
    """Find the tables whose present files differ from the recorded ones, and what each gained and lost."""
    recorded: dict[str, set[str]] = {table: set() for table in files}
    for table, file in connection.execute("SELECT table_name, file FROM meta.parts").fetchall():
        recorded[table].add(file)
    found = {
        table: Changes(
            [file for file in present if _short(file) not in recorded[table]],
            sorted(recorded[table] - set(map(_short, present))),
        )
        for table, present in files.items()
    }
    return {table: change for table, change in found.items() if change.gained or change.lost}


def held(connection: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Return the recorded partitions of each table."""
    found: dict[str, set[str]] = {}
    for table, part in connection.execute("SELECT DISTINCT table_name, part FROM meta.parts").fetchall():
        found.setdefault(table, set()).add(part)
    return found


def span(connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[str]) -> tuple[int, int] | None:
    """Return the least and the greatest place of these recorded files' rows; None if they have none."""
    found = connection.execute(
        "SELECT min(first_place), max(last_place) FROM meta.parts WHERE table_name = ? AND file IN ?",
        [table, list(map(_short, files))],
    ).fetchone()
    return None if found is None or found[0] is None else (found[0], found[1])


def holes(
    connection: duckdb.DuckDBPyConnection, table: str, change: Changes, present: Sequence[str]
) -> list[Hole]:
    """Find the ranges that lost files leave, one for each partition that lost files with rows.

    present: the files that the table keeps.
    """
    if not change.lost:
        return []
    found = connection.execute(
        "WITH hole AS (SELECT part, min(first_place) AS first, max(last_place) AS last FROM meta.parts "
        "  WHERE table_name = $table AND file IN $lost AND first_place IS NOT NULL GROUP BY part) "
        "SELECT hole.first, hole.last, "
        "  coalesce(list(kept.file) FILTER (kept.file IS NOT NULL), []) "
        "FROM hole LEFT JOIN meta.parts AS kept ON kept.table_name = $table AND kept.part = hole.part "
        "  AND kept.file NOT IN $lost AND kept.first_place <= hole.last AND kept.last_place >= hole.first "
        "GROUP BY ALL ORDER BY ALL",
        {"table": table, "lost": change.lost},
    ).fetchall()
    whole = {_short(file): file for file in present}
    return [Hole(first, last, [whole[file] for file in kept]) for first, last, kept in found]


def part_of(file: str) -> str:
    """Return the partition's value from a file's path; empty if the table has no partition."""
    folder = _folder(file)
    return folder.partition("=")[2]


def _short(file: str) -> str:
    """Return a file's path within its table's folder, which does not disclose where the lake is."""
    folder = _folder(file)
    name = file.rpartition("/")[2]
    return f"{folder}/{name}" if "=" in folder else name


def _folder(file: str) -> str:
    """Return the name of the folder that directly contains a file."""
    return file.rpartition("/")[0].rpartition("/")[2]
