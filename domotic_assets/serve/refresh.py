"""Brings a published file up to the present Gold: only what changed is read and written.

A refreshed file holds what one built from nothing would. Changed rows of facts are found by the files that
Gold gained and lost (`file_index`); marts are views, and are copied with the file.

Why: docs/decisions/0026-builds-bring-the-file-up.md
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import duckdb

from domotic_assets.escaping import identifier
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve import base, failing_checks, file_index, publish
from domotic_assets.serve.failing_checks import FailingCheck
from domotic_assets.serve.tables import (
    create_table,
    insert_files,
    insert_missing,
    name_of,
    paths,
    require_keys,
    require_ranges,
    rows_of_files,
)


@dataclass(frozen=True)
class Snapshot:
    """Gold at one moment: Parquet files and Delta version by table name, and the checks that fail."""

    files: Mapping[str, Sequence[str]]
    versions: Mapping[str, int]
    checks: Sequence[FailingCheck] = ()


@dataclass(frozen=True)
class Refreshed:
    """Result of a refresh: the file, rows written by changed table, and number of partitions touched."""

    file: Path
    rows: Mapping[str, int]
    parts: int


def publish_present(
    serve: Path,
    present: Callable[[], Snapshot],
    definition: str,
    *,
    purpose: str,
    built: Path | None = None,
    tested: bool = False,
) -> Refreshed | None:
    """Bring the base, or the file built in staging, up to the present Gold and swap it in.

    present: reads Gold; called under the publishing lock, so that people never see older data than before.
    purpose: whose staging folder to copy to. built: a file in staging, instead of a copy. tested: as in
    `bring_up`.
    Returns None if there is no proved base or it has another definition; the file must then be built from
    nothing. A published file that is current already, and untouched, stays.
    """
    with publish.publishing(serve) as swap:
        snapshot = present()
        follows = built is None
        if built is None:
            source = publish.source_file(serve)
            # Read once: opening a file costs more than adding a minute's rows.
            versions, stated = publish.read_manifest(source)
            if stated != definition:
                return None
            held = versions == snapshot.versions and publish.is_untouched(serve)
            if held and _says(source, snapshot.checks):
                return Refreshed(publish.published_file(serve), {}, 0)
            built = _taken(serve, snapshot, purpose)
        refreshed = bring_up(built, snapshot, tested=tested)
        return Refreshed(swap(refreshed.file, follows=follows), refreshed.rows, refreshed.parts)


def _says(published: Path, checks: Sequence[FailingCheck]) -> bool:
    """Return whether a file shows exactly these failing checks."""
    with duckdb.connect(str(published), read_only=True) as connection:
        return set(failing_checks.read(connection)) == set(failing_checks.rows(checks))


def _taken(serve: Path, snapshot: Snapshot, purpose: str) -> Path:
    """Put what to bring up to a snapshot of all tables into staging, from the base; return its path.

    purpose: as in `publish.build_file`.
    """
    publish.refuse_other_tables(snapshot.files, snapshot.versions)
    try:
        target = publish.clear_staging(serve, purpose)
        base.take(serve, target)
    except OSError as error:
        raise publish.unwritable(serve, error) from error
    return target


def lacks_dates(file: Path, files: Mapping[str, Sequence[str]]) -> bool:
    """Return whether Gold's minute facts have a date that a published file does not hold."""
    with duckdb.connect(str(file), read_only=True) as connection:
        held = file_index.held(connection)
    return any(
        file_index.part_of(present) not in held.get(table.name, ())
        for table in gold.MINUTE_FACTS
        for present in files[table.name]
    )


