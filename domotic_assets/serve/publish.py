"""Builds in staging the DuckDB file that people and BI tools open, and swaps it in for the old one.

There are two phases, as dbt adds its views and tests the file in between: `build_file` writes the file to
staging, `swap_in` publishes it. Until then readers see the old file, and a reader that has it open keeps it.
Each purpose that builds has its own staging folder; one process at a time swaps. How tables are described
belongs to `catalog`, bringing up an existing file to `refresh`, queries to `query`.

Why: docs/decisions/0004-published-file.md
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.escaping import identifier, literal
from domotic_assets.files_on_disk import locked, sync
from domotic_assets.owner_only import make_private
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve import base, failing_checks, file_index
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA
from domotic_assets.serve.connection import in_memory
from domotic_assets.serve.tables import create_table, first_line, insert_files, require_keys

ADMIN = "admin"
"""The scope that sees everything; other scopes are named after the login id of a person."""
KEPT_VERSIONS = 3
"""Versions of a scope's file that are kept, the newest included."""

# The oldest format of DuckDB 1: what the ODBC drivers of today's BI tools open.
STORAGE_VERSION = "v1.0.0"

FAILED_WRITES = (
    OSError,
    duckdb.IOException,
    # Of a commit, of a checkpoint, and of spilling, where the disk is full.
    duckdb.TransactionException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
)
"""What is raised if files cannot be read or written."""

_NAMED = re.compile(r"domotic-(?P<scope>.+?)(?:-(?P<version>\d{6,}))?\.duckdb")
_STAGING = ".building"
_LOCK = ".publishing"
_CATALOG = "published"
_OWNER_ONLY, _OWNER_ONLY_FOLDER = 0o600, 0o700
"""Only the account that builds a file may read it; whoever hands it on decides who else may."""
_UNPUBLISHED = 0
"""Version of a file in staging; the swap assigns the real one."""


def published_file(serve: Path, scope: str = ADMIN) -> Path:
    """Return the stable path of a scope's published file in the folder `serve`."""
    return serve / f"domotic-{scope}.duckdb"


def staging_file(serve: Path, purpose: str, scope: str = ADMIN) -> Path:
    """Return the path where a purpose builds its file; only one builder of a purpose works at a time."""
    return published_file(serve / _STAGING / purpose, scope)


def clear_staging(serve: Path, purpose: str, scope: str = ADMIN) -> Path:
    """Make an empty staging folder that only its owner may read, without leftovers; return `staging_file`."""
    target = staging_file(serve, purpose, scope)
    serve.mkdir(parents=True, exist_ok=True)
    make_private(serve / _STAGING)
    shutil.rmtree(target.parent, ignore_errors=True)
    make_private(target.parent)
    return target


def source_file(serve: Path) -> Path:
    """Return the path of the admin's tables that everything else is made from: people never open this file.

    It holds what the admin's published file does. There is no file at the path unless it is proved that
    nobody changed it: then the admin's file must be built from nothing first.
    """
    return base.proved(serve)


def is_untouched(serve: Path, scope: str = ADMIN) -> bool:
    """Return whether a scope's file is as it was published, and nothing lies beside it for DuckDB to read."""
    return base.is_untouched(serve, published_file(serve, scope).name)


def is_current(serve: Path, versions: Mapping[str, int], definition: str) -> bool:
    """Return whether the admin's file is untouched, holds these Delta versions and has this definition."""
    return is_untouched(serve) and read_manifest(source_file(serve)) == (dict(versions), definition)


def is_of(file: Path, definition: str) -> bool:
    """Return whether there is a published file with this definition."""
    return read_manifest(file)[1] == definition


def read_manifest(file: Path) -> tuple[dict[str, int], str]:
    """Read the tables' Delta versions and the definition that a published file states.

    Both are empty if there is no such file or it cannot be read.
    """
    if not file.is_file():
        return {}, ""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return manifest_of(connection, identifier(file.stem))
    except duckdb.Error:
        return {}, ""


