"""Builds a person's DuckDB file: of the admin's published file only the tables, rows and columns of a scope.

DuckDB knows neither users nor row security, so what must not be seen must not be in the file. A file is
always built from nothing: blocks that a deletion frees would keep their bytes. Who sees what stands in
`scopes`; versions and swapping in `publish`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve import failing_checks, publish
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA, published_columns
from domotic_assets.serve.scopes import MATRIX, Cut, Scope, Subject, Window, refuse_unruled
from domotic_assets.serve.tables import create_table, identifier, literal, name_of

_PURPOSE = "scopes"
_LOCK = ".publishing-scopes"
_SOURCE, _TARGET, _VIEWS = "source", "published", "memory"
_NO_READINGS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PublishedScopes:
    """What `publish_scopes` did: files that were built, files that still held, people whose files went."""

    built: tuple[Path, ...]
    current: int
    removed: int


def are_current(serve: Path, scopes: Sequence[Scope]) -> bool:
    """Whether the files in the folder are those of these scopes and of the admin's present file."""
    of_nobody = publish.published_scopes(serve) - {publish.ADMIN} - {scope.user for scope in scopes}
    return not of_nobody and not _behind(serve, scopes)


def _behind(serve: Path, scopes: Sequence[Scope]) -> list[Scope]:
    """The scopes whose file is not of the admin's present file; all where that cannot be read."""
    try:
        with duckdb.connect() as connection:
            _attach_source(connection, serve)
            versions, _ = publish.stated_by(connection, _SOURCE)
            definitions = [_definition(connection, scope) for scope in scopes]
    except duckdb.Error:
        return list(scopes)
    return [
        scope
        for scope, definition in zip(scopes, definitions, strict=True)
        if not publish.is_current(publish.published_file(serve, scope.user), versions, definition)
    ]


def publish_scopes(serve: Path, scopes: Sequence[Scope]) -> PublishedScopes:
    """Build the files that are not of the admin's present file; files of nobody are removed first.

    One process at a time, so that a slower one never puts back what another has taken away.
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
    """Build a person's file aside from the admin's published file, and return it."""
    try:
        target = publish.clear_aside(serve, _PURPOSE, scope.user)
        with _opened(serve, target) as connection:
            _fill(connection, scope)
    except (OSError, duckdb.IOException) as error:
        raise publish.unwritable(serve, error) from error
    return target


@contextmanager
def _opened(serve: Path, target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the admin's file, the file to build, and room for views in memory."""
    with duckdb.connect(config={"temp_directory": str(target.parent / "spill")}) as connection:
        _attach_source(connection, serve)
        connection.execute(
            f"ATTACH {literal(str(target))} AS {_TARGET} (STORAGE_VERSION {literal(publish.STORAGE_VERSION)})"
        )
        yield connection
        connection.execute(f"USE {_VIEWS}")
        connection.execute(f"DETACH {_TARGET}")


def _attach_source(connection: duckdb.DuckDBPyConnection, serve: Path) -> None:
    connection.execute(f"ATTACH {literal(str(publish.published_file(serve)))} AS {_SOURCE} (READ_ONLY)")


def _definition(connection: duckdb.DuckDBPyConnection, scope: Scope) -> str:
    """What a scope's file of the attached admin's file is of, besides the data."""
    _, definition = publish.stated_by(connection, _SOURCE)
    return scope.definition(definition, _failing_checks(connection, scope))


def _failing_checks(connection: duckdb.DuckDBPyConnection, scope: Scope) -> list[failing_checks.Row]:
    """Those of homes in which the person lives now: a stuck motion sensor tells of who is there."""
    homes = scope.homes_lived_in(_newest(connection))
    return [row for row in failing_checks.read(connection, _SOURCE) if failing_checks.home_of(row) in homes]


