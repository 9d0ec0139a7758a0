"""Builds the DuckDB file that people and BI tools open, beside the old one, and swaps it in.

The file is built in two phases, as dbt adds its views and tests the file in between: `build_file`
writes it aside, `swap_in` makes it the published one. Until then a reader sees the old file, and
one that has the old file open keeps it. Which tables exist and how they are described is the
catalog's business; asking questions is `query`'s.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import duckdb

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import UTC_TIME, Column, Table
from domotic_assets.serve.catalog import (
    GOLD_SCHEMA,
    MARTS_SCHEMA,
    describe_column,
    describe_table,
    enforced_foreign_keys,
    in_load_order,
    is_dimension,
    published_columns,
    sql_type,
)

SCOPE = "admin"
KEPT_VERSIONS = 3

# The oldest format of DuckDB 1: what the ODBC drivers of today's BI tools open.
STORAGE_VERSION = "v1.0.0"

_STEM = f"domotic-{SCOPE}"
_VERSIONED = re.compile(rf"{_STEM}-(\d{{6,}})\.duckdb")
_ASIDE = ".building"
_CATALOG = "published"


def published_file(serve: Path) -> Path:
    """The stable name of the published file in the folder `serve`."""
    return serve / f"{_STEM}.duckdb"


def aside_file(serve: Path) -> Path:
    """Where `build_file` puts the file that is being built."""
    return serve / _ASIDE / f"{_STEM}.duckdb"


def is_current(file: Path, versions: Mapping[str, int], definition: str) -> bool:
    """Whether a published file was built from exactly these Delta versions and this definition."""
    if not file.is_file():
        return False
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            rows = connection.execute(
                "SELECT table_name, delta_version, definition FROM meta.published WHERE scope = ?", [SCOPE]
            ).fetchall()
    except duckdb.Error:
        return False
    return sorted(rows) == sorted((name, version, definition) for name, version in versions.items())


def build_file(
    serve: Path, files: Mapping[str, Sequence[str]], versions: Mapping[str, int], definition: str
) -> Path:
    """Build the file of a snapshot of Gold aside, and return it.

    files: for each Gold table the Parquet files of its Delta snapshot; none for an empty table.
    versions: the Delta version of each of these snapshots.
    definition: what `catalog.definition_of` says of the schemas and the dbt project.
    Whatever an earlier, unfinished build left is removed first.
    """
    _refuse_other_tables(files, versions)
    target = aside_file(serve)
    aside = target.parent
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        with duckdb.connect(config={"temp_directory": str(aside / "spill")}) as connection:
            connection.execute(
                f"ATTACH {_literal(str(target))} AS {_CATALOG} (STORAGE_VERSION {_literal(STORAGE_VERSION)})"
            )
            connection.execute(f"USE {_CATALOG}")
            _create(connection, in_load_order(gold.TABLES))
            for table in in_load_order(gold.TABLES):
                _load(connection, table, files[table.name])
            _record(connection, _next_version(serve), versions, definition)
            connection.execute("USE memory")
            connection.execute(f"DETACH {_CATALOG}")
    except (OSError, duckdb.IOException) as error:
        raise _unwritable(serve, error) from error
    return target


def swap_in(built: Path, serve: Path) -> Path:
    """Publish a file that `build_file` built: stable and versioned name; the newest versions are kept.

    Returns the versioned file. Each step leaves either the old or the new file under the stable name.
    """
    try:
        with duckdb.connect(str(built)) as connection:
            connection.execute("CHECKPOINT")
            [(version,)] = connection.execute("SELECT DISTINCT version FROM meta.published").fetchall()
        _sync(built)
        versioned = serve / f"{_STEM}-{version:06d}.duckdb"
        versioned.hardlink_to(built)
        built.replace(published_file(serve))
        _sync(serve)
        for old in _versioned_files(serve)[:-KEPT_VERSIONS]:
            old.unlink()
        shutil.rmtree(built.parent, ignore_errors=True)
    except FileExistsError as error:
        raise LakeError(
            f"version {version} was published meanwhile",
            where=str(serve),
            expected="one publication at a time",
            remedy="build again",
        ) from error
    except (OSError, duckdb.IOException) as error:
        raise _unwritable(serve, error) from error
    return versioned


def _refuse_other_tables(files: Mapping[str, Sequence[str]], versions: Mapping[str, int]) -> None:
    expected = {table.name for table in gold.TABLES}
    for given in (files, versions):
        if given.keys() != expected:
            raise ContractError(
                f"missing {sorted(expected - given.keys())}, unknown {sorted(given.keys() - expected)}",
                where="published file",
                expected="a snapshot of each Gold table",
                remedy="materialise the missing tables first",
            )


def _create(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Empty schemas and tables; one transaction, as each commit waits for the disk."""
    connection.begin()
    for schema in (GOLD_SCHEMA, MARTS_SCHEMA, "meta"):
        connection.execute(f"CREATE SCHEMA {_identifier(schema)}")
    for table in tables:
        _create_table(connection, table)
    connection.commit()


