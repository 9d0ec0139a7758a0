"""Lists who reads which database: the admin, and each person of sites.yaml with a database of their own.

Who sees which rows is decided in `people.scopes` and written as SQL in `people.cut`, as for people's files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from domotic_assets.escaping import identifier
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve.catalog import MARTS_SCHEMA, published_columns
from domotic_assets.serve.people import cut
from domotic_assets.serve.people.scopes import Cut, Scope
from domotic_assets.serve.postgres.layout import ADMIN_ROLE, MartShape
from domotic_assets.serve.postgres.roles import role_of
from domotic_assets.serve.tables import name_of

_EVERYTHING = "everything"
"""Rights of the admin, who has no scope."""


@dataclass(frozen=True)
class Reader:
    """A reader: the role, the only database that it may connect to, and what it sees.

    scope: None for the admin, who sees everything.
    """

    role: str
    database: str
    scope: Scope | None

    @property
    def rights(self) -> str:
        """A hash of all that decides what the reader sees besides the data."""
        return _EVERYTHING if self.scope is None else self.scope.definition("")

    def cut(self, name: str, newest: datetime) -> Cut | None:
        """Return what the reader sees of a table or mart; None if nothing. Not to be called for the admin."""
        assert self.scope is not None
        return self.scope.cut(name, newest)

    def may_read(self, name: str, newest: datetime) -> bool:
        """Return whether the reader has this table or mart at all."""
        return self.scope is None or self.scope.cut(name, newest) is not None

    def tables(self, newest: datetime) -> list[Table]:
        """Return the Gold tables that the reader's database holds."""
        return [table for table in gold.TABLES if self.may_read(table.name, newest)]

    def rows(self, table: Table, newest: datetime) -> str:
        """Return a SELECT, in DuckDB's SQL, of the rows of a Gold table that the reader sees."""
        if self.scope is not None:
            return cut.rows(table, self.cut(table.name, newest), self.scope)
        columns = ", ".join(identifier(column.name) for column in published_columns(table))
        return f"SELECT {columns} FROM {cut.SOURCE}.{name_of(table.name)}"  # noqa: S608


def readers_of(database: str, scopes: Sequence[Scope]) -> tuple[Reader, ...]:
    """Return the admin, who reads the given database, and each person, who reads one named as the role.

    Raises ConfigurationError for a login id that cannot name a role.
    """
    people = (Reader(role_of(scope.user), role_of(scope.user), scope) for scope in scopes)
    return (Reader(ADMIN_ROLE, database, None), *people)


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
