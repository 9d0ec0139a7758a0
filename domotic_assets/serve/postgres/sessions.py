"""Ends sessions of readers: those that may not be there, and those whose transaction has lasted too long.

A role can undo every time limit of its own sessions (`SET statement_timeout = 0`). What bounds them is that
each publication ends what is older than LONGEST_TRANSACTION.
"""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta

from psycopg import errors

from domotic_assets.serve.postgres.server import Connection, Server, dialled

LONGEST_TRANSACTION = timedelta(minutes=10)
"""How long a reader's query or transaction may last."""
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 0.5
"""How long a statement waits for readers before those that hold it up are ended."""
_TRIES = 20
_GONE_SECONDS = 10.0
"""How long to wait until ended sessions are gone."""


def insist(server: Server, mark: str, statement: str, database: str = "") -> None:
    """Run a statement, committed by itself, that sessions of our roles may hold up: these are ended.

    A role can lock its own row (a change of its password), the tables that it reads, and any database (a
    setting of its own there). The statement waits in the queue for the lock meanwhile, so that a role that
    comes back in between is behind it. mark: the comment of our roles. database: by default that of the
    address.
    """
    with (
        dialled(server, database, autocommit=True) as held,
        dialled(server, database, autocommit=True) as other,
        ThreadPoolExecutor(1, "insist") as threads,
    ):
        running = threads.submit(_repeat, held, statement)
        began = time.monotonic()
        while not running.done():
            wait([running], LOOK_SECONDS)
            if time.monotonic() - began > PATIENCE_SECONDS:
                _terminate(other, "pid = ANY(pg_blocking_pids(%s))", [held.info.backend_pid], mark)
        running.result()


def _repeat(connection: Connection, statement: str) -> None:
    """Run a statement, again where a role's own change of the same row was committed first."""
    for _ in range(_TRIES):
        with suppress(errors.InternalError_):
            connection.execute(statement)
            return
    connection.execute(statement)


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


def _end(connection: Connection, condition: str, values: list[object], mark: str) -> int:
    """End the sessions of our roles that meet a condition, wait until they are gone, return their number."""
    ended = _terminate(connection, condition, values, mark)
    until = time.monotonic() + _GONE_SECONDS
    while ended and time.monotonic() < until:
        left = connection.execute("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", [ended]).fetchone()
        if left is None:
            break
        time.sleep(LOOK_SECONDS)
    return len(ended)


def _terminate(connection: Connection, condition: str, values: list[object], mark: str) -> list[int]:
    """End the sessions of our roles that meet a condition, and return their process ids."""
    found = connection.execute(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity AS activity "  # noqa: S608
        "JOIN pg_roles ON pg_roles.oid = usesysid "
        f"WHERE shobj_description(pg_roles.oid, 'pg_authid') = %s AND {condition}",
        [mark, *values],
    ).fetchall()
    return [pid for pid, _ in found]
