"""Builds the DuckDB file that people and BI tools open, beside the old one, and swaps it in.

The file is built in two phases, as dbt adds its views and tests the file in between: `build_file`
writes it aside, `swap_in` makes it the published one. Until then a reader sees the old file, and
one that has the old file open keeps it. Each purpose that builds has a folder of its own aside; one
at a time swaps. Which tables exist and how they are described is the catalog's business; bringing
a file up to date without building it is `refresh`'s; asking questions is `query`'s.

Why: docs/decisions/0004-published-file.md
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.files_on_disk import locked, sync
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve import failing_checks, file_index
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA
from domotic_assets.serve.connection import in_memory
from domotic_assets.serve.tables import (
    create_table,
    first_line,
    identifier,
    insert_files,
    literal,
    require_keys,
)

ADMIN = "admin"
"""The scope of who sees everything; the others are named after the login id of a person."""
KEPT_VERSIONS = 3

# The oldest format of DuckDB 1: what the ODBC drivers of today's BI tools open.
STORAGE_VERSION = "v1.0.0"

_NAMED = re.compile(r"domotic-(?P<scope>.+?)(?:-(?P<version>\d{6,}))?\.duckdb")
_STAGING = ".building"
_LOCK = ".publishing"
_CATALOG = "published"
_OWNER_ONLY, _OWNER_ONLY_FOLDER = 0o600, 0o700
"""A file holds what its scope may see: who else may read it is decided by whoever hands it on."""
_UNPUBLISHED = 0
"""Version of a file aside; swapping gives it its own."""


def published_file(serve: Path, scope: str = ADMIN) -> Path:
    """The stable name of a scope's published file in the folder `serve`."""
    return serve / f"domotic-{scope}.duckdb"


def staging_file(serve: Path, purpose: str, scope: str = ADMIN) -> Path:
    """Where a purpose builds its file; only one builder of a purpose works at a time."""
    return published_file(serve / _STAGING / purpose, scope)


def clear_staging(serve: Path, purpose: str, scope: str = ADMIN) -> Path:
    """`staging_file`, its folder made, empty and nobody else's: what a killed builder left is removed."""
    target = staging_file(serve, purpose, scope)
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True)
    target.parent.chmod(_OWNER_ONLY_FOLDER)
    return target


def is_current(file: Path, versions: Mapping[str, int], definition: str) -> bool:
    """Whether a published file holds exactly these Delta versions by this definition."""
    return bool(versions) and read_manifest(file) == (dict(versions), definition)


def is_of(file: Path, definition: str) -> bool:
    """Whether there is a published file, and by this definition."""
    return read_manifest(file)[1] == definition


def read_manifest(file: Path) -> tuple[dict[str, int], str]:
    """The Delta versions of the tables and the definition that a published file states.

    Neither where there is no such file, or it cannot be read.
    """
    if not file.is_file():
        return {}, ""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return manifest_of(connection, identifier(file.stem))
    except duckdb.Error:
        return {}, ""


def manifest_of(connection: duckdb.DuckDBPyConnection, catalog: str) -> tuple[dict[str, int], str]:
    """The same of a file that is attached as `catalog`."""
    rows = connection.execute(
        f"SELECT table_name, delta_version, definition FROM {catalog}.meta.published"  # noqa: S608
    ).fetchall()
    definitions = {definition for _, _, definition in rows}
    versions = {name: version for name, version, _ in rows}
    return (versions, definitions.pop()) if len(definitions) == 1 else ({}, "")


