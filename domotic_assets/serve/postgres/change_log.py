"""Keeps the log of Parquet files that came and went with each publication, and the publisher's lock.

Both are in the admin's database. Each reader's database states up to which version of the log it is current
(`meta.state`), so what has changed for it since is found here even if publications broke off in between. The
schema is closed to every reader: a lock on a table in it is out of their reach, unlike an advisory lock,
which any role may take.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from psycopg import errors

from domotic_assets.serve.people import cut
from domotic_assets.serve.postgres import schemas
from domotic_assets.serve.postgres.server import Connection, Server, dialled
from domotic_assets.serve.postgres.transfer import Range

SCHEMA = "publishing"
_TABLES = {
    "lock": "",
    "log": "log_id UUID NOT NULL, version BIGINT NOT NULL, oldest BIGINT NOT NULL",
    "parts": "table_name VARCHAR NOT NULL, part VARCHAR NOT NULL, file VARCHAR NOT NULL, "
    "first_place BIGINT, last_place BIGINT, gained BIGINT NOT NULL, lost BIGINT",
    "databases": "name NAME PRIMARY KEY, log_version BIGINT NOT NULL, manifest VARCHAR NOT NULL, "
    "definition VARCHAR NOT NULL, rights VARCHAR NOT NULL",
}

Part = tuple[str, str, str, int | None, int | None]
"""A Parquet file: table, partition, file, first and last place (None unless of a fact with rows)."""


@dataclass(frozen=True)
class Stated:
    """What was published into a database last: the admin's file, its definition, and the reader's rights."""

    manifest: str
    definition: str
    rights: str


@dataclass(frozen=True)
class Log:
    """The log: who it is, its present version, and the oldest version from which changes are known."""

    log_id: str
    version: int
    oldest: int


def lock(server: Server, control: Connection) -> None:
    """Hold the publisher's lock until the end of the transaction; create the schema if it is missing.

    Raises PublishError if another publication holds it for long.
    """
    with dialled(server) as other:
        found = other.execute("SELECT to_regclass('publishing.lock') IS NOT NULL").fetchone()
        if found != (True,):
            _create(server, other)
    control.execute("LOCK TABLE publishing.lock IN EXCLUSIVE MODE")


def _create(server: Server, connection: Connection) -> None:
    """Create the schema and its tables; raises PublishError if somebody else made a schema of its name."""
    schemas.refuse_foreign(connection, server, [SCHEMA])
    try:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
    except (errors.UniqueViolation, errors.DuplicateSchema):
        # Another publisher was first.
        connection.rollback()
        return
    schemas.comment(connection, server, SCHEMA)
    for name, columns in _TABLES.items():
        connection.execute(f"CREATE TABLE {SCHEMA}.{name} ({columns})")
    connection.execute("INSERT INTO publishing.log VALUES (gen_random_uuid(), 0, 0)")


def stated(connection: Connection) -> dict[str, Stated]:
    """Read what was published last into each database; empty if nothing was."""
    found = connection.execute("SELECT to_regclass('publishing.databases') IS NOT NULL").fetchone()
    if found != (True,):
        return {}
    rows = connection.execute("SELECT name, manifest, definition, rights FROM publishing.databases")
    return {name: Stated(*values) for name, *values in rows}


def state(connection: Connection, database: str, version: int, now: Stated) -> None:
    """Record what has been published into a database. version: of the log."""
    connection.execute(
        "INSERT INTO publishing.databases VALUES (%(name)s, %(version)s, %(manifest)s, %(definition)s, "
        "%(rights)s) ON CONFLICT (name) DO UPDATE SET log_version = %(version)s, manifest = %(manifest)s, "
        "definition = %(definition)s, rights = %(rights)s",
        {"name": database, "version": version, **vars(now)},
    )


def unstate(connection: Connection, databases: Iterable[str]) -> None:
    """Record that nothing certain is published in these databases."""
    connection.execute("DELETE FROM publishing.databases WHERE name = ANY(%s)", [list(databases)])


def note(connection: Connection, source: duckdb.DuckDBPyConnection) -> Log:
    """Add to the log which parts the admin's file has gained and lost since; return it as it is now."""
    columns = "table_name, part, file, first_place, last_place"
    present: set[Part] = set(
        source.execute(f"SELECT {columns} FROM {cut.SOURCE}.meta.parts").fetchall()  # noqa: S608
    )
    with connection.transaction():
        held: set[Part] = set(
            connection.execute(f"SELECT {columns} FROM publishing.parts WHERE lost IS NULL").fetchall()  # noqa: S608
        )
        if present != held:
            found = connection.execute("UPDATE publishing.log SET version = version + 1 RETURNING version")
            [(version,)] = found.fetchall()
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE publishing.parts SET lost = %s WHERE lost IS NULL AND table_name = %s "
                    "AND part = %s AND file = %s",
                    [(version, *part[:3]) for part in held - present],
                )
                cursor.executemany(
                    "INSERT INTO publishing.parts VALUES (%s, %s, %s, %s, %s, %s, NULL)",
                    [(*part, version) for part in present - held],
                )
        [row] = connection.execute("SELECT log_id::text, version, oldest FROM publishing.log").fetchall()
    return Log(*row)


def changes(connection: Connection, since: int) -> Mapping[str, Sequence[Range]]:
    """Return, by changed table, the ranges in which rows may have changed after a version of the log.

    since: -1 for all tables, and all ranges that have rows now. One range for each partition of a fact.
    """
    condition = "lost IS NULL" if since < 0 else "(gained > %(since)s OR lost > %(since)s)"
    rows = connection.execute(
        "SELECT table_name, min(first_place), max(last_place) FROM publishing.parts "  # noqa: S608
        f"WHERE {condition} GROUP BY table_name, part ORDER BY 1, 2",
        {"since": since},
    )
    found: dict[str, list[Range]] = {}
    for table, first, last in rows:
        ranges = found.setdefault(table, [])
        if first is not None:
            ranges.append(Range(first, last))
    return found


def prune(connection: Connection) -> None:
    """Remove lost parts that every database knows to be lost."""
    connection.execute(
        "WITH known AS (SELECT min(log_version) AS version FROM publishing.databases), "
        "gone AS (DELETE FROM publishing.parts USING known WHERE lost <= known.version RETURNING lost) "
        "UPDATE publishing.log SET oldest = greatest(oldest, (SELECT max(lost) FROM gone)) "
        "WHERE EXISTS (SELECT FROM gone)"
    )
