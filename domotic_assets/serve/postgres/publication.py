"""Publishes the admin's file into PostgreSQL: a database for each reader, which holds what that reader sees.

What somebody may no longer see is revoked first, each right in a transaction of its own, and their sessions
are ended; whatever fails afterwards, they are out. Then each database changes in one transaction: its readers
see the version before or the one after. A database whose reader's rights have changed is closed until it has.

Why: docs/decisions/0036-a-database-for-each-reader.md
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from queue import SimpleQueue

import psycopg

from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.people import cut
from domotic_assets.serve.people.scopes import Scope
from domotic_assets.serve.postgres import change_log, databases, layout, roles, schemas, sessions, source
from domotic_assets.serve.postgres.change_log import Log, Stated
from domotic_assets.serve.postgres.filling import Changes, Filled, Filling
from domotic_assets.serve.postgres.readers import Reader, readers_of
from domotic_assets.serve.postgres.roles import mark
from domotic_assets.serve.postgres.server import Connection, Server, dialled
from domotic_assets.serve.postgres.source import Source
from domotic_assets.serve.postgres.transfer import RowCounts

FILLED_AT_ONCE = 2
"""Databases that are filled at the same time."""


@dataclass(frozen=True)
class Published:
    """Result of a publication.

    filled: what was done, by database. dropped: number of databases of people who are no longer named.
    ended: number of readers' sessions that were ended.
    """

    filled: Mapping[str, Filled]
    dropped: int
    ended: int

    @property
    def counts(self) -> Iterator[RowCounts]:
        """The rows deleted and copied, by database and relation."""
        return (counts for filled in self.filled.values() for counts in filled.rows.values())


def is_behind(server: Server, serve: Path, scopes: Sequence[Scope]) -> bool:
    """Return whether a database has another version, definition or rights than it should, or has no reader.

    Connects to the server; raises PublishError. False if there is no admin's file.
    """
    versions, definition = publish.read_manifest(publish.source_file(serve))
    if not versions:
        return False
    readers = readers_of(server.database, scopes)
    with dialled(server) as target:
        return _is_behind(target, server, _wanted(readers, versions, definition))


def rights_are_behind(server: Server, scopes: Sequence[Scope]) -> bool:
    """Return whether a database was published for other rights than its reader has, or for nobody.

    Connects to the server; raises PublishError.
    """
    with dialled(server) as target:
        held = {name: stated.rights for name, stated in change_log.stated(target).items()}
    return held != {reader.database: reader.rights for reader in readers_of(server.database, scopes)}


def publish_to(server: Server, serve: Path, scopes: Sequence[Scope]) -> Published | None:
    """Bring every reader's database up to the admin's present file and the rights in `scopes`.

    None if all are current. Raises PublishError; databases that were finished before keep what they have, and
    the next publication goes on.
    """
    readers = readers_of(server.database, scopes)
    with _connected(server) as (control, steward):
        ended = _shut(server, steward, readers)
        manifest = publish.read_manifest(publish.source_file(serve))
        if not _is_behind(steward, server, _wanted(readers, *manifest)):
            return None
        # Open the file under the lock, so that an older one never replaces a newer one.
        with source.opened(serve, min(FILLED_AT_ONCE, len(readers))) as sources:
            wanted = _wanted(readers, *publish.manifest_of(sources[0].connection, cut.SOURCE))
            dropped = _settle(server, steward, readers)
            changes = cache(partial(change_log.changes, control))
            filled = _fill_all(server, steward, readers, sources, wanted, changes)
        change_log.prune(steward)
    return Published(filled, dropped, ended)


def remove(server: Server) -> None:
    """Remove all that was published, and its values from the server's statistics; roles stay, without login.

    Dropping a database or schema removes its tables' files. Statistics are rows of a system catalog, whose
    freed space keeps its bytes until the catalog is rewritten.
    """
    with _connected(server) as (control, steward):
        _shut(server, steward, ())
        for name in sorted(databases.made(steward, server.database)):
            databases.drop(server, name)
        schemas.drop_all(steward, server)
        sessions.insist(server, mark(server.database), "VACUUM FULL pg_catalog.pg_statistic")
        control.execute(f"DROP SCHEMA {change_log.SCHEMA} CASCADE")


@contextmanager
def _connected(server: Server) -> Iterator[tuple[Connection, Connection]]:
    """Hold the publisher's lock, and let no reader hold up what is done meanwhile.

    Yields a connection that keeps the lock in its transaction, and one that commits each statement.
    """
    with (
        dialled(server) as control,
        dialled(server, autocommit=True) as steward,
        sessions.unhindered(server, mark(server.database)),
    ):
        change_log.lock(server, control)
        yield control, steward


def _wanted(readers: Sequence[Reader], versions: Mapping[str, int], definition: str) -> dict[str, Stated]:
    """Return what each database should state."""
    manifest = layout.digest(repr(sorted(versions.items())))
    # The statements too, as a later version of this product may write others.
    defined = layout.digest(definition, *layout.statements(gold.TABLES, ()), *layout.indexes(gold.TABLES))
    return {reader.database: Stated(manifest, defined, reader.rights) for reader in readers}


def _is_behind(connection: Connection, server: Server, wanted: Mapping[str, Stated]) -> bool:
    """Return whether databases state something else than they should, or are missing."""
    present = databases.made(connection, server.database) | {server.database}
    return change_log.stated(connection) != wanted or present != wanted.keys()


def _shut(server: Server, steward: Connection, readers: Sequence[Reader]) -> int:
    """Revoke what nobody may see any more, end the sessions concerned, and return their number.

    A reader whose rights have changed loses the database until it has been filled for the new ones. Each
    right goes by itself, so nobody keeps one because another's could not be taken; the first error is raised
    once all has been tried.
    """
    held = change_log.stated(steward)
    kept = [
        (reader.database, reader.role)
        for reader in readers
        if reader.database in held and held[reader.database].rights == reader.rights
    ]
    ours = mark(server.database)
    # Before anything that can fail: what is stated is believed by the next publication.
    change_log.unstate(steward, held.keys() - {database for database, _ in kept})
    roles.join(steward, server.database)
    ended = sessions.end_overdue(steward, ours)
    try:
        sessions.run_each(
            [
                *roles.forbid_login(server, steward, [role for _, role in kept]),
                *databases.revoke(steward, server, kept),
            ]
        )
    finally:
        ended += sessions.end_misplaced(steward, ours, kept)
    return ended


def _settle(server: Server, steward: Connection, readers: Sequence[Reader]) -> int:
    """Create the roles and databases that are missing, drop those of nobody, and return their number.

    Raises PublishError if one of their names is somebody else's.
    """
    names = [reader.role for reader in readers]
    theirs = [reader.database for reader in readers if reader.scope is not None]
    roles.refuse_foreign(steward, server.database, names)
    gone = databases.made(steward, server.database) - set(theirs)
    for name in sorted(gone):
        databases.drop(server, name)
    roles.create_missing(steward, server.database, names)
    roles.join(steward, server.database)
    roles.limit(server, steward, names)
    databases.create_missing(steward, server, theirs)
    databases.limit(steward, [server.database, *theirs])
    return len(gone)


def _fill_all(
    server: Server,
    steward: Connection,
    readers: Sequence[Reader],
    sources: Sequence[Source],
    wanted: Mapping[str, Stated],
    changes: Changes,
) -> dict[str, Filled]:
    """Fill the databases, several at once, and let each one's reader in as it is done.

    Raises the first error after all others are done.
    """
    done: dict[str, Filled] = {}
    failed: list[BaseException] = []
    log = change_log.note(steward, sources[0].connection)
    free: SimpleQueue[Source] = SimpleQueue()
    for one in sources:
        free.put(one)
    with ThreadPoolExecutor(len(sources), "fill-database") as threads:
        running: dict[Future[Filled], Reader] = {
            threads.submit(_fill, server, free, reader, wanted[reader.database], log, changes): reader
            for reader in readers
        }
        for future in as_completed(running):
            reader = running[future]
            if (error := future.exception()) is not None:
                failed.append(error)
                continue
            done[reader.database] = future.result()
            databases.let_connect(server, steward, reader.database, reader.role)
            roles.let_log_in(server, steward, reader.role)
            change_log.state(steward, reader.database, log.version, wanted[reader.database])
    if failed:
        raise failed[0]
    return done


def _fill(
    server: Server, free: "SimpleQueue[Source]", reader: Reader, wanted: Stated, log: Log, changes: Changes
) -> Filled:
    """Fill one database, with a source that no other thread uses; then drop what it replaced."""
    held = free.get()
    try:
        with dialled(server, reader.database, autocommit=True) as target:
            schemas.drop_old(target, server)
            with target.transaction():
                done = Filling(server, target, held, reader, wanted.definition).run(log, changes)
            if done.rebuilt:
                # What is left is dropped before the next time.
                with suppress(psycopg.Error):
                    schemas.drop_old(target, server)
    finally:
        free.put(held)
    return done