def bring_up(file: Path, snapshot: Snapshot, *, tested: bool = False) -> Refreshed:
    """Bring a file in staging up to a snapshot of Gold.

    tested: raise ContractError if what changed breaks a rule of Gold's schemas. dbt tests the same rules on
    a whole file. So a file that passed dbt's tests of Gold would pass them again afterwards.
    """
    files = snapshot.files
    try:
        with duckdb.connect(str(file)) as connection:
            connection.begin()
            changed = file_index.changes(connection, files)
            rows, lost = _bring_up_dimensions(connection, changed, files)
            for table in gold.FACTS:
                if table.name in changed:
                    rows[table.name] = _bring_up_fact(connection, table, changed[table.name], files)
            for name, change in changed.items():
                file_index.forget(connection, name, change.lost)
                file_index.record(connection, name, change.gained)
            if tested:
                _require_rules(connection, changed, lost)
            connection.executemany(
                "UPDATE meta.published SET delta_version = ? WHERE table_name = ?",
                [(version, name) for name, version in snapshot.versions.items()],
            )
            failing_checks.replace(connection, failing_checks.rows(snapshot.checks))
            connection.commit()
    except publish.FAILED_WRITES as error:
        raise publish.unwritable(file.parent, error) from error
    touched = {
        (name, file_index.part_of(changed_file))
        for name, change in changed.items()
        for changed_file in (*change.gained, *change.lost)
    }
    return Refreshed(file, rows, len(touched))


def _bring_up_fact(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    change: file_index.Changes,
    files: Mapping[str, Sequence[str]],
) -> int:
    """Update a fact for its changed files; return the number of rows written.

    Deletes the ranges of rows that lost files covered. Inserts what other files have in these ranges, and all
    rows of gained files.
    """
    place = file_index.place_of(table)
    between = f"{place} BETWEEN ? AND ?"
    kept = [file for file in files[table.name] if file not in set(change.gained)]
    written = 0
    for hole in file_index.holes(connection, table.name, change, kept):
        bounds = (hole.first, hole.last)
        connection.execute(f"DELETE FROM {name_of(table.name)} WHERE {between}", bounds)  # noqa: S608
        written += insert_files(connection, table, hole.covered_by, between, bounds)
    return written + insert_files(connection, table, change.gained)


def _bring_up_dimensions(
    connection: duckdb.DuckDBPyConnection,
    changed: Mapping[str, file_index.Changes],
    files: Mapping[str, Sequence[str]],
) -> tuple[dict[str, int], set[str]]:
    """Update changed dimensions: add new rows, or recreate a dimension that lost or changed a row.

    Returns the rows written by name of each changed dimension, and the names of those that lost a key.
    """
    rows: dict[str, int] = {}
    lost: set[str] = set()
    for table in gold.DIMS:
        if table.name not in changed:
            continue
        if _lacks_rows(connection, table, files[table.name]):
            if _lacks_rows(connection, table, files[table.name], table.primary_key):
                lost.add(table.name)
            connection.execute(f"DROP TABLE {name_of(table.name)}")
            create_table(connection, table)
            rows[table.name] = insert_files(connection, table, files[table.name])
        else:
            rows[table.name] = insert_missing(connection, table, files[table.name])
    if rows:
        for table in gold.DIMS:
            require_keys(connection, table)
    return rows, lost


def _lacks_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[str], columns: Sequence[str] = ()
) -> bool:
    """Return whether the table holds a row that the Parquet files do not.

    columns: compare rows by these only; by default by all. True if there are no files.
    """
    if not files:
        return True
    compared = ", ".join(map(identifier, columns)) or "*"
    found = connection.execute(
        f"SELECT EXISTS (SELECT {compared} FROM {name_of(table.name)} "  # noqa: S608
        f"EXCEPT ALL SELECT {compared} FROM ({rows_of_files(table)}))",
        [paths(files)],
    ).fetchone()
    return found is not None and bool(found[0])


def _require_rules(
    connection: duckdb.DuckDBPyConnection, changed: Mapping[str, file_index.Changes], lost: Set[str]
) -> None:
    """Raise ContractError if added rows break a rule, or rows refer to keys that are gone.

    Tables refuse nulls themselves, and keys of all dimensions are checked whenever one changes. lost:
    dimensions that lost a key.
    """
    for table in gold.DIMS:
        if table.name in changed:
            require_ranges(connection, table)
    for table in gold.FACTS:
        if not lost.isdisjoint(key.table for key in table.foreign_keys):
            require_keys(connection, table)
        if table.name not in changed:
            continue
        span = file_index.span(connection, table.name, changed[table.name].gained)
        if span is not None:
            # One range holds all added rows, and both rows of a duplicate key lie within it.
            between = f"{file_index.place_of(table)} BETWEEN ? AND ?"
            require_keys(connection, table, between, span)
            require_ranges(connection, table, between, span)
