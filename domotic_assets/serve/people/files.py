"""Builds a person's DuckDB file: only those tables, rows and columns of the admin's file that a scope sees.

DuckDB has neither users nor row security, so what must not be seen must not be in the file. A file is always
built from nothing: blocks that a deletion frees would keep their bytes. Who sees what is decided in `scopes`
and written as SQL in `cut`; versions and swapping belong to `publish`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.serve import failing_checks, publish
from domotic_assets.serve.catalog import MARTS_SCHEMA
from domotic_assets.serve.people import cut
from domotic_assets.serve.people.matrix import refuse_unruled
from domotic_assets.serve.people.scopes import Scope
from domotic_assets.serve.tables import name_of

_PURPOSE = "scopes"
_LOCK, _SPILL = ".publishing-scopes", ".spill"
_TARGET = "published"


@dataclass(frozen=True)
class PublishedScopes:
    """Result of `publish_scopes`: files built, number of files already current, number of scopes removed."""

    built: tuple[Path, ...]
    current: int
    removed: int


def are_current(serve: Path, scopes: Sequence[Scope]) -> bool:
    """Return whether the folder has a current file for each scope, and files for no other scope.

    A file is current if it was built from the admin's present file and for the scope's present rights.
    """
    of_nobody = publish.published_scopes(serve) - {publish.ADMIN} - {scope.user for scope in scopes}
    return not of_nobody and not _behind(serve, scopes)


def _behind(serve: Path, scopes: Sequence[Scope]) -> list[Scope]:
    """Return the scopes whose file is missing, or not of the admin's present file and the present rights.

    Returns all scopes if the admin's file cannot be read.
    """
    try:
        with cut.opened(publish.published_file(serve), serve / _SPILL) as connection:
            versions, definition = publish.manifest_of(connection, cut.SOURCE)
            newest, failing = cut.newest(connection), failing_checks.read(connection, cut.SOURCE)
    except duckdb.Error:
        return list(scopes)
    return [
        scope
        for scope in scopes
        if not publish.is_current(
            publish.published_file(serve, scope.user),
            versions,
            scope.definition(definition, _visible_checks(scope, failing, newest)),
        )
    ]


def publish_scopes(serve: Path, scopes: Sequence[Scope]) -> PublishedScopes:
    """Build the files that are missing or not current; first remove the files of any other scope.

    A file is current as in `are_current`. One process at a time does this, so that a slower one never
    restores what another has removed.
    """
    built: list[Path] = []
    with publish.alone(serve, _LOCK):
        gone = publish.published_scopes(serve) - {publish.ADMIN} - {scope.user for scope in scopes}
        for user in gone:
            publish.remove_scope(serve, user)
        for scope in _behind(serve, scopes):
            built.append(publish.swap_in(build_scope(serve, scope), serve))
    return PublishedScopes(tuple(built), len(scopes) - len(built), len(gone))


def build_scope(serve: Path, scope: Scope) -> Path:
    """Build a person's file in staging from the admin's published file, and return its path."""
    try:
        target = publish.clear_staging(serve, _PURPOSE, scope.user)
        with _opened(serve, target) as connection:
            _fill(connection, scope)
    except (OSError, duckdb.IOException) as error:
        raise publish.unwritable(serve, error) from error
    return target


@contextmanager
def _opened(serve: Path, target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with the admin's file, the file to build, and views in memory."""
    with cut.opened(publish.published_file(serve), target.parent / "spill") as connection:
        connection.execute(
            f"ATTACH {literal(str(target))} AS {_TARGET} (STORAGE_VERSION {literal(publish.STORAGE_VERSION)})"
        )
        yield connection
        connection.execute(f"USE {cut.VIEWS}")
        connection.execute(f"DETACH {_TARGET}")


def _visible_checks(
    scope: Scope, failing: Sequence[failing_checks.Row], newest: datetime
) -> list[failing_checks.Row]:
    """Return failing checks of homes where the person lives now: a stuck motion sensor tells who is there."""
    homes = scope.homes_lived_in(newest)
    return [row for row in failing if failing_checks.home_of(row) in homes]


def _fill(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """Write a scope's Gold tables, marts and `meta` tables to the file to build."""
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
    views, kept = cut.Views(connection), []
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
    publish.record_published(connection, scope.user, versions, scope.definition(definition, visible))
    failing_checks.create(connection)
    failing_checks.replace(connection, visible)
    connection.commit()


def _kept(mart: cut.Mart) -> str:
    """Return the name of a mart's table. It is no view, as the file may lack what it is made from."""
    return f"{_TARGET}.{MARTS_SCHEMA}.{identifier(mart.name)}"


def _describe(connection: duckdb.DuckDBPyConnection, mart: cut.Mart, columns: dict[str, str]) -> None:
    """Write the comments of a mart and its columns to the file. columns: comment by column name."""
    connection.execute(f"COMMENT ON TABLE {_kept(mart)} IS {literal(mart.comment or '')}")
    for column, words in columns.items():
        connection.execute(f"COMMENT ON COLUMN {_kept(mart)}.{identifier(column)} IS {literal(words)}")
