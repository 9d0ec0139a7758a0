"""What checks say is wrong, as a published file tells its readers: the table `meta.failing_checks`."""

from collections.abc import Collection
from dataclasses import astuple, dataclass
from datetime import datetime

import duckdb

from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve.tables import literal

Row = tuple[object, ...]

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
    """A check that found something, once for each home that is meant.

    table: id of the checked table. severity: WARN or ERROR. since: UTC, when it began, else was found.
    """

    table: str
    name: str
    severity: str
    home: str | None
    breaches: int
    since: datetime


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """An empty `meta.failing_checks`."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in _COLUMNS.items())
    connection.execute(f"CREATE TABLE {_TABLE} ({columns})")
    meaning = "One row per check that failed in its last round, and home that is meant."
    connection.execute(f"COMMENT ON TABLE {_TABLE} IS {literal(meaning)}")
    for name, (_, words) in _COLUMNS.items():
        connection.execute(f"COMMENT ON COLUMN {_TABLE}.{name} IS {literal(words)}")


def replace(connection: duckdb.DuckDBPyConnection, present: Collection[Row]) -> None:
    """Make the table hold these rows."""
    connection.execute("DELETE FROM meta.failing_checks")
    if present:
        connection.executemany("INSERT INTO meta.failing_checks VALUES (?, ?, ?, ?, ?, ?)", list(present))


def read(connection: duckdb.DuckDBPyConnection, catalog: str | None = None) -> list[Row]:
    """The rows of an open file, or of one that is attached as `catalog`, in order."""
    table = _TABLE if catalog is None else f"{catalog}.{_TABLE}"
    return connection.execute(f"FROM {table} ORDER BY ALL").fetchall()


def home_of(row: Row) -> object:
    """The key of the home that is meant; None where it is none."""
    return row[list(_COLUMNS).index("apartment_key")]


def rows(checks: Collection[FailingCheck]) -> list[Row]:
    """The rows that say this, in no order."""
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