def build_file(
    serve: Path,
    files: Mapping[str, Sequence[str]],
    versions: Mapping[str, int],
    definition: str,
    *,
    purpose: str,
) -> Path:
    """Build the file of a snapshot of Gold aside, and return it.

    files: for each Gold table the Parquet files of its Delta snapshot; none for an empty table.
    versions: the Delta version of each of these snapshots.
    definition: what `catalog.definition_of` says of the schemas and the dbt project.
    purpose: whose folder aside to build in; what its last, unfinished build left is removed first.
    """
    refuse_other_tables(files, versions)
    try:
        target = clear_staging(serve, purpose)
        with in_memory(target.parent / "spill") as connection:
            connection.execute(
                f"ATTACH {literal(str(target))} AS {_CATALOG} (STORAGE_VERSION {literal(STORAGE_VERSION)})"
            )
            connection.execute(f"USE {_CATALOG}")
            create_tables(connection, gold.TABLES)
            for table in gold.TABLES:
                insert_files(connection, table, files[table.name])
            for table in gold.DIMS:
                require_keys(connection, table)
            _record(connection, files, versions, definition)
            connection.execute("USE memory")
            connection.execute(f"DETACH {_CATALOG}")
    except (OSError, duckdb.IOException) as error:
        raise unwritable(serve, error) from error
    return target


def swap_in(built: Path, serve: Path) -> Path:
    """Publish a file that was built aside for the scope of its name, and return its versioned name."""
    with publishing(serve) as swap:
        return swap(built)


def remove_scope(serve: Path, scope: str) -> None:
    """Remove every version of a scope's file; who has one open keeps it."""
    with publishing(serve):
        for file in _versions(serve, scope).values():
            file.unlink()
        published_file(serve, scope).unlink(missing_ok=True)


def remove_everything(serve: Path) -> int:
    """Remove every version of every scope's file and what is built aside; number of published files."""
    removed = sum(1 for file in serve.glob("*.duckdb*")) if serve.is_dir() else 0
    for scope in published_scopes(serve):
        remove_scope(serve, scope)
    shutil.rmtree(serve / _STAGING, ignore_errors=True)
    return removed


def published_scopes(serve: Path) -> set[str]:
    """The scopes that have a file of any version in the folder."""
    if not serve.is_dir():
        return set()
    named = (_NAMED.fullmatch(file.name) for file in serve.iterdir())
    return {match["scope"] for match in named if match is not None}


@contextmanager
def publishing(serve: Path) -> Iterator[Callable[[Path], Path]]:
    """Hold the right to publish, which one process has at a time; gives the function that swaps a file in.

    Who reads the present Gold while holding it can never put older content in the place of newer. The
    system takes the right back from a process that dies.
    """
    with alone(serve, _LOCK):
        yield lambda built: _swap(built, serve)


@contextmanager
def alone(serve: Path, lock: str) -> Iterator[None]:
    """Hold a lock file in the folder, which one process has at a time."""
    with ExitStack() as held:
        try:
            serve.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(serve / lock))
        except OSError as error:
            raise unwritable(serve, error) from error
        yield


def _swap(built: Path, serve: Path) -> Path:
    """Stable and versioned name for the file built aside; the newest versions are kept.

    Each step leaves either the old or the new file under the stable name.
    """
    scope = built.stem.removeprefix("domotic-")
    version = _next_version(serve, scope)
    try:
        with duckdb.connect(str(built)) as connection:
            built_at = datetime.now(UTC).replace(tzinfo=None)
            connection.execute("UPDATE meta.published SET version = ?, built_at_utc = ?", [version, built_at])
            connection.execute("CHECKPOINT")
        sync(built)
        built.chmod(_OWNER_ONLY)
        versioned = serve / f"domotic-{scope}-{version:06d}.duckdb"
        versioned.hardlink_to(built)
        built.replace(published_file(serve, scope))
        sync(serve)
        for old in list(_versions(serve, scope).values())[:-KEPT_VERSIONS]:
            old.unlink()
        shutil.rmtree(built.parent, ignore_errors=True)
    except (OSError, duckdb.IOException) as error:
        raise unwritable(serve, error) from error
    return versioned