def manifest_of(connection: duckdb.DuckDBPyConnection, catalog: str) -> tuple[dict[str, int], str]:
    """Read Delta versions by table, and the definition, that a file attached as `catalog` states.

    Both are empty unless it states exactly one definition.
    """
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
    """Build the admin's file of a snapshot of Gold in staging, and return its path.

    files: for each Gold table the Parquet files of its Delta snapshot; none for an empty table.
    versions: the Delta version of each of these snapshots.
    definition: the hash of the schemas and the dbt project, from `catalog.fingerprint_of`.
    purpose: whose staging folder to build in; leftovers of its last, unfinished build are removed first.
    Raises ContractError for missing tables or broken rules, LakeError if files cannot be read or written.
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
    except FAILED_WRITES as error:
        raise unwritable(serve, error) from error
    return target


def swap_in(built: Path, serve: Path) -> Path:
    """Publish a file from staging for the scope in its name, and return its versioned path."""
    with publishing(serve) as swap:
        return swap(built)


def remove_scope(serve: Path, scope: str) -> None:
    """Remove every version of a scope's file; a reader that has one open keeps it. Raises LakeError."""
    with publishing(serve):
        _forget(serve, scope)
        if left := unlink_scope(serve, scope):
            raise unwritable(serve, OSError(f"{left[0].name} cannot be removed"))


def unlink_scope(serve: Path, scope: str) -> list[Path]:
    """Remove every version of a scope's file that can be removed, and what lies beside it; return the others.

    Waits for no lock. The caller sees to it that nobody swaps a file of this scope in meanwhile.
    """
    left = []
    for file in (published_file(serve, scope), *_versions(serve, scope).values()):
        try:
            file.unlink(missing_ok=True)
            base.clear_beside(file)
        except OSError:
            left.append(file)
    return left


def rights_file(serve: Path) -> Path:
    """Return the path of the note about the rights that people's files were made with (`people.rights`)."""
    return serve / ".rights.json"


def remove_everything(serve: Path) -> int:
    """Remove every version of every scope's file, all staging and notes; return the number of files."""
    removed = sum(1 for file in serve.glob("*.duckdb*")) if serve.is_dir() else 0
    for scope in published_scopes(serve):
        remove_scope(serve, scope)
    rights_file(serve).unlink(missing_ok=True)
    shutil.rmtree(serve / _STAGING, ignore_errors=True)
    base.remove(serve)
    return removed


def published_scopes(serve: Path) -> set[str]:
    """Return the scopes that have a file of any version in the folder."""
    if not serve.is_dir():
        return set()
    named = (_NAMED.fullmatch(file.name) for file in serve.iterdir())
    return {match["scope"] for match in named if match is not None}


@contextmanager
def publishing(serve: Path) -> Iterator[Callable[..., Path]]:
    """Hold the publishing lock, which one process has at a time; yields the function that swaps a file in.

    Its arguments are a file from staging and `follows`, as in `base.keep`.

    Whoever reads the present Gold while holding it never replaces newer content by older. The system
    releases the lock of a process that dies.
    """
    with alone(serve, _LOCK):
        yield partial(_swap, serve)


