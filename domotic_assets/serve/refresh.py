"""Brings a published file up to the present Gold: only what changed is read and written.

A refreshed file holds what one built from nothing would. Rows of facts are found by the files that
Gold gained and lost (`parts`); marts are views and come along with the file.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve import failing_checks, parts, publish
from domotic_assets.serve.failing_checks import FailingCheck
from domotic_assets.serve.tables import (
    create_table,
    insert_files,
    insert_missing,
    name_of,
    paths,
    require_keys,
    rows_of_files,
)


@dataclass(frozen=True)
class Snapshot:
    """Gold at one moment: of each table the Parquet files and the Delta version, and which checks failed."""

    files: Mapping[str, Sequence[str]]
    versions: Mapping[str, int]
    checks: Sequence[FailingCheck] = ()


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: of each table that changed the rows written, and how many partitions they touch."""

    file: Path
    rows: Mapping[str, int]
    parts: int


def publish_present(
    serve: Path, present: Callable[[], Snapshot], definition: str, *, purpose: str, built: Path | None = None
) -> Refreshed | None:
    """Bring a copy of the published file, or the one built aside, up to the present Gold and swap it in.

    present: reads Gold; called while no other can publish, so that what people see never goes back.
    None: nothing is published, or by another definition; build from nothing. A published file that is
    the present one already stays as it is.
    """
    with publish.publishing(serve) as swap:
        snapshot = present()
        published = publish.published_file(serve)
        if built is None:
            # Asked once: opening a file costs more than a minute's rows.
            versions, stated = publish.stated(published)
            if stated != definition:
                return None
            if versions == snapshot.versions and _says(published, snapshot.checks):
                return Refreshed(published, {}, 0)
            built = _copy(serve, snapshot, purpose)
        refreshed = bring_up(built, snapshot)
        return Refreshed(swap(refreshed.file), refreshed.rows, refreshed.parts)


def _says(published: Path, checks: Sequence[FailingCheck]) -> bool:
    """Whether a published file says that these checks failed."""
    with duckdb.connect(str(published), read_only=True) as connection:
        return set(failing_checks.read(connection)) == set(failing_checks.rows(checks))


def _copy(serve: Path, snapshot: Snapshot, purpose: str) -> Path:
    """A copy of the published file aside, for a snapshot of all tables.

    purpose: as in `publish.build_file`.
    """
    publish.refuse_other_tables(snapshot.files, snapshot.versions)
    try:
        target = publish.clear_aside(serve, purpose)
        shutil.copyfile(publish.published_file(serve), target)
    except OSError as error:
        raise publish.unwritable(serve, error) from error
    return target


def bring_up(file: Path, snapshot: Snapshot) -> Refreshed:
    """Bring a file aside up to a snapshot of Gold."""
    files = snapshot.files
    try:
        with duckdb.connect(str(file)) as connection:
            connection.begin()
            changed = parts.changes(connection, files)
            rows = _bring_up_dimensions(connection, changed, files)
            for table in gold.FACTS:
                if table.name in changed:
                    rows[table.name] = _bring_up_fact(connection, table, changed[table.name], files)
            for name, change in changed.items():
                parts.forget(connection, name, change.lost)
                parts.record(connection, name, change.gained)
            connection.executemany(
                "UPDATE meta.published SET delta_version = ? WHERE table_name = ?",
                [(version, name) for name, version in snapshot.versions.items()],
            )
            failing_checks.replace(connection, failing_checks.rows(snapshot.checks))
            connection.commit()
    except (OSError, duckdb.IOException) as error:
        raise publish.unwritable(file.parent, error) from error
    touched = {
        (name, parts.part_of(changed_file))
        for name, change in changed.items()
        for changed_file in (*change.gained, *change.lost)
    }
    return Refreshed(file, rows, len(touched))


def _bring_up_fact(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    change: parts.Changes,
    files: Mapping[str, Sequence[str]],
) -> int:
    """Rows that lost files covered go; what other files have of them, and gained files, come."""
    place = parts.PLACES[table.name]
    between = f"{place} BETWEEN ? AND ?"
    kept = [file for file in files[table.name] if file not in set(change.gained)]
    written = 0
    for hole in parts.holes(connection, table.name, change, kept):
        bounds = (hole.first, hole.last)
        connection.execute(f"DELETE FROM {name_of(table.name)} WHERE {between}", bounds)  # noqa: S608
        written += insert_files(connection, table, hole.covered_by, between, bounds)
    return written + insert_files(connection, table, change.gained)


def _bring_up_dimensions(
    connection: duckdb.DuckDBPyConnection,
    changed: Mapping[str, parts.Changes],
    files: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    """New rows are added; a dimension that lost or changed one is made anew."""
    rows: dict[str, int] = {}
    for table in gold.DIMS:
        if table.name not in changed:
            continue
        if _lacks_rows(connection, table, files[table.name]):
            connection.execute(f"DROP TABLE {name_of(table.name)}")
            create_table(connection, table)
            rows[table.name] = insert_files(connection, table, files[table.name])
        else:
            rows[table.name] = insert_missing(connection, table, files[table.name])
    if rows:
        require_keys(connection, gold.DIMS)
    return rows


def _lacks_rows(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[str]) -> bool:
    """Whether the table holds a row that the Parquet files do not."""
    if not files:
        return True
    found = connection.execute(
        f"SELECT EXISTS (FROM {name_of(table.name)} EXCEPT ALL {rows_of_files(table)})",
        [paths(files)],
    ).fetchone()
    return found is not None and bool(found[0])
