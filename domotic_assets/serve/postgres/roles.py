"""Creates people's roles in PostgreSQL, and lets them log in or not.

A role is recognised as ours by its comment; no other is ever altered. It can log in once the server's
administrator gives it a password. The publishing account becomes a member of each, as it may end their
sessions only then.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from psycopg import sql

from domotic_assets.errors import ConfigurationError, PublishError
from domotic_assets.escaping import identifier
from domotic_assets.serve.postgres import sessions
from domotic_assets.serve.postgres.layout import ROLE_PREFIX
from domotic_assets.serve.postgres.server import Connection, Server
from domotic_assets.serve.postgres.sessions import Step

MOST_CONNECTIONS = 10
"""Connections that a role may have at once, if the server has room for as many of every role."""
_KEPT_FREE = 12
"""Connections that readers leave to publishing and to who looks after the server."""
_LONGEST_NAME = 63
"""Most bytes of a name in PostgreSQL, which cuts longer ones: two people's names could become the same."""
_GRANTS_BY_INHERITANCE = 160000
"""The first version in which a membership says itself whether its rights are inherited."""


def mark(database: str) -> str:
    """Return the comment by which publishing recognises the roles, databases and schemas that it made.

    database: that of the address in sites.yaml.
    """
    return f"made by domotic for the database {database}"


def role_of(user: str) -> str:
    """Return the role's name for a login id; raises ConfigurationError if the id is too long for one."""
    role = ROLE_PREFIX + user
    if len(role.encode()) > _LONGEST_NAME:
        raise ConfigurationError(
            f"a login id of {len(user)} characters is too long for a role of PostgreSQL",
            where="sites.yaml: people",
            expected=f"at most {_LONGEST_NAME - len(ROLE_PREFIX)} characters",
            remedy="give the person another id",
        )
    return role


def refuse_foreign(connection: Connection, database: str, roles: Collection[str]) -> None:
    """Raise PublishError if somebody else made a role of one of these names, or gave it rights of its own."""
    found = connection.execute(
        "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') = %s, "
        "rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication "
        "OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) "
        "FROM pg_roles WHERE rolname = ANY(%s)",
        [mark(database), sorted(roles)],
    ).fetchall()
    for is_ours, is_mighty in found:
        if not is_ours or is_mighty:
            raise PublishError(
                "a role of a person has rights of its own"
                if is_ours
                else "a role of a person's name is not ours",
                where=f"{database}: one of the roles {ROLE_PREFIX}…",
                expected="roles that only publishing makes, without attributes or memberships",
                remedy="drop or rename it, or take its rights away",
            )


def create_missing(connection: Connection, database: str, roles: Collection[str]) -> None:
    """Create the roles that are missing, without login."""
    found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [sorted(roles)])
    for name in sorted(set(roles) - {name for (name,) in found}):
        role = sql.Identifier(name)
        with connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT").format(role))
            connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(mark(database))))


def join(connection: Connection, database: str) -> None:
    """Make the publishing account a member of every role that it made, so that it may end its sessions."""
    found = connection.execute(
        "SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s AND NOT rolsuper "
        "AND NOT pg_has_role(oid, 'USAGE')",
        [mark(database)],
    ).fetchall()
    by_grant = connection.info.server_version >= _GRANTS_BY_INHERITANCE
    how = sql.SQL("WITH INHERIT TRUE, SET FALSE" if by_grant else "")
    for (name,) in found:
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER {}").format(sql.Identifier(name), how))


def limit(server: Server, connection: Connection, roles: Sequence[str]) -> None:
    """Limit how many connections each role may have, so that all of them together leave some free."""
    found = connection.execute(
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
    ).fetchall()
    [(slots,)] = found
    most = max(1, min(MOST_CONNECTIONS, (slots - _KEPT_FREE) // len(roles)))
    other = connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND rolconnlimit <> %s", [list(roles), most]
    ).fetchall()
    for (name,) in other:
        _alter(server, connection, name, f"CONNECTION LIMIT {most:d}")


def let_log_in(server: Server, connection: Connection, name: str) -> None:
    """Let a role log in."""
    found = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    if found == (False,):
        _alter(server, connection, name, "LOGIN")


def forbid_login(server: Server, connection: Connection, kept: Collection[str]) -> Iterator[Step]:
    """Yield the steps that take the login from every role that publishing made, except the given ones."""
    found = connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND shobj_description(oid, 'pg_authid') = %s "
        "AND rolname <> ALL(%s)",
        [mark(server.database), sorted(kept)],
    ).fetchall()
    for (name,) in found:
        yield partial(_alter, server, connection, name, "NOLOGIN")


def _alter(server: Server, connection: Connection, name: str, words: str) -> None:
    """Alter a role, even if a session of it keeps its row locked."""
    sessions.run(server, connection, mark(server.database), f"ALTER ROLE {identifier(name)} {words}")
