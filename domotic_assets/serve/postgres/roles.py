"""Creates people's roles in PostgreSQL, and grants and revokes what they may read as sites.yaml says now.

A role is recognised as ours by its comment; no other is ever altered. It can log in once the database's
administrator gives it a password, and can do nothing but read.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from psycopg import sql

from domotic_assets.errors import ConfigurationError, PublishError
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA
from domotic_assets.serve.postgres.layout import ROLE_PREFIX, SCHEMAS
from domotic_assets.serve.postgres.server import Connection

_LONGEST_NAME = 63
"""Most bytes of a name in PostgreSQL, which cuts longer ones: two people's names could become the same."""


@dataclass(frozen=True, order=True)
class Grant:
    """A right of a role: to connect, to use a schema, or to read a relation.

    kind: DATABASE, SCHEMA or TABLE. relation: a database's name too. Both names are empty if not needed.
    """

    kind: str
    schema: str
    relation: str
    role: str


def mark(database: str) -> str:
    """Return the comment by which publishing recognises the roles and schemas that it made."""
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


def settle(connection: Connection, database: str, roles: Collection[str]) -> None:
    """Create the missing roles; let exactly the given ones log in, of all roles that publishing made.

    Raises PublishError if somebody else made a role of one of these names, or gave it rights of its own.
    """
    ours = mark(database)
    found = connection.execute(
        "SELECT rolname, rolcanlogin, coalesce(shobj_description(oid, 'pg_authid'), '') = %s, "
        "rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication "
        "OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) "
        "FROM pg_roles WHERE rolname = ANY(%s) OR shobj_description(oid, 'pg_authid') = %s",
        [ours, sorted(roles), ours],
    ).fetchall()
    for name, can_log_in, is_ours, is_mighty in found:
        if name in roles and (not is_ours or is_mighty):
            raise PublishError(
                "a role of a person has rights of its own"
                if is_ours
                else "a role of a person's name is not ours",
                where=f"{database}: one of the roles {ROLE_PREFIX}…",
                expected="roles that only publishing makes, without attributes or memberships",
                remedy="drop or rename it, or take its rights away",
            )
        if can_log_in != (name in roles):
            word = sql.SQL("LOGIN" if name in roles else "NOLOGIN")
            connection.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(name), word))
    for name in sorted(set(roles) - {row[0] for row in found}):
        role = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOINHERIT").format(role))
        connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(ours)))
        connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}, {}").format(
                role, *map(sql.Identifier, (database, GOLD_SCHEMA, MARTS_SCHEMA))
            )
        )


def shut(connection: Connection, database: str, schema: str) -> None:
    """Revoke all rights on a schema from our roles; a statement that has its tables open still reads them."""
    found = connection.execute(
        "SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s", [mark(database)]
    ).fetchall()
    for (name,) in found:
        connection.execute(
            sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(sql.Identifier(schema), sql.Identifier(name))
        )


def grant(connection: Connection, database: str, wanted: Iterable[Grant]) -> None:
    """Give the roles that publishing made exactly the wanted rights on the database and its schemas."""
    held = {
        Grant(*row)
        for row in connection.execute(
            "WITH ours AS ("
            "  SELECT oid, rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s), "
            "held AS ("
            "  SELECT 'DATABASE' AS kind, '' AS schema, datname AS relation, (aclexplode(datacl)).grantee "
            "  FROM pg_database WHERE datname = %s"
            "  UNION SELECT 'SCHEMA', nspname, '', (aclexplode(nspacl)).grantee"
            "  FROM pg_namespace WHERE nspname = ANY(%s)"
            "  UNION SELECT 'TABLE', nspname, relname, (aclexplode(relacl)).grantee"
            "  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = ANY(%s)) "
            "SELECT kind, schema, relation, rolname FROM held JOIN ours ON ours.oid = held.grantee",
            [mark(database), database, list(SCHEMAS), list(SCHEMAS)],
        )
    }
    asked = set(wanted)
    for right in sorted(held - asked):
        connection.execute(_sentence("REVOKE ALL ON {} {} FROM {}", right))
    for right in sorted(asked - held):
        words = {"DATABASE": "CONNECT", "SCHEMA": "USAGE", "TABLE": "SELECT"}[right.kind]
        connection.execute(_sentence(f"GRANT {words} ON {{}} {{}} TO {{}}", right))


def _sentence(template: str, right: Grant) -> sql.Composed:
    """Fill the kind, names and role of a right into the template of a GRANT or REVOKE statement."""
    names = [name for name in (right.schema, right.relation) if name]
    return sql.SQL(template).format(sql.SQL(right.kind), sql.Identifier(*names), sql.Identifier(right.role))
