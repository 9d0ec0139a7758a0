"""Recognises the schemas that publishing made, in whatever database, and replaces and drops them.

New schemas replace old ones by renaming, which waits for no query. The old ones are dropped afterwards, in a
transaction of its own, and sessions that still hold their tables are ended.
"""

from collections.abc import Collection, Sequence

from psycopg import sql

from domotic_assets.errors import PublishError
from domotic_assets.escaping import identifier
from domotic_assets.serve.postgres import sessions
from domotic_assets.serve.postgres.layout import SCHEMAS
from domotic_assets.serve.postgres.roles import mark
from domotic_assets.serve.postgres.server import Connection, Server

_OLD = "_old"
_REPLACED = (*SCHEMAS, "access")
"""Schemas that a new publication replaces: ours, and one that databases of before 2026-12 hold."""
_DROPPED = tuple(schema + _OLD for schema in _REPLACED)
_READERS_LAST_MS = 3000
"""How long queries that began on the old schemas may go on."""


def refuse_foreign(connection: Connection, server: Server, names: Collection[str]) -> set[str]:
    """Return which of these schemas exist; raises PublishError if publishing did not make one of them."""
    found = connection.execute(
        "SELECT nspname, coalesce(obj_description(oid, 'pg_namespace'), '') = %s "
        "FROM pg_namespace WHERE nspname = ANY(%s)",
        [mark(server.database), sorted(names)],
    ).fetchall()
    if foreign := sorted(name for name, is_ours in found if not is_ours):
        raise PublishError(
            f"the schemas {foreign} are not ours",
            where=server.address,
            expected="a database of its own for what is published",
            remedy="name another database, or drop them yourself",
        )
    return {name for name, _ in found}


def comment(connection: Connection, server: Server, schema: str) -> None:
    """Mark a schema as made by publishing."""
    connection.execute(
        sql.SQL("COMMENT ON SCHEMA {} IS {}").format(
            sql.Identifier(schema), sql.Literal(mark(server.database))
        )
    )


def replace(connection: Connection, server: Server, statements: Sequence[str]) -> None:
    """Rename the schemas of the last publication, and run the statements that create new ones.

    None that was replaced earlier may be left: `drop_old` comes before.
    """
    for schema in sorted(refuse_foreign(connection, server, _REPLACED)):
        renaming = f"ALTER SCHEMA {identifier(schema)} RENAME TO {identifier(schema + _OLD)}"
        sessions.repeat(connection, renaming)
        _shut(connection, server, schema + _OLD)
    connection.execute("; ".join(statements))
    for schema in SCHEMAS:
        comment(connection, server, schema)
    sessions.repeat(connection, "REVOKE ALL ON SCHEMA public FROM PUBLIC")


def _shut(connection: Connection, server: Server, schema: str) -> None:
    """Revoke all rights on a schema from our roles."""
    found = connection.execute(
        "SELECT rolname FROM pg_namespace, aclexplode(nspacl) AS held "
        "JOIN pg_roles ON pg_roles.oid = held.grantee "
        "WHERE nspname = %s AND shobj_description(pg_roles.oid, 'pg_authid') = %s",
        [schema, mark(server.database)],
    ).fetchall()
    for role in {role for (role,) in found}:
        connection.execute(f"REVOKE ALL ON SCHEMA {identifier(schema)} FROM {identifier(role)}")


def drop_old(connection: Connection, server: Server) -> None:
    """Drop the schemas that were replaced in a database; sessions that do not let go of them are ended.

    The connection commits each statement.
    """
    for schema in sorted(refuse_foreign(connection, server, _DROPPED)):
        _drop(connection, server, schema)


def drop_all(connection: Connection, server: Server) -> None:
    """Drop all schemas that publishing fills or replaced; the connection commits each statement."""
    for schema in sorted(refuse_foreign(connection, server, [*_REPLACED, *_DROPPED])):
        _drop(connection, server, schema)


def _drop(connection: Connection, server: Server, schema: str) -> None:
    """Drop a schema of the connection's database; if readers hold it for too long, end their sessions."""
    statement = f"DROP SCHEMA {identifier(schema)} CASCADE"
    sessions.run(server, connection, mark(server.database), statement, _READERS_LAST_MS)
