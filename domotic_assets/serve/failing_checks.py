"""Writes and reads `meta.failing_checks`: the failing checks that a published file shows to its readers."""

from collections.abc import Collection
from dataclasses import astuple, dataclass
from datetime import datetime

import duckdb

from domotic_assets.escaping import literal
from domotic_assets.schemas.table import surrogate_key

Row = tuple[object, ...]
"""A row of the table, in the order of `_COLUMNS`."""

_TABLE = "meta.failing_checks"
_COLUMNS = {
    "table_name": ("VARCHAR NOT NULL", "table that is checked, with its layer"),
    "check_name": ("VARCHAR NOT NULL", "check; its rule is in docs/checks.md"),
    "severity": ("VARCHAR NOT NULL", "ERROR alerts somebody, WARN shows"),
    "apartment_key": ("BIGINT", "home that is meant -> dim_apartment.apartment_key; null where it is none"),
    "breaches": ("INTEGER NOT NULL", "how many devices, variables or rows of it are wrong"),
    "since_utc": ("TIMESTAMP NOT NULL", "when it began, else when it was found"),
}


@dataclass(frozen=True, order=True)
class FailingCheck:
    """A failing check, one for each home concerned.

    table: id of the checked table. severity: WARN or ERROR. home: its id; None if no home is concerned.
    breaches: number of devices, variables or rows that are wrong. since: when it began, else when it was
    found (UTC).
    """

    table: str
    name: str
    severity: str
    home: str | None
    breaches: int
    since: datetime


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create an empty `meta.failing_checks`, with comments."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in _COLUMNS.items())
    connection.execute(f"CREATE TABLE {_TABLE} ({columns})")
    meaning = "One row per check that failed in its last round, and home that is meant."
    connection.execute(f"COMMENT ON TABLE {_TABLE} IS {literal(meaning)}")
    for name, (_, words) in _COLUMNS.items():
        connection.execute(f"COMMENT ON COLUMN {_TABLE}.{name} IS {literal(words)}")


def replace(connection: duckdb.DuckDBPyConnection, present: Collection[Row]) -> None:
    """Replace all rows of `meta.failing_checks` by the given rows."""
    connection.execute("DELETE FROM meta.failing_checks")
    if present:
        connection.executemany("INSERT INTO meta.failing_checks VALUES (?, ?, ?, ?, ?, ?)", list(present))


def read(connection: duckdb.DuckDBPyConnection, catalog: str | None = None) -> list[Row]:
    """Read the rows of `meta.failing_checks`, sorted by all columns.

    catalog: the name under which the file is attached; None for the file that is open.
    """
    table = _TABLE if catalog is None else f"{catalog}.{_TABLE}"
    return connection.execute(f"FROM {table} ORDER BY ALL").fetchall()


def home_of(row: Row) -> object:
    """Return the key of the home that a row concerns; None if it concerns none."""
    return row[list(_COLUMNS).index("apartment_key")]


def begun_after(row: Row, moment: datetime) -> Row:
    """Return a row that began at a UTC moment without a zone, if it began before."""
    place = list(_COLUMNS).index("since_utc")
    began = row[place]
    assert isinstance(began, datetime)
    return (*row[:place], max(began, moment), *row[place + 1 :])


def rows(checks: Collection[FailingCheck]) -> list[Row]:
    """Convert failing checks to rows of `meta.failing_checks`, in no particular order."""
    return [
        (
            table,
            name,
            severity,
            None if home is None else surrogate_key(home),
            breaches,
            since.replace(tzinfo=None),
        )
        for table, name, severity, home, breaches, since in map(astuple, checks)
    ]
