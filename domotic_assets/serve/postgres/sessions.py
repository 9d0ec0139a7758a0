"""Ends sessions of readers: those that may not be there, and those whose transaction has lasted too long.

A role can undo every time limit of its own sessions (`SET statement_timeout = 0`). What bounds them is that
each publication ends what is older than LONGEST_TRANSACTION.
"""

import time
from collections.abc import Collection
from datetime import timedelta

from domotic_assets.serve.postgres.server import Connection

LONGEST_TRANSACTION = timedelta(minutes=10)
"""How long a reader's query or transaction may last."""
LOOK_SECONDS = 0.02
_GONE_SECONDS = 10.0
"""How long to wait until ended sessions are gone."""


def end_of(connection: Connection, roles: Collection[str]) -> None:
    """End every session of these roles, in whatever database, without waiting for its end."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)", [sorted(roles)]
    )


def end_misplaced(connection: Connection, mark: str, kept: Collection[tuple[str, str]]) -> int:
    """End sessions of our roles outside of the kept pairs of database and role; return their number.

    Sessions in databases that publishing did not make are left, unless the role is in no kept pair. mark: the
    comment of our roles. Returns once the sessions are gone.
    """
    databases, roles = [d for d, _ in kept], [r for _, r in kept]
    return _end(
        connection,
        "NOT EXISTS (SELECT FROM unnest(%s::name[], %s::name[]) AS kept (database, role) "
        "WHERE kept.role = usename AND (kept.database = datname OR NOT EXISTS (SELECT FROM pg_database AS d "
        "WHERE d.datname = activity.datname AND d.datdba = current_user::regrole)))",
        [databases, roles],
        mark,
    )


def end_overdue(connection: Connection, mark: str) -> int:
    """End sessions of our roles whose transaction is older than LONGEST_TRANSACTION; return their number."""
    return _end(connection, "xact_start < clock_timestamp() - %s", [LONGEST_TRANSACTION], mark)


def end_holding(connection: Connection, mark: str, schemas: Collection[str]) -> int:
    """End sessions of our roles that hold a lock on a table of these schemas of this database."""
    return _end(
        connection,
        "pid IN (SELECT pg_locks.pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation "
        "JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_database ON pg_database.oid = database "
        "WHERE pg_database.datname = current_database() AND nspname = ANY(%s))",
        [sorted(schemas)],
        mark,
    )


def _end(connection: Connection, condition: str, values: list[object], mark: str) -> int:
    """End the sessions of our roles that meet a condition, wait until they are gone, return their number."""
    found = connection.execute(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity AS activity "  # noqa: S608
        "JOIN pg_roles ON pg_roles.oid = usesysid "
        f"WHERE shobj_description(pg_roles.oid, 'pg_authid') = %s AND {condition}",
        [mark, *values],
    ).fetchall()
    ended = [pid for pid, _ in found]
    until = time.monotonic() + _GONE_SECONDS
    while ended and time.monotonic() < until:
        left = connection.execute("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", [ended]).fetchone()
        if left is None:
            break
        time.sleep(LOOK_SECONDS)
    return len(ended)
