"""Creates Gold tables in a DuckDB file, fills them from Parquet files, and checks their rules.

Only SQL on an open connection belongs here. Which file that is and who may see it belongs to `publish`, what
has changed since to `refresh`.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import duckdb

from domotic_assets.errors import ContractError
from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas.table import NO_KEY, UTC_TIME, Column, Table
from domotic_assets.serve.catalog import (
    GOLD_SCHEMA,
    describe_column,
    describe_table,
    published_columns,
    sql_type,
)


def create_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Create an empty table with its comments.

    It declares no keys: drivers of DuckDB 1.0 cannot open a file of today's DuckDB that has any.
    """
    parts = [
        f"{identifier(column.name)} {sql_type(column)}{'' if column.nullable else ' NOT NULL'}"
        for column in published_columns(table)
    ]
    connection.execute(f"CREATE TABLE {name_of(table.name)} ({', '.join(parts)})")
    connection.execute(f"COMMENT ON TABLE {name_of(table.name)} IS {literal(describe_table(table))}")
    for column in published_columns(table):
        connection.execute(
            f"COMMENT ON COLUMN {name_of(table.name)}.{identifier(column.name)} "
            f"IS {literal(describe_column(table, column))}"
        )


def insert_files(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: Sequence[str],
    where: str = "true",
    bounds: Sequence[int] = (),
) -> int:
    """Insert the rows of Parquet files that meet a condition, in the schema's order; return their number.

    bounds: values of the condition's parameters.
    """
    if not files:
        return 0
    statement = (
        f"INSERT INTO {name_of(table.name)} {rows_of_files(table)} WHERE {where} "
        f"ORDER BY {', '.join(map(identifier, table.sort))}"
    )
    return _insert(connection, table, statement, [paths(files), *bounds])


def insert_missing(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[str]) -> int:
    """Insert the rows of Parquet files that the table does not hold; return their number."""
    if not files:
        return 0
    statement = (
        f"INSERT INTO {name_of(table.name)} SELECT * FROM "  # noqa: S608
        f"({rows_of_files(table)} EXCEPT ALL FROM {name_of(table.name)})"
    )
    return _insert(connection, table, statement, [paths(files)])


def require_keys(
    connection: duckdb.DuckDBPyConnection, table: Table, where: str = "true", bounds: Sequence[int] = ()
) -> None:
    """Raise ContractError if a primary key occurs twice, or a foreign key refers to a missing row.

    where: condition in SQL for the table's rows to check; by default all. bounds: values of its parameters. A
    foreign key may be null, and may be NO_KEY where the schema allows it.
    """
    columns = ", ".join(map(identifier, table.primary_key))
    twice = connection.execute(
        f"SELECT {columns} FROM {name_of(table.name)} WHERE {where} "  # noqa: S608
        "GROUP BY ALL HAVING count(*) > 1 LIMIT 1",
        bounds,
    ).fetchone()
    if twice is not None:
        raise _broken(table, f"key {twice} stands twice")
    for key in table.foreign_keys:
        column = f"own.{identifier(key.column)}"
        lost = connection.execute(
            f"SELECT {column} FROM (FROM {name_of(table.name)} WHERE {where}) AS own "  # noqa: S608
            f"ANTI JOIN {name_of(key.table)} AS other ON {column} = other.{identifier(key.target)} "
            f"WHERE {column} IS NOT NULL AND NOT (? AND {column} = ?) LIMIT 1",
            [*bounds, key.allow_none, NO_KEY],
        ).fetchone()
        if lost is not None:
            raise _broken(table, f"{key.column} {lost[0]} is not in {key.table}")


def require_ranges(
    connection: duckdb.DuckDBPyConnection, table: Table, where: str = "true", bounds: Sequence[int] = ()
) -> None:
    """Raise ContractError if a value lies outside the range that the schema declares for its column.

    where, bounds: as in `require_keys`.
    """
    outside = {
        column.name: " OR ".join(
            f"{identifier(column.name)} {beyond} {limit}"
            for beyond, limit in (("<", column.minimum), (">", column.maximum))
            if limit is not None
        )
        for column in published_columns(table)
        if column.minimum is not None or column.maximum is not None
    }
    if not outside:
        return
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in outside.values())
    found = connection.execute(
        f"SELECT {counts} FROM {name_of(table.name)} WHERE {where}",  # noqa: S608
        bounds,
    ).fetchone()
    assert found is not None
    for name, number in zip(outside, found, strict=True):
        if number:
            raise _broken(table, f"{number:,} values of {name} are out of range")


def rows_of_files(table: Table) -> str:
    """Return a SELECT of the published columns from the Parquet files that its first parameter lists."""
    # The partition is only in the path. A nullable column added later is missing in older files, perhaps in
    # all: it is declared by a row that is never there.
    published = published_columns(table)
    columns = ", ".join(map(_plain, published))
    rows = "FROM read_parquet(?, hive_partitioning = false, union_by_name = true)"
    names = ", ".join(
        f"NULL::{_stored_type(column)} AS {identifier(column.name)}"
        for column in published
        if column.nullable
    )
    if names:
        rows += f" UNION ALL BY NAME (SELECT {names} WHERE false)"
    return f"SELECT {columns} FROM ({rows})"  # noqa: S608


def paths(files: Iterable[str]) -> list[str]:
    """Decode Delta's file URIs, in which a space or an umlaut of the lake's folder is escaped, to paths."""
    return [unquote(file) for file in files]


def name_of(table: str) -> str:
    """Return a Gold table's name in SQL, with its schema."""
    return f"{GOLD_SCHEMA}.{identifier(table)}"


def first_line(error: Exception) -> str:
    """Return the first line of DuckDB's message, without the excerpt of the SQL that follows."""
    return str(error).partition("\n")[0]


def _insert(
    connection: duckdb.DuckDBPyConnection, table: Table, statement: str, parameters: list[object]
) -> int:
    """Run an INSERT and return its number of rows; raises ContractError if they do not fit the table."""
    try:
        counted = connection.execute(statement, parameters).fetchone()
    except (duckdb.BinderException, duckdb.ConstraintException, duckdb.ConversionException) as error:
        raise _broken(table, first_line(error)) from error
    assert counted is not None
    return int(counted[0])


def _plain(column: Column) -> str:
    """Return the SQL that selects this column of a Parquet file; a UTC time becomes one without a zone."""
    name = identifier(column.name)
    return f"make_timestamp(epoch_us({name})) AS {name}" if column.dtype == UTC_TIME else name


def _stored_type(column: Column) -> str:
    """Return the SQL type of a column in Gold's Parquet files, where a UTC time has a zone."""
    return "TIMESTAMPTZ" if column.dtype == UTC_TIME else sql_type(column)


def _broken(table: Table, what: str) -> ContractError:
    """Make the error for rows that do not fit their table's schema. what: the mistake found."""
    return ContractError(
        what,
        where=table.id,
        expected="the columns, keys and ranges of its schema",
        remedy="materialise the table again",
    )
