"""Builds a person's DuckDB file: only those tables, rows and columns of the admin's file that a scope sees.

DuckDB has neither users nor row security, so what must not be seen must not be in the file. A file is always
built from nothing: blocks that a deletion frees would keep their bytes. Who sees what is decided in `scopes`
and written as SQL in `cut`; versions and swapping belong to `publish`.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.serve import failing_checks, publish
from domotic_assets.serve.catalog import MARTS_SCHEMA
from domotic_assets.serve.people import cut, rights
from domotic_assets.serve.people.matrix import refuse_unruled
from domotic_assets.serve.people.scopes import Scope
from domotic_assets.serve.tables import name_of

_SPILL, _SPILLING = ".spill", "scopes-spill"
_TARGET = "published"


@dataclass(frozen=True)
class PublishedScopes:
    """Result of `publish_scopes`: files published, number of others, and of people whose files went."""

    built: tuple[Path, ...]
    current: int
    removed: int


def are_current(serve: Path, scopes: Sequence[Scope]) -> bool:
    """Return whether the folder has a current file for each scope, and files for no other scope.

    A file is current if it was made of the admin's present file and with the scope's present rights.
    """
    of_nobody = publish.published_scopes(serve) - {publish.ADMIN} - {scope.user for scope in scopes}
    return not of_nobody and not _behind(serve, scopes)


def _behind(serve: Path, scopes: Sequence[Scope]) -> list[Scope]:
    """Return the scopes whose file is missing, or not of the admin's present file and the present rights.

    Returns all scopes if the admin's file cannot be read.
    """
    try:
        with cut.attached(publish.source_file(serve), serve / _SPILL) as connection:
            stated = publish.manifest_of(connection, cut.SOURCE)
            newest, failing = cut.newest(connection), failing_checks.read(connection, cut.SOURCE)
    except duckdb.Error:
        return list(scopes)
    notes, made_of = rights.read_notes(serve), _source(*stated)
    behind = []
    for scope in scopes:
        note = notes.get(scope.user)
        wanted = made_of, scope.definition(stated[1], _visible_checks(scope, failing, newest))
        is_noted = note is not None and rights.is_published(serve, scope.user, note)
        if note is None or not is_noted or (note.made_of, note.definition) != wanted:
            behind.append(scope)
    return behind


def _source(versions: Mapping[str, int], definition: str) -> str:
    """Hash what an admin's file states of itself."""
    return hashlib.sha256(repr((sorted(versions.items()), definition)).encode()).hexdigest()


def publish_scopes(
    serve: Path,
    scopes: Sequence[Scope],
    read: rights.Read | None = None,
    read_to_hand_out: rights.Read | None = None,
) -> PublishedScopes:
    """Build the files that are missing or not current; first remove those of whom rights were withdrawn.

    A file is current as in `are_current`; one that would hold the same as before stays. read: reads the
    scopes anew before a file is published; by default they are `scopes`. read_to_hand_out: reads those to
    build files of, and may wait; by default they are what was read to withdraw. One process at a time does
    this, so that a slower one never restores what another has removed. Raises LakeError if a file cannot be
    removed, after all others were built.
    """
    look = read or (lambda: scopes)
    built: list[Path] = []
    with publish.alone(serve, rights.BUILDING_LOCK):
        looked = rights.withdraw(serve, look)
        stuck = (looked.stuck or {}).keys()
        wanted = looked.scopes if read_to_hand_out is None else read_to_hand_out()
        behind = [scope for scope in _behind(serve, wanted) if scope.user not in stuck]
        for scope, made in build_scopes(serve, behind):
            file = rights.hand_out(serve, scope, made, look)
            built += [] if file is None else [file]
    looked.refuse_stuck(serve)
    return PublishedScopes(tuple(built), len(wanted) - len(built), len(looked.removed))


