"""Opens a database in MySQL or MariaDB: connects to it and explains its errors.

Which tables and columns are read is decided in `snapshots`. No message repeats the server's own text, which
holds user names.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domotic_assets.errors import SourceError
from domotic_assets.schemas.records import RecordTable
from domotic_assets.sources.sql.snapshots import Catalogue, RelationalSource

DIAL_SECONDS = 10
ANSWER_SECONDS = 30
"""How long the server may take for the next bytes of an answer."""

_BEGIN = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
# Error numbers of the server; those from 2000 on are the client's.
_REFUSED = {1044, 1045, 1130, 1698, 4151}
_NO_DATABASE = {1049}
_NO_RIGHT = {1142, 1143}
_NO_ANSWER = {2003, 2006, 2013}
_NO_TLS = {2026}


def mysql_source(
    address: str,
    user: str,
    password: str,
    tables: Mapping[str, RecordTable],
    *,
    tls: bool,
    ca_file: Path | None,
) -> RelationalSource:
    """Return the tables of a database at `host[:port]/database`, without connecting yet.

    tls: whether to encrypt the connection and verify the server's certificate against `ca_file`, or against
    what this machine trusts; without it nothing is encrypted. Raises SourceError if `ca_file` cannot be read.
    """
    found = re.fullmatch(r"([^/:@]+)(?::(\d+))?/([^/]+)", address)
    if found is None:
        raise ValueError("a database's address is host[:port]/database")
    host, port, database = found[1], int(found[2] or 3306), found[3]
    encryption: dict[str, Any] = {"ssl": _verifying(ca_file, address)} if tls else {"ssl_disabled": True}
    engine = sa.create_engine(
        sa.URL.create("mysql+pymysql", user, password, host, port, database, {"charset": "utf8mb4"}),
        connect_args={
            "connect_timeout": DIAL_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "write_timeout": ANSWER_SECONDS,
            "conv": {**conversions, FIELD_TYPE.BIT: lambda raw: int.from_bytes(raw, "big")},
            **encryption,
        },
        poolclass=sa.NullPool,
        hide_parameters=True,
    )
    return RelationalSource(engine, address, tables, _BEGIN, _catalogue, _explain)


def _verifying(ca_file: Path | None, place: str) -> ssl.SSLContext:
    """Make TLS settings that verify the server's certificate against `ca_file`.

    ca_file: None for what this machine trusts. Raises SourceError if the file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise SourceError(
            f"the certificates in {ca_file} cannot be read",
            where=place,
            expected="the certificate of who signed the server's, in PEM",
            remedy="correct ca_file in sites.yaml",
        ) from None


def _catalogue(connection: sa.Connection) -> Catalogue:
    """List the tables, views and columns of the database that this account may see."""
    found: dict[str, list[str]] = {}
    query = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
    )
    for table, column in connection.exec_driver_sql(query):
        found.setdefault(str(table), []).append(str(column))
    return found


def _explain(error: SQLAlchemyError, place: str) -> SourceError | None:
    """Translate the server's or the client's error number into an error; None if it is not listed here."""
    original: Any = error.orig if isinstance(error, DBAPIError) else None
    number = original.args[0] if original is not None and original.args else None
    cause = getattr(original, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SourceError(
            f"the server's certificate cannot be trusted ({cause.verify_message.rstrip('.')})",
            where=place,
            expected="a certificate for this host by somebody this machine or ca_file trusts",
            remedy="set ca_file of the source to the certificate of who signed it",
        )
    if number in _NO_TLS or isinstance(cause, ssl.SSLError):
        return SourceError(
            "the server offers no safe encryption",
            where=place,
            expected="TLS, as tls: required says",
            remedy="switch TLS on in the server; `tls: off` in sites.yaml sends everything readable",
        )
    if number in _REFUSED:
        return SourceError(
            "the server refuses the user or the password, or does not let it use the database",
            where=place,
            expected="an account that may read the database from this machine",
            remedy="correct the variables that user_env and password_env name, or the account's rights",
        )
    if number in _NO_DATABASE:
        return SourceError(
            f"the server has no database {place.rpartition('/')[2]}",
            where=place,
            expected="the database of the source",
            remedy="correct its address in sites.yaml",
        )
    if number in _NO_RIGHT:
        return SourceError(
            f"the account has no right to read {_denied(str(original))}",
            where=place,
            expected="SELECT on the tables and columns that are read (schemas/)",
            remedy="grant it; nothing else is ever read",
        )
    if number in _NO_ANSWER:
        return SourceError(
            "the server cannot be reached or does not answer",
            where=place,
            expected="a MySQL or MariaDB server that answers",
            remedy="check the server, the network and the address; it is tried again by itself",
        )
    return None


def _denied(message: str) -> str:
    """Return the table or column that a refusal names, without the user that it also names."""
    names = re.findall(r"(?:column|table) [`'\w.]+", message.rpartition(" for ")[2])
    return " of ".join(name.replace("`", "").replace("'", "") for name in names) or "a table"