@contextmanager
def alone(serve: Path, lock: str) -> Iterator[None]:
    """Hold a lock file in the folder, which one process has at a time; raises LakeError if it cannot."""
    with ExitStack() as held:
        try:
            serve.mkdir(mode=_OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
            held.enter_context(locked(serve / lock))
        except OSError as error:
            raise unwritable(serve, error) from error
        yield


def _swap(serve: Path, built: Path, *, follows: bool = False) -> Path:
    """Give a file from staging its stable and its versioned name, and remove all but the newest versions.

    The admin's becomes the base, and a copy of it gets the names. What lies beside the old file goes with it.
    After each step the stable name is that of either the old or the new file.
    """
    scope = built.stem.removeprefix("domotic-")
    version = _next_version(serve, scope)
    stable = published_file(serve, scope)
    try:
        with duckdb.connect(str(built)) as connection:
            built_at = datetime.now(UTC).replace(tzinfo=None)
            connection.execute("UPDATE meta.published SET version = ?, built_at_utc = ?", [version, built_at])
            connection.execute("CHECKPOINT")
        _forget(serve, scope)
        if scope == ADMIN:
            shutil.copyfile(base.keep(serve, built, stable.name, follows=follows), built)
        sync(built)
        built.chmod(_OWNER_ONLY)
        versioned = serve / f"domotic-{scope}-{version:06d}.duckdb"
        # A log laid beside a name to come would be replayed into the version.
        base.clear_beside(versioned)
        versioned.hardlink_to(built)
        base.clear_beside(stable)
        built.replace(stable)
        base.remember(serve, stable.name)
        sync(serve)
        for old in list(_versions(serve, scope).values())[:-KEPT_VERSIONS]:
            base.clear_beside(old)
            old.unlink()
        shutil.rmtree(built.parent, ignore_errors=True)
    except FAILED_WRITES as error:
        raise unwritable(serve, error) from error
    return versioned


def _forget(serve: Path, scope: str) -> None:
    """Record that a scope's file is about to be replaced or removed; raises LakeError if that fails."""
    try:
        base.forget(serve, published_file(serve, scope).name)
    except OSError as error:
        raise unwritable(serve, error) from error


def refuse_other_tables(files: Mapping[str, Sequence[str]], versions: Mapping[str, int]) -> None:
    """Raise ContractError unless files and versions are given for each Gold table, and for no other."""
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
    """Create a file's schemas and empty tables in one transaction, as each commit waits for the disk."""
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
    """Write `meta.keys`, `meta.parts` and `meta.published`, and create an empty `meta.failing_checks`."""
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
    connection: duckdb.DuckDBPyConnection,
    scope: str,
    versions: Mapping[str, int | None],
    definition: str,
) -> None:
    """Write `meta.published`: one row per Gold table that the file holds.

    versions: the Delta version by table; None leaves it out, as it rises with everybody's data.
    """
    connection.execute(
        "CREATE TABLE meta.published (version BIGINT NOT NULL, built_at_utc TIMESTAMP, "
        "scope VARCHAR NOT NULL, table_name VARCHAR NOT NULL, "
        "delta_version BIGINT, definition VARCHAR NOT NULL)"
    )
    connection.execute(
        "COMMENT ON TABLE meta.published IS 'One row per Gold table that this file holds: its Delta version, "
        "in the file of an admin alone.'"
    )
    connection.executemany(
        "INSERT INTO meta.published VALUES (?, NULL, ?, ?, ?, ?)",
        [(_UNPUBLISHED, scope, name, version, definition) for name, version in versions.items()],
    )


def _versions(serve: Path, scope: str) -> dict[int, Path]:
    """Return the versioned files of a scope by version, oldest first."""
    named = ((_NAMED.fullmatch(file.name), file) for file in serve.iterdir())
    found = {
        int(match["version"]): file
        for match, file in named
        if match is not None and match["scope"] == scope and match["version"] is not None
    }
    return dict(sorted(found.items()))


def _next_version(serve: Path, scope: str) -> int:
    """Return the number after the newest version of a scope's file; 1 if there is none."""
    return max(_versions(serve, scope), default=0) + 1


def unwritable(serve: Path, error: Exception) -> LakeError:
    """Return the error to raise when files in the folder cannot be read or written."""
    return LakeError(
        f"the published file cannot be written ({first_line(error)})",
        where=str(serve),
        expected="a writable folder with room for a second copy, and readable Gold files",
        remedy="free space or mend permissions, then build again; readers keep the old file",
    )
