"""Works out who sees which rows: the rows of the tables `access.*`, and the relations that a role may read.

All of it is queried from the admin's published file with the SQL that builds people's files (`cut`), so that
a role sees what its person's file would hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from domotic_assets.escaping import identifier
from domotic_assets.schemas import calendar, gold
from domotic_assets.schemas.table import Subject, Table
from domotic_assets.serve.catalog import MARTS_SCHEMA
from domotic_assets.serve.people import cut
from domotic_assets.serve.people.scopes import Cut, Scope
from domotic_assets.serve.postgres.layout import (
    ACCESS_SCHEMA,
    ADMIN_ROLE,
    KEY_OF,
    MartShape,
    part_name,
    readable,
    withheld_of,
)
from domotic_assets.serve.postgres.roles import role_of
from domotic_assets.serve.tables import name_of

_TABLES = {
    "days": "apartment_key BIGINT, date_key INTEGER, after_minute BIGINT",
    "keys": "key BIGINT",
    "providers": "provider VARCHAR",
}


@dataclass(frozen=True)
class Reader:
    """A reader: the role and the scope. The scope is None for the admin, who sees everything."""

    role: str
    scope: Scope | None

    def cut(self, name: str, newest: datetime) -> Cut | None:
        """Return what the reader sees of a table or mart; None if nothing. Not to be called for the admin."""
        assert self.scope is not None
        return self.scope.cut(name, newest)

    def may_read(self, name: str, newest: datetime) -> bool:
        """Return whether the reader has this table or mart at all."""
        return self.scope is None or self.scope.cut(name, newest) is not None


def readers_of(scopes: Sequence[Scope]) -> tuple[Reader, ...]:
    """Return the admin and each person as readers."""
    return (Reader(ADMIN_ROLE, None), *(Reader(role_of(scope.user), scope) for scope in scopes))


def relations_of(reader: Reader, marts: Sequence[MartShape], newest: datetime) -> list[tuple[str, str]]:
    """Return schema and name of each relation to grant to a reader."""
    held = [table for table in gold.TABLES if reader.may_read(table.name, newest)]
    shown = [mart.name for mart in marts if reader.may_read(mart.name, newest)]
    return [
        *(relation for table in held for relation in readable(table)),
        *((schema, mart) for mart in shown for schema in (MARTS_SCHEMA, ACCESS_SCHEMA)),
    ]


def shapes_of(connection: duckdb.DuckDBPyConnection) -> list[MartShape]:
    """Read the columns and descriptions of the marts in the admin's file."""
    found, comments = [], cut.column_comments(connection)
    for mart in cut.marts_of(connection):
        columns = connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [cut.SOURCE, MARTS_SCHEMA, mart.name],
        ).fetchall()
        meanings = tuple(comments.get(mart.name, {}).items())
        found.append(MartShape(mart.name, tuple(columns), mart.comment or "", meanings))
    return found


def note_access(connection: duckdb.DuckDBPyConnection, readers: Sequence[Reader], newest: datetime) -> None:
    """Fill temporary tables `access_days`, `access_keys` and `access_providers` for all but the admin."""
    for access_table, columns in _TABLES.items():
        connection.execute(
            f"CREATE TEMP TABLE access_{access_table} (role_name VARCHAR, table_name VARCHAR, {columns})"
        )
    for reader in readers:
        if reader.scope is None:
            continue
        for table in gold.TABLES:
            seen = reader.cut(table.name, newest)
            if seen is not None:
                _note_table(connection, reader.role, reader.scope, table, seen)


def _note_table(
    connection: duckdb.DuckDBPyConnection, role: str, scope: Scope, table: Table, seen: Cut
) -> None:
    """Add the dates, keys and providers of one table that a role sees."""
    subject = table.subject
    rows = cut.rows(table, seen, scope)
    if subject in (Subject.HOME, Subject.DEVICE) and "date_key" in table.schema:
        _note_days(connection, role, table, seen)
    if subject is Subject.PROVIDER:
        connection.execute(
            f"INSERT INTO access_providers SELECT DISTINCT ?, ?, provider FROM ({rows})",  # noqa: S608
            [role, table.name],
        )
    if subject in KEY_OF and not (subject is Subject.HOME and "date_key" in table.schema):
        _note_keys(connection, role, table.name, f"SELECT {KEY_OF[subject]} FROM ({rows})")  # noqa: S608
    for column in withheld_of(table):
        shown = f"SELECT apartment_key FROM ({rows}) WHERE {identifier(column)} IS NOT NULL"  # noqa: S608
        _note_keys(connection, role, part_name(table.name, column), shown)


def _note_keys(connection: duckdb.DuckDBPyConnection, role: str, name: str, keys: str) -> None:
    """Add the keys that a query returns to the temporary table `access_keys`.

    name: the table that the role may read by these keys. keys: a SELECT of one column.
    """
    connection.execute(f"INSERT INTO access_keys SELECT DISTINCT ?, ?, * FROM ({keys})", [role, name])  # noqa: S608


def _note_days(connection: duckdb.DuckDBPyConnection, role: str, table: Table, seen: Cut) -> None:
    """Add each window's dates of the calendar; `ACCESS_QUERIES` keeps the widest of windows over one date."""
    for window in seen.windows:
        connection.execute(
            "INSERT INTO access_days SELECT ?, ?, ?, date_key, ? "  # noqa: S608
            f"FROM {cut.SOURCE}.{name_of(calendar.DIM_DATE.name)} WHERE date_key >= ? AND date_key < ?",
            [
                role,
                table.name,
                window.apartment_key,
                window.after_minute,
                window.first_date_key,
                window.end_date_key,
            ],
        )


ACCESS_QUERIES = {
    "days": "SELECT role_name, table_name, apartment_key, date_key, min(after_minute) "
    "FROM access_days GROUP BY ALL",
    "keys": "SELECT DISTINCT role_name, table_name, key FROM access_keys",
    "providers": "SELECT DISTINCT role_name, table_name, provider FROM access_providers",
}
"""Queries for the rows of each table `access.*`, to run after `note_access`."""