def build_scopes(serve: Path, scopes: Sequence[Scope]) -> Iterator[tuple[Scope, rights.Made]]:
    """Build people's files in staging, one after the other, all of them from the same admin's file."""
    if not scopes:
        return
    spill = publish.clear_staging(serve, _SPILLING).parent
    try:
        with cut.opened(publish.source_file(serve), spill) as connection:
            views = cut.Views(connection)
            for scope in scopes:
                yield scope, _build(serve, connection, views, scope)
    except publish.FAILED_WRITES as error:
        raise publish.unwritable(serve, error) from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _build(serve: Path, connection: duckdb.DuckDBPyConnection, views: cut.Views, scope: Scope) -> rights.Made:
    """Build a person's file in staging."""
    target = publish.clear_staging(serve, rights.PURPOSE, scope.user)
    connection.execute(
        f"ATTACH {literal(str(target))} AS {_TARGET} (STORAGE_VERSION {literal(publish.STORAGE_VERSION)})"
    )
    try:
        definition, made_of = _fill(connection, views, scope)
        content = _fingerprint(connection)
    finally:
        connection.execute(f"USE {cut.VIEWS}")
        connection.execute(f"DETACH {_TARGET}")
    return rights.Made(target, definition, made_of, content)


def _visible_checks(
    scope: Scope, failing: Sequence[failing_checks.Row], newest: datetime
) -> list[failing_checks.Row]:
    """Return failing checks of homes where the person lives now: a stuck motion sensor tells who is there.

    One that began before they moved in began, for them, when they did.
    """
    moved_in = scope.moved_in(newest)
    return [
        failing_checks.begun_after(row, moved_in[home])
        for row in failing
        for home in [failing_checks.home_of(row)]
        if home in moved_in
    ]


def _fill(connection: duckdb.DuckDBPyConnection, views: cut.Views, scope: Scope) -> tuple[str, str]:
    """Write a scope's Gold tables, marts and `meta` tables to the file to build.

    Returns the hashes of all that decides the file, and of the admin's file.
    """
    marts = cut.marts_of(connection)
    refuse_unruled((table.name for table in gold.TABLES), (mart.name for mart in marts))
    newest = cut.newest(connection)
    cuts = {table.name: scope.cut(table.name, newest) for table in gold.TABLES}
    held = [table for table in gold.TABLES if cuts[table.name] is not None]
    connection.execute(f"USE {_TARGET}")
    publish.create_tables(connection, held)
    for table in held:
        connection.execute(
            f"INSERT INTO {name_of(table.name)} {cut.rows(table, cuts[table.name], scope)} "
            f"ORDER BY {', '.join(map(identifier, table.sort))}"
        )
    kept = []
    for mart in marts:
        shown = views.show(mart, scope, newest)
        if scope.cut(mart.name, newest) is not None:
            connection.execute(f"CREATE TABLE {_kept(mart)} AS FROM {shown}")
            kept.append(mart)
    versions, definition = publish.manifest_of(connection, cut.SOURCE)
    visible = _visible_checks(scope, failing_checks.read(connection, cut.SOURCE), newest)
    comments = cut.column_comments(connection)
    connection.execute(f"USE {_TARGET}")
    connection.begin()
    for mart in kept:
        _describe(connection, mart, comments.get(mart.name, {}))
    publish.record_keys(connection, held)
    publish.record_published(connection, scope.user, dict.fromkeys(table.name for table in held), definition)
    failing_checks.create(connection)
    failing_checks.replace(connection, visible)
    connection.commit()
    return scope.definition(definition, visible), _source(versions, definition)


def _fingerprint(connection: duckdb.DuckDBPyConnection) -> str:
    """Hash the rows and descriptions of all tables in the file to build."""
    found = connection.execute(
        "SELECT schema_name, table_name, sql, comment FROM duckdb_tables() "
        "WHERE database_name = ? ORDER BY ALL",
        [_TARGET],
    ).fetchall()
    told: list[object] = [found]
    for schema, table, *_ in found:
        told += connection.execute(
            "SELECT count(*), coalesce(sum(hash(held)::HUGEINT), 0) "  # noqa: S608
            f"FROM {_TARGET}.{identifier(schema)}.{identifier(table)} AS held"
        ).fetchall()
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _kept(mart: cut.Mart) -> str:
    """Return the name of a mart's table. It is no view, as the file may lack what it is made from."""
    return f"{_TARGET}.{MARTS_SCHEMA}.{identifier(mart.name)}"


def _describe(connection: duckdb.DuckDBPyConnection, mart: cut.Mart, columns: dict[str, str]) -> None:
    """Write the comments of a mart and its columns to the file. columns: comment by column name."""
    connection.execute(f"COMMENT ON TABLE {_kept(mart)} IS {literal(mart.comment or '')}")
    for column, words in columns.items():
        connection.execute(f"COMMENT ON COLUMN {_kept(mart)}.{identifier(column)} IS {literal(words)}")
