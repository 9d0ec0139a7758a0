"""Connects to the PostgreSQL server, and explains its errors.

No message repeats the server's own text, which holds user names.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from domotic_assets.errors import PublishError

Connection = psycopg.Connection[tuple[Any, ...]]

DIAL_SECONDS = 10
"""How long to wait for a connection."""
ANSWER_SECONDS = 60
"""How long to wait for a lock, and for the server to acknowledge bytes that were sent."""
OLDEST_VERSION = 150000
"""The first version in which a schema `public` belongs to the database's owner, and rights on single settings
can be granted."""

_APPLICATION = "domotic"
_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "lock_timeout": f"{ANSWER_SECONDS}s",
        "timezone": "UTC",
        "client_min_messages": "error",
        # What limits readers is set for their database, where publishing connects too.
        "search_path": "pg_catalog",
        "statement_timeout": 0,
        "idle_in_transaction_session_timeout": 0,
        "idle_session_timeout": 0,
    }.items()
)


@dataclass(frozen=True)
class Server:
    """A database and the account that publishes into it; address: `host[:port]/database`.

    ca_file: certificate of whoever signed the server's; None sends everything unencrypted.
    """

    address: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    ca_file: Path | None

    @property
    def database(self) -> str:
        """The database's name."""
        return self.address.rpartition("/")[2]


@contextmanager
def dialled(server: Server, database: str = "", *, autocommit: bool = False) -> Iterator[Connection]:
    """Open a connection in one transaction, which is committed at the end; raises PublishError.

    database: which one of the server; by default that of the address. autocommit: each statement is a
    transaction instead.
    """
    found = re.fullmatch(r"([^/:@]+)(?::(\d+))?/([^/]+)", server.address)
    if found is None:
        raise ValueError("a server's address is host[:port]/database")
    trust = {"sslmode": "disable"} if server.ca_file is None else _verifying(server.ca_file, server.address)
    try:
        with psycopg.connect(
            host=found[1],
            port=int(found[2] or 5432),
            dbname=database or found[3],
            user=server.user,
            password=server.password,
            application_name=_APPLICATION,
            client_encoding="utf8",
            connect_timeout=DIAL_SECONDS,
            tcp_user_timeout=ANSWER_SECONDS * 1000,
            keepalives_idle=ANSWER_SECONDS,
            autocommit=autocommit,
            options=_OPTIONS,
            **trust,
        ) as connection:
            _refuse_old(connection, server.address)
            yield connection
    except psycopg.Error as error:
        raise _explained(error, server.address) from None


def _verifying(ca_file: Path, place: str) -> dict[str, Any]:
    """Return the options with which a connection is encrypted and the server verified.

    place: the server's address, for the error. Raises PublishError if the certificate's file is missing.
    """
    if not ca_file.is_file():
        raise PublishError(
            f"there is no file {ca_file}",
            where=place,
            expected="the certificate of who signed the server's, in PEM",
            remedy="correct ca_file of postgresql in sites.yaml",
        )
    return {"sslmode": "verify-full", "sslrootcert": str(ca_file)}


def _refuse_old(connection: Connection, place: str) -> None:
    """Raise PublishError if the server is older than OLDEST_VERSION. place: its address, for the error."""
    if connection.info.server_version < OLDEST_VERSION:
        raise PublishError(
            f"the server is version {connection.info.server_version // 10_000}",
            where=place,
            expected=f"PostgreSQL {OLDEST_VERSION // 10_000} or newer",
            remedy="use a newer server",
        )


def _explained(error: psycopg.Error, place: str) -> PublishError:
    """Translate an error of the server or the client into one that says what to do."""
    text = str(error)
    match error:
        case errors.InvalidPassword() | errors.InvalidAuthorizationSpecification():
            said = (
                "the server refuses the user or the password",
                "an account that may publish from this machine",
                "correct the variables that user_env and password_env name",
            )
        case psycopg.OperationalError() if "database" in text and "does not exist" in text:
            said = (
                "the server has no such database",
                "a database of its own for what is published",
                "create it, or correct the address of postgresql in sites.yaml",
            )
        case errors.InsufficientPrivilege():
            said = (
                "the account lacks a right",
                "an account that owns the database and has CREATEROLE and CREATEDB",
                "see the set-up in docs/postgresql.md",
            )
        case errors.LockNotAvailable():
            said = (
                f"another publication, or an administrator, held a lock for more than {ANSWER_SECONDS} s",
                "one publisher at a time",
                "it is tried again by itself",
            )
        case psycopg.OperationalError() if "too many" in text or "connection slots" in text:
            said = (
                "the server has no connection left",
                "room for ten connections beside the readers'",
                "raise max_connections, or end what else is connected; it is tried again by itself",
            )
        case psycopg.OperationalError() if "certificate" in text or "does not match host name" in text:
            said = (
                "the server's certificate cannot be trusted",
                "a certificate for this host by whom ca_file names",
                "correct ca_file of postgresql in sites.yaml, or the server's certificate",
            )
        case psycopg.OperationalError() if "SSL" in text and "authentication" not in text:
            said = (
                "the server offers no safe encryption",
                "TLS, as tls: required says",
                "switch TLS on in the server; `tls: off` in sites.yaml sends everything readable",
            )
        case psycopg.OperationalError() if "authentication failed" in text or "no pg_hba.conf entry" in text:
            said = (
                "the server refuses the user, the password or the kind of connection",
                "an account that may publish from this machine",
                "correct the variables that user_env and password_env name, or the server's pg_hba.conf",
            )
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate[:2] in ("08", "57"):
            said = (
                "the server cannot be reached or does not answer",
                "a PostgreSQL server that answers",
                "check the server, the network and the address; it is tried again by itself",
            )
        case _:
            said = (
                f"the server reports {type(error).__name__} ({error.sqlstate})",
                "what is published to be taken",
                "the server's log says more; what was published before stays",
            )
    what, expected, remedy = said
    return PublishError(what, where=place, expected=expected, remedy=remedy)
