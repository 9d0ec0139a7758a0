"""Writes the SQL that selects what a scope sees from the admin's file, attached to a connection as `source`.

Files and servers are both filled with it, so that a person sees the same rows in each. Who sees what is
decided in `scopes`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.table import Subject, Table
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA, published_columns
from domotic_assets.serve.connection import in_memory
from domotic_assets.serve.people.scopes import Cut, RowFilter, Scope
from domotic_assets.serve.tables import name_of

SOURCE, VIEWS = "source", "memory"
"""The catalogs of the admin's file, and of the views that limit what a mart may read."""
_NO_READINGS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mart:
    """A mart of the admin's file: its name, the statement that creates it, and its description."""

    name: str
    sql: str
    comment: str | None


@contextmanager
def opened(admin_file: Path, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with the admin's file; what does not fit into memory goes to the folder `spill`."""
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
    """Return a SELECT of a Gold table's rows within a cut; values withheld from the scope are null.

    cut: None selects no row.
    """
    columns = []
    for column in published_columns(table):
        homes = scope.homes_shown(table.name, column.name)
        name = identifier(column.name)
        columns.append(
            name
            if homes is None
            else f"CASE WHEN {_any_of('apartment_key', homes)} THEN {name} END AS {name}"
        )
    return (
        f"SELECT {', '.join(columns)} FROM {SOURCE}.{name_of(table.name)} "  # noqa: S608
        f"WHERE {'false' if cut is None else _condition(table, cut)}"
    )


def _condition(table: Table, cut: Cut) -> str:
    """Return the condition in SQL for the rows of a table that are within a cut."""
    homes = _any_of("apartment_key", cut.apartment_keys)
    match table.subject:
        case Subject.NOBODY:
            return "true"
        case Subject.HOME:
            return _in_windows(table, cut.windows)
        case Subject.DEVICE:
            seen = _device_seen(cut.windows)
            dated = "date_key" in table.schema
            return f"{_in_windows(table, cut.windows)} AND {seen}" if dated else seen
        case Subject.SITE:
            apartments = name_of(homes_gold.DIM_APARTMENT.name)
            sites = f"SELECT weather_site_key FROM {SOURCE}.{apartments} WHERE {homes}"  # noqa: S608
            return f"site_key IN ({sites})"
        case Subject.PROVIDER:
            return _any_of("provider", [literal(name) for name in sorted(cut.providers)])
    raise ValueError(f"{table.name}: rows that are {table.subject} cannot be cut for a person")


def _in_windows(table: Table, windows: Sequence[RowFilter]) -> str:
    """Return the condition for rows of the windows' homes, and of dates and minutes if the table has any."""
    names = table.schema
    return _either(
        " AND ".join(
            [f"apartment_key = {window.apartment_key}"]
            + (
                [f"date_key >= {window.first_date_key}", f"date_key < {window.end_date_key}"]
                if "date_key" in names
                else []
            )
            + ([f"datetime_key > {window.after_minute}"] if "datetime_key" in names else [])
        )
        for window in windows
    )


def _device_seen(windows: Sequence[RowFilter]) -> str:
    """Return the condition for devices with a reading in the windows.

    Other devices may belong to people who lived there before or after.
    """
    health = homes_gold.FACT_DEVICE_HEALTH_DAY
    energy = homes_gold.FACT_ENERGY_MINUTE
    return (
        f"device_key IN (SELECT device_key FROM {SOURCE}.{name_of(health.name)} "  # noqa: S608
        f"WHERE uptime_pct > 0 AND {_in_windows(health, windows)} "
        # A device's health is computed within the hour; a meter's energy rows within the minute.
        f"UNION SELECT device_key FROM {SOURCE}.{name_of(energy.name)} WHERE {_in_windows(energy, windows)})"
    )


def _any_of(column: str, values: Sequence[object]) -> str:
    """Return a condition in SQL: the column has one of the values (in SQL); `false` if there are none."""
    return f"{column} IN ({', '.join(map(str, values))})" if values else "false"


def _either(conditions: Iterator[str]) -> str:
    """Return a condition in SQL: at least one of the conditions holds; `false` if there are none."""
    return f"({' OR '.join(f'({condition})' for condition in conditions) or 'false'})"