def _create_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """An empty table with its keys (dimensions only) and comments."""
    parts = [
        f"{_identifier(column.name)} {sql_type(column)}{'' if column.nullable else ' NOT NULL'}"
        for column in published_columns(table)
    ]
    if is_dimension(table):
        parts.append(f"PRIMARY KEY ({', '.join(map(_identifier, table.primary_key))})")
    parts += [
        f"FOREIGN KEY ({_identifier(key.column)}) REFERENCES {_name(key.table)} ({_identifier(key.target)})"
        for key in enforced_foreign_keys(table)
    ]
    connection.execute(f"CREATE TABLE {_name(table.name)} ({', '.join(parts)})")
    connection.execute(f"COMMENT ON TABLE {_name(table.name)} IS {_literal(describe_table(table))}")
    for column in published_columns(table):
        connection.execute(
            f"COMMENT ON COLUMN {_name(table.name)}.{_identifier(column.name)} "
            f"IS {_literal(describe_column(table, column))}"
        )


def _load(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[str]) -> None:
    """Insert the rows of Parquet files, sorted as the schema says."""
    if not files:
        return
    columns = ", ".join(_plain(column) for column in published_columns(table))
    # The partition stands in the path only; a column added later is missing in older files.
    statement = (
        f"INSERT INTO {_name(table.name)} SELECT {columns} "  # noqa: S608 (quoted names of the schemas)
        "FROM read_parquet(?, hive_partitioning = false, union_by_name = true) "
        f"ORDER BY {', '.join(map(_identifier, table.sort))}"
    )
    try:
        # Delta names its files as URIs, in which a space or an umlaut of the lake's folder is escaped.
        connection.execute(statement, [[unquote(file) for file in files]])
    except (duckdb.BinderException, duckdb.ConstraintException, duckdb.ConversionException) as error:
        raise ContractError(
            _first_line(error),
            where=table.id,
            expected="the columns and keys of its schema",
            remedy="materialise the table again",
        ) from error


def _plain(column: Column) -> str:
    """A column of a Parquet file, its UTC times without a zone."""
    name = _identifier(column.name)
    return f"make_timestamp(epoch_us({name}))" if column.dtype == UTC_TIME else name


def _record(
    connection: duckdb.DuckDBPyConnection, version: int, versions: Mapping[str, int], definition: str
) -> None:
    """Write `meta.keys` (one row per key column) and `meta.published` (one row per table)."""
    connection.begin()
    connection.execute(
        "CREATE TABLE meta.keys (table_name VARCHAR NOT NULL, column_name VARCHAR NOT NULL, "
        "key VARCHAR NOT NULL, references_table VARCHAR, references_column VARCHAR)"
    )
    connection.execute(
        "COMMENT ON TABLE meta.keys IS 'One row per key column of a Gold table; facts enforce none of them.'"
    )
    keys: list[tuple[str, str, str, str | None, str | None]] = []
    for table in gold.TABLES:
        keys += [(table.name, column, "primary", None, None) for column in table.primary_key]
        keys += [(table.name, key.column, "foreign", key.table, key.target) for key in table.foreign_keys]
    connection.executemany("INSERT INTO meta.keys VALUES (?, ?, ?, ?, ?)", keys)
    connection.execute(
        "CREATE TABLE meta.published (version BIGINT NOT NULL, scope VARCHAR NOT NULL, "
        "table_name VARCHAR NOT NULL, delta_version BIGINT NOT NULL, definition VARCHAR NOT NULL)"
    )
    connection.execute(
        "COMMENT ON TABLE meta.published IS 'One row per Gold table: the Delta version that this file holds.'"
    )
    connection.executemany(
        "INSERT INTO meta.published VALUES (?, ?, ?, ?, ?)",
        [(version, SCOPE, name, delta_version, definition) for name, delta_version in versions.items()],
    )
    connection.commit()


def _versioned_files(serve: Path) -> list[Path]:
    """The versioned files, oldest first."""
    return sorted((file for file in serve.iterdir() if _VERSIONED.fullmatch(file.name)), key=_version)


def _version(file: Path) -> int:
    match = _VERSIONED.fullmatch(file.name)
    assert match is not None
    return int(match[1])


def _next_version(serve: Path) -> int:
    existing = _versioned_files(serve)
    return _version(existing[-1]) + 1 if existing else 1


def _sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(serve: Path, error: Exception) -> LakeError:
    return LakeError(
        f"the published file cannot be written ({_first_line(error)})",
        where=str(serve),
        expected="a writable folder with room for a second copy, and readable Gold files",
        remedy="free space or mend permissions, then build again; readers keep the old file",
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _name(table: str) -> str:
    return f"{GOLD_SCHEMA}.{_identifier(table)}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    """A quoted text, for the statements that take no bound parameter (ATTACH, COMMENT)."""
    return "'" + value.replace("'", "''") + "'"
