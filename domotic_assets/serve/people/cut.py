"""Writes the SQL that selects what a scope sees from the admin's file, attached to a connection as `source`.

Files and servers are both filled with it, so that a person sees the same rows in each. Who sees what is
decided in `scopes`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA, published_columns
from domotic_assets.serve.connection import in_memory
from domotic_assets.serve.people import dated
from domotic_assets.serve.people.scopes import Cut, Scope
from domotic_assets.serve.tables import name_of

SOURCE, VIEWS, SEEN = dated.SOURCE, dated.VIEWS, dated.SEEN
_NO_READINGS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mart:
    """A mart of the admin's file: its name, the statement that creates it, and its description."""

    name: str
    sql: str
    comment: str | None


@contextmanager
def opened(admin_file: Path, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to cut from the admin's file. spill: the folder for what does not fit into memory.

    `rows` and `Views` need it, as it knows which rooms and devices were read on which dates.
    """
    with attached(admin_file, spill) as connection:
        dated.note_readings(connection)
        yield connection


@contextmanager
def attached(admin_file: Path, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with the admin's file, to ask it for what it states of itself."""
    with in_memory(spill) as connection:
        connection.execute(f"ATTACH {literal(str(admin_file))} AS {SOURCE} (READ_ONLY)")
        yield connection


def marts_of(connection: duckdb.DuckDBPyConnection) -> list[Mart]:
    """Read the marts of the admin's file; a mart comes after all marts that its own query reads."""
    found = connection.execute(
        "SELECT view_name, sql, comment FROM duckdb_views() "
        "WHERE database_name = ? AND schema_name = ? ORDER BY view_oid",
        [SOURCE, MARTS_SCHEMA],
    ).fetchall()
    return [Mart(*row) for row in found]


def column_comments(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Read the descriptions of the marts' columns, by mart and column."""
    found = connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = ? AND comment IS NOT NULL "
        "ORDER BY table_oid, column_index",
        [SOURCE, MARTS_SCHEMA],
    ).fetchall()
    comments: dict[str, dict[str, str]] = {}
    for mart, column, comment in found:
        comments.setdefault(mart, {})[column] = comment
    return comments


class Views:
    """Views of the marts, and of what each mart may read for a scope, in the memory of a connection.

    Most marts may read the same rows, so a view is created again only if its statement differs.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._created: dict[str, str] = {}
        for schema in (GOLD_SCHEMA, MARTS_SCHEMA):
            connection.execute(f"CREATE SCHEMA {VIEWS}.{schema}")

    def show(self, mart: Mart, scope: Scope | None, newest_minute: datetime) -> str:
        """Create a mart's views for a scope, and return its name in SQL, which is valid until the next call.

        scope: None is the admin's, which reads everything. newest_minute: from `newest`.
        """
        self._connection.execute(f"USE {VIEWS}")
        for table in gold.TABLES:
            read = (
                f"FROM {SOURCE}.{name_of(table.name)}"
                if scope is None
                else rows(table, scope.cut_for(mart.name, table.name, newest_minute), scope)
            )
            self._make(name_of(table.name), f"CREATE OR REPLACE VIEW {name_of(table.name)} AS {read}")
        name = f"{MARTS_SCHEMA}.{identifier(mart.name)}"
        self._make(name, mart.sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
        return f"{VIEWS}.{name}"

    def _make(self, name: str, statement: str) -> None:
        """Run the statement that creates the view `name`, unless the same statement created it last."""
        if self._created.get(name) != statement:
            self._connection.execute(statement)
            self._created[name] = statement


def newest(connection: duckdb.DuckDBPyConnection) -> datetime:
    """Find the UTC minute of the newest data: the present of a scope, whatever the clock says.

    It is 1970-01-01 if no minute fact has a row.
    """
    facts = " UNION ALL ".join(
        f"SELECT max(datetime_key) AS minute FROM {SOURCE}.{name_of(table.name)}"  # noqa: S608
        for table in gold.MINUTE_FACTS
    )
    found = connection.execute(f"SELECT max(minute) FROM ({facts})").fetchone()  # noqa: S608
    if found is None or found[0] is None:
        return _NO_READINGS
    return datetime.strptime(str(found[0]), "%Y%m%d%H%M").replace(tzinfo=UTC)


def rows(table: Table, cut: Cut | None, scope: Scope) -> str:
    """Return a SELECT of a Gold table's rows within a cut, with what was known at the end of the dates.

    cut: None selects no row.
    """
    of_table = f"{SOURCE}.{name_of(table.name)}"
    if cut is None:
        names = ", ".join(identifier(column.name) for column in published_columns(table))
        return f"SELECT {names} FROM {of_table} WHERE false"  # noqa: S608
    columns = []
    for column in published_columns(table):
        name = identifier(column.name)
        value = dated.value(table, column.name, name, cut, scope)
        columns.append(name if value == name else f"{value} AS {name}")
    return f"SELECT {', '.join(columns)} FROM {of_table} WHERE {dated.condition(table, cut)}"  # noqa: S608
