"""Creates readers' databases, says who may connect to them, and drops those of nobody.

A reader may connect to one database. The admin's is that of the address in sites.yaml; a person's is named as
the role, made by publishing and recognised by its comment. No other database is ever altered.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from psycopg import sql

from domotic_assets.errors import PublishError
from domotic_assets.escaping import identifier
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA
from domotic_assets.serve.postgres import sessions
from domotic_assets.serve.postgres.layout import ROLE_PREFIX
from domotic_assets.serve.postgres.roles import mark
from domotic_assets.serve.postgres.server import Connection, Server, dialled
from domotic_assets.serve.postgres.sessions import Step

TEMPLATE = "domotic_template"
"""The template of people's databases, if the server's administrator made it (docs/postgresql.md)."""
_LIMITS: Mapping[str, str] = {
    "search_path": f"{GOLD_SCHEMA}, {MARTS_SCHEMA}",
    "statement_timeout": f"{sessions.LONGEST_TRANSACTION.seconds}s",
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "1h",
}
"""Settings of every session in a reader's database; a role can set its own otherwise."""
_TEMPORARY_FILES: Mapping[str, str] = {"temp_file_limit": "1GB"}
"""Settings that a role cannot change, set if the server's administrator lets publishing."""


def made(connection: Connection, database: str) -> set[str]:
    """Return the names of the databases that publishing made. database: that of the address in sites.yaml."""
    found = connection.execute(
        "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') = %s", [mark(database)]
    )
    return {name for (name,) in found}


def revoke(connection: Connection, server: Server, kept: Collection[tuple[str, str]]) -> Iterator[Step]:
    """Yield the steps that revoke all rights on our databases from PUBLIC and our roles but the kept pairs.

    kept: pairs of database and role. One step for each right, so that who holds one up saves nobody else.
    """
    ours = mark(server.database)
    found = connection.execute(
        "SELECT datname, rolname FROM pg_database AS d, "
        "LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) AS held "
        "LEFT JOIN pg_roles AS r ON r.oid = held.grantee "
        "WHERE (datname = %s OR shobj_description(d.oid, 'pg_database') = %s) "
        "AND (held.grantee = 0 OR shobj_description(r.oid, 'pg_authid') = %s) "
        "GROUP BY datname, rolname",
        [server.database, ours, ours],
    ).fetchall()
    gone = sorted({(d, r or "") for d, r in found} - set(kept))
    for database, role in gone:
        statement = (
            f"REVOKE ALL ON DATABASE {identifier(database)} FROM {identifier(role) if role else 'PUBLIC'}"
        )
        yield partial(sessions.run, server, connection, ours, statement)


def let_connect(server: Server, connection: Connection, database: str, role: str) -> None:
    """Let a role connect to a database."""
    held = connection.execute("SELECT has_database_privilege(%s, %s, 'CONNECT')", [role, database]).fetchone()
    if held != (True,):
        statement = f"GRANT CONNECT ON DATABASE {identifier(database)} TO {identifier(role)}"
        sessions.run(server, connection, mark(server.database), statement)


def create_missing(connection: Connection, server: Server, names: Sequence[str]) -> None:
    """Create people's databases that are missing, closed to everybody, and take over empty ones of ours.

    A database that the administrator made beforehand for the publishing account, and that is empty, is taken.
    Raises PublishError for any other that publishing did not make.
    """
    ours = mark(server.database)
    found = connection.execute(
        "SELECT datname, coalesce(shobj_description(oid, 'pg_database'), ''), "
        "pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = ANY(%s)",
        [list(names)],
    ).fetchall()
    held = {name: comment for name, comment, _ in found}
    for name, comment, is_owned in found:
        is_empty = is_owned and comment == "" and _is_empty(connection, server, name)
        if not is_owned or not (comment == ours or is_empty):
            raise PublishError(
                "a database of a person's name is not ours",
                where=f"{server.address}: one of the databases {ROLE_PREFIX}…",
                expected="databases that only publishing makes, or empty ones that the account owns",
                remedy="drop or rename it",
            )
    for name in names:
        database = sql.Identifier(name)
        if name not in held:
            # Closed until PUBLIC, who may connect to every new database, has lost that right.
            made_of = _template(connection, server.database)
            connection.execute(
                sql.SQL("CREATE DATABASE {} ALLOW_CONNECTIONS false ").format(database) + made_of
            )
        if held.get(name) != ours:
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(ours)))
    revoked = connection.execute(
        "SELECT datname FROM pg_database WHERE datname = ANY(%s) AND NOT datallowconn", [list(names)]
    ).fetchall()
    for (name,) in revoked:
        for words in (
            f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC",
            f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true",
        ):
            sessions.run(server, connection, ours, words)


def limit(connection: Connection, names: Sequence[str]) -> None:
    """Set what limits readers' sessions in these databases, where it is not set yet."""
    may = connection.execute("SELECT has_parameter_privilege('temp_file_limit', 'SET')").fetchone()
    wanted = {**_LIMITS, **(_TEMPORARY_FILES if may == (True,) else {})}
    found = connection.execute(
        "SELECT datname, coalesce(setconfig, '{}') FROM pg_database "
        "LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid AND setrole = 0 "
        "WHERE datname = ANY(%s)",
        [list(names)],
    ).fetchall()
    for name, settings in found:
        held = dict(setting.split("=", 1) for setting in settings)
        for setting, value in wanted.items():
            if held.get(setting) != value:
                words = sql.SQL(value) if setting == "search_path" else sql.Literal(value)
                connection.execute(
                    sql.SQL("ALTER DATABASE {} SET {} = ").format(*map(sql.Identifier, (name, setting)))
                    + words
                )


def drop(server: Server, name: str) -> None:
    """Drop a database and end every session in it."""
    statement = f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)"
    sessions.insist(server, mark(server.database), statement)


def _template(connection: Connection, database: str) -> sql.Composed:
    """Return the options of a new database: the administrator's template, or an empty one like the admin's.

    Never template1, which cannot be copied while anybody is connected to it.
    """
    prepared = connection.execute(
        "SELECT FROM pg_database WHERE datname = %s AND datistemplate", [TEMPLATE]
    ).fetchone()
    if prepared is not None:
        return sql.SQL("TEMPLATE {}").format(sql.Identifier(TEMPLATE))
    found = connection.execute(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = %s",
        [database],
    ).fetchall()
    [like] = found
    return sql.SQL("TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(*map(sql.Literal, like))


def _is_empty(connection: Connection, server: Server, name: str) -> bool:
    """Return whether a database holds no relation; PUBLIC loses its rights on it first."""
    closing = f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC"
    sessions.run(server, connection, mark(server.database), closing)
    with dialled(server, name) as inside:
        found = inside.execute(
            "SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LIMIT 1"
        ).fetchone()
    return found is None
