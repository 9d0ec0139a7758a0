"""Ends sessions of readers: those that may not be there, that last too long, and that hold publishing up.

A role can undo every time limit of its own sessions (`SET statement_timeout = 0`). What bounds them is that
each publication ends what is older than LONGEST_TRANSACTION.

A role without any right to change something can still hold rows of the catalogs: a GRANT to itself of what it
has changes nothing, but writes the row anew. Whoever writes the same row waits for that transaction to end,
and fails if it is committed.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from threading import Event

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from domotic_assets.errors import PublishError
from domotic_assets.serve.postgres.server import Connection, Server, dialled

Step = Callable[[], object]
"""A statement that is committed by itself, whatever becomes of others."""

LONGEST_TRANSACTION = timedelta(minutes=10)
"""How long a reader's query or transaction may last."""
_LONGEST_WRITING = timedelta(seconds=0.5)
"""How long a transaction of a reader that writes may last: a change of its password, for one."""
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 0.5
"""How long a statement waits for readers before those that hold it up are ended."""
BRIEFLY_MS = 300
_WATCHED_SECONDS = 4.0
"""How long a session of publishing waits for a reader before the reader's is ended; longer than queries on
replaced schemas may go on."""
_WATCH_SECONDS = 0.1
_TRYING_SECONDS = 20.0
"""How long a statement is tried again that readers' changes of the same row come before."""
_GONE_SECONDS = 10.0
"""How long to wait until ended sessions are gone."""


@contextmanager
def unhindered(server: Server, mark: str) -> Iterator[None]:
    """End sessions of our roles that hold up any session of the publishing account, as long as this lasts.

    mark: the comment of our roles. Whatever statement waits, in whichever database: it is looked at from a
    connection of its own.
    """
    done = Event()
    with dialled(server, autocommit=True) as watching, ThreadPoolExecutor(1, "unhindered") as threads:
        watch = threads.submit(_watch, watching, mark, done)
        try:
            yield
        finally:
            done.set()
            wait([watch])


def _watch(connection: Connection, mark: str, done: Event) -> None:
    """End sessions of our roles that the account's sessions have waited for, until told to stop."""
    # Without its connection nothing is watched, and what waits fails after its lock_timeout.
    with suppress(psycopg.Error):
        roles = oids_of(connection, mark)
        while not done.wait(_WATCH_SECONDS):
            end_writing(connection, roles)
            with suppress(errors.OutOfMemory):
                _terminate(
                    connection,
                    "pid IN (SELECT unnest(pg_blocking_pids(held.pid)) FROM pg_stat_activity AS held "
                    "WHERE held.usename = current_user AND held.wait_event_type = 'Lock' "
                    "AND held.query_start < clock_timestamp() - %s)",
                    [timedelta(seconds=_WATCHED_SECONDS)],
                    mark,
                )


def oids_of(connection: Connection, mark: str) -> list[int]:
    """Return the numbers of our roles, for `end_writing`. mark: the comment of our roles."""
    found = connection.execute(
        "SELECT oid FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s", [mark]
    ).fetchall()
    return [oid for (oid,) in found]


def end_writing(connection: Connection, roles: Collection[int]) -> int:
    """End sessions of these roles whose transaction has written for a while; return their number.

    Readers write nothing that takes long. Asks no catalog, so that it works on an open connection also when
    the server's table of locks is full. roles: from `oids_of`.
    """
    found = connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL) WHERE usesysid = ANY(%s::oid[]) "
        "AND backend_xid IS NOT NULL AND xact_start < clock_timestamp() - %s",
        [list(roles), _LONGEST_WRITING],
        prepare=True,
    ).fetchall()
    return len(found)


def run_each(steps: Iterable[Step]) -> None:
    """Run all steps, even if one of them fails; raises the first error afterwards."""
    failed: list[Exception] = []
    for step in steps:
        try:
            step()
        except (psycopg.Error, PublishError) as error:
            failed.append(error)
    if failed:
        raise failed[0]


def run(
    server: Server, connection: Connection, mark: str, statement: str, patience_ms: int = BRIEFLY_MS
) -> None:
    """Run a statement, committed by itself, whatever sessions of our roles hold.

    connection: commits each statement. Mostly nobody holds it up, and the two connections of `insist` are
    saved. patience_ms: how long readers may hold it up before.
    """
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = {patience_ms:d}")
            connection.execute(statement)
    except (errors.LockNotAvailable, errors.InternalError_):
        insist(server, mark, statement, connection.info.dbname)


def insist(server: Server, mark: str, statement: str, database: str = "") -> None:
    """Run a statement, committed by itself, that sessions of our roles may hold up: these are ended.

    A role can lock its own row (a change of its password), the tables that it reads, any database (a setting
    of its own there), and the row of whatever it has a right on (a GRANT to itself). The statement waits in
    the queue for the lock meanwhile, so that a role that comes back in between is behind it. mark: the
    comment of our roles. database: by default that of the address.
    """
    with (
        dialled(server, database, autocommit=True) as held,
        dialled(server, database, autocommit=True) as other,
        ThreadPoolExecutor(1, "insist") as threads,
    ):
        running = threads.submit(repeat, held, statement)
        began = time.monotonic()
        while not running.done():
            wait([running], LOOK_SECONDS)
            if time.monotonic() - began > PATIENCE_SECONDS:
                # A reader that writes nothing has no number of a transaction.
                blocking = "(pid = ANY(pg_blocking_pids(%s)) OR backend_xid IS NOT NULL)"
                _terminate(other, blocking, [held.info.backend_pid], mark)
        running.result()


def repeat(connection: Connection, statement: str) -> None:
    """Run a statement, again where a role's own change of the same row was committed first.

    In a transaction that is open it goes on afterwards.
    """
    until = time.monotonic() + _TRYING_SECONDS
    is_open = connection.info.transaction_status is TransactionStatus.INTRANS
    while time.monotonic() < until:
        # Not in a transaction by itself, which DROP DATABASE and VACUUM refuse.
        with suppress(errors.InternalError_), connection.transaction() if is_open else nullcontext():
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