def _fill(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    marts = connection.execute(
        "SELECT view_name, sql, comment FROM duckdb_views() "
        "WHERE database_name = ? AND schema_name = ? ORDER BY view_oid",
        [_SOURCE, MARTS_SCHEMA],
    ).fetchall()
    refuse_unruled((table.name for table in gold.TABLES), (name for name, _, _ in marts))
    newest = _newest(connection)
    cuts = {table.name: scope.cut(table.name, newest) for table in gold.TABLES}
    held = [table for table in gold.TABLES if cuts[table.name] is not None]
    for schema in (GOLD_SCHEMA, MARTS_SCHEMA, "meta"):
        connection.execute(f"CREATE SCHEMA {_TARGET}.{schema}")
    for schema in (GOLD_SCHEMA, MARTS_SCHEMA):
        connection.execute(f"CREATE SCHEMA {_VIEWS}.{schema}")

    connection.execute(f"USE {_TARGET}")
    for table in held:
        create_table(connection, table)
        connection.execute(
            f"INSERT INTO {name_of(table.name)} {_rows(table, cuts[table.name], scope)} "
            f"ORDER BY {', '.join(map(identifier, table.sort))}"
        )
    connection.execute(f"USE {_VIEWS}")
    for mart, sql, comment in marts:
        for table in gold.TABLES:
            cut = scope.cut_for(mart, table.name, newest)
            connection.execute(f"CREATE OR REPLACE VIEW {name_of(table.name)} AS {_rows(table, cut, scope)}")
        connection.execute(sql)
        if scope.cut(mart, newest) is not None:
            _keep_mart(connection, mart, comment)
    connection.execute(f"USE {_TARGET}")
    versions, _ = publish.stated_by(connection, _SOURCE)
    publish.record_keys(connection, held)
    publish.record_published(connection, scope.user, versions, _definition(connection, scope))
    failing_checks.create(connection)
    failing_checks.replace(connection, _failing_checks(connection, scope))


def _newest(connection: duckdb.DuckDBPyConnection) -> datetime:
    """The UTC minute up to which there is data: the present of a scope, whatever the clock says."""
    facts = " UNION ALL ".join(
        f"SELECT max(datetime_key) AS minute FROM {_SOURCE}.{name_of(table.name)}"  # noqa: S608
        for table in gold.MINUTE_FACTS
    )
    found = connection.execute(f"SELECT max(minute) FROM ({facts})").fetchone()  # noqa: S608
    if found is None or found[0] is None:
        return _NO_READINGS
    return datetime.strptime(str(found[0]), "%Y%m%d%H%M").replace(tzinfo=UTC)


def _keep_mart(connection: duckdb.DuckDBPyConnection, mart: str, comment: str | None) -> None:
    """A mart as a table: what it was made from need not be in the file."""
    kept = f"{_TARGET}.{MARTS_SCHEMA}.{identifier(mart)}"
    connection.execute(f"CREATE TABLE {kept} AS FROM {_VIEWS}.{MARTS_SCHEMA}.{identifier(mart)}")
    connection.execute(f"COMMENT ON TABLE {kept} IS {literal(comment or '')}")
    columns = connection.execute(
        "SELECT column_name, comment FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = ? AND table_name = ? AND comment IS NOT NULL",
        [_SOURCE, MARTS_SCHEMA, mart],
    ).fetchall()
    for column, words in columns:
        connection.execute(f"COMMENT ON COLUMN {kept}.{identifier(column)} IS {literal(words)}")


def _rows(table: Table, cut: Cut | None, scope: Scope) -> str:
    """A SELECT of the rows of a Gold table within a cut, without the values that the scope may not see."""
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
        f"SELECT {', '.join(columns)} FROM {_SOURCE}.{name_of(table.name)} "  # noqa: S608
        f"WHERE {'false' if cut is None else _condition(table, cut)}"
    )


def _condition(table: Table, cut: Cut) -> str:
    """Which rows of a table are within a cut."""
    homes = _any_of("apartment_key", cut.apartment_keys)
    match MATRIX[table.name].of:
        case Subject.NOBODY:
            return "true"
        case Subject.HOME:
            return _in_windows(table, cut.windows)
        case Subject.DEVICE:
            seen = _device_seen(cut.windows)
            dated = "date_key" in table.schema
            return f"{_in_windows(table, cut.windows)} AND {seen}" if dated else seen
        case Subject.SITE:
            sites = f"SELECT weather_site_key FROM {_SOURCE}.{name_of(gold.DIM_APARTMENT.name)} WHERE {homes}"  # noqa: S608
            return f"site_key IN ({sites})"
        case Subject.PROVIDER:
            return _any_of("provider", [literal(name) for name in sorted(cut.providers)])
    raise ValueError(f"{table.name}: the matrix does not say whose its rows are")


def _in_windows(table: Table, windows: Sequence[Window]) -> str:
    """Rows of the windows' homes, and of their dates and minutes where the table has these."""
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


def _device_seen(windows: Sequence[Window]) -> str:
    """Devices that gave a reading in the windows: others may be of those who lived there before or after."""
    health, energy = gold.FACT_DEVICE_HEALTH_DAY, gold.FACT_ENERGY_MINUTE
    return (
        f"device_key IN (SELECT device_key FROM {_SOURCE}.{name_of(health.name)} "  # noqa: S608
        f"WHERE uptime_pct > 0 AND {_in_windows(health, windows)} "
        # Health follows within the hour; a meter's rows are there within the minute.
        f"UNION SELECT device_key FROM {_SOURCE}.{name_of(energy.name)} WHERE {_in_windows(energy, windows)})"
    )


def _any_of(column: str, values: Sequence[object]) -> str:
    return f"{column} IN ({', '.join(map(str, values))})" if values else "false"


def _either(conditions: Iterator[str]) -> str:
    return f"({' OR '.join(f'({condition})' for condition in conditions) or 'false'})"