def refuse_other_tables(files: Mapping[str, Sequence[str]], versions: Mapping[str, int]) -> None:
    """Raise ContractError unless each Gold table is given once."""
    expected = {table.name for table in gold.TABLES}
    for given in (files, versions):
        if given.keys() != expected:
            raise ContractError(
                f"missing {sorted(expected - given.keys())}, unknown {sorted(given.keys() - expected)}",
                where="published file",
                expected="a snapshot of each Gold table",
                remedy="materialise the missing tables first",
            )


def create_tables(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """The schemas of a file, and empty tables; one transaction, as each commit waits for the disk."""
    connection.begin()
    for schema in (GOLD_SCHEMA, MARTS_SCHEMA, "meta"):
        connection.execute(f"CREATE SCHEMA {identifier(schema)}")
    for table in tables:
        create_table(connection, table)
    connection.commit()


def _record(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, Sequence[str]],
    versions: Mapping[str, int],
    definition: str,
) -> None:
    """Write `meta.keys`, `meta.parts` and `meta.published`, and make room for `meta.failing_checks`."""
    connection.begin()
    record_keys(connection, gold.TABLES)
    failing_checks.create(connection)
    file_index.create(connection)
    for name, present in files.items():
        file_index.record(connection, name, present)
    record_published(connection, ADMIN, versions, definition)
    connection.commit()


def record_keys(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Write `meta.keys`: one row per key column of the tables that the file holds."""
    connection.execute(
        "CREATE TABLE meta.keys (table_name VARCHAR NOT NULL, column_name VARCHAR NOT NULL, "
        "key VARCHAR NOT NULL, references_table VARCHAR, references_column VARCHAR)"
    )
    connection.execute(
        "COMMENT ON TABLE meta.keys IS 'One row per key column of a Gold table; none is declared.'"
    )
    held = {table.name for table in tables}
    keys: list[tuple[str, str, str, str | None, str | None]] = []
    for table in tables:
        keys += [(table.name, column, "primary", None, None) for column in table.primary_key]
        foreign = [key for key in table.foreign_keys if key.table in held]
        keys += [(table.name, key.column, "foreign", key.table, key.target) for key in foreign]
    connection.executemany("INSERT INTO meta.keys VALUES (?, ?, ?, ?, ?)", keys)


def record_published(
    connection: duckdb.DuckDBPyConnection, scope: str, versions: Mapping[str, int], definition: str
) -> None:
    """Write `meta.published`: one row per Gold table that the file was made from."""
    connection.execute(
        "CREATE TABLE meta.published (version BIGINT NOT NULL, built_at_utc TIMESTAMP, "
        "scope VARCHAR NOT NULL, table_name VARCHAR NOT NULL, "
        "delta_version BIGINT NOT NULL, definition VARCHAR NOT NULL)"
    )
    connection.execute(
        "COMMENT ON TABLE meta.published IS 'One row per Gold table: the Delta version that this file holds.'"
    )
    connection.executemany(
        "INSERT INTO meta.published VALUES (?, NULL, ?, ?, ?, ?)",
        [(_UNPUBLISHED, scope, name, version, definition) for name, version in versions.items()],
    )


def _versions(serve: Path, scope: str) -> dict[int, Path]:
    """The versioned files of a scope by version, oldest first."""
    named = ((_NAMED.fullmatch(file.name), file) for file in serve.iterdir())
    found = {
        int(match["version"]): file
        for match, file in named
        if match is not None and match["scope"] == scope and match["version"] is not None
    }
    return dict(sorted(found.items()))


def _next_version(serve: Path, scope: str) -> int:
    return max(_versions(serve, scope), default=0) + 1


def unwritable(serve: Path, error: Exception) -> LakeError:
    """What to raise when files in the folder cannot be read or written."""
    return LakeError(
        f"the published file cannot be written ({first_line(error)})",
        where=str(serve),
        expected="a writable folder with room for a second copy, and readable Gold files",
        remedy="free space or mend permissions, then build again; readers keep the old file",
    )
