"""A real MariaDB server on loopback: the building register in a database `pidb`, and an account to read it.

How it is set up belongs here; what is asked of it belongs in the tests. It runs as the user of the tests,
and everything that it writes lies in its private folder.
"""

import os
import pwd
import secrets
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql

from domotic_assets.schemas.register import REGISTER
from domotic_assets_tests.services.servers import HOST, Server, free_port, program

DATABASE = "pidb"
READER = "register-reader"
_PACKAGE = "mariadb-server"
_TYPES = {"INTEGER": "INT", "REAL": "DOUBLE", "TEXT": "VARCHAR(500)"}


class MariadbServer(Server):
    """A running MariaDB. start, stop and kill are the server's; its data stays.

    user, password: an account that may read the allow-listed columns and nothing else.
    ca_file: the certificate that a client has to trust.
    """

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        super().__init__(command, port, folder / "mariadbd.log")
        self.user = READER
        self.password = secrets.token_urlsafe(16)
        self.ca_file = folder / "certificate.pem"
        self._socket = folder / "sql"

    @property
    def address(self) -> str:
        """The register's address as sites.yaml has it."""
        return f"{HOST}:{self.port}/{DATABASE}"

    def root(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the server's administrator; the rows of the last one."""
        with (
            closing(
                pymysql.connect(unix_socket=str(self._socket), user="root", autocommit=True)
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """It keeps its connections, accepts new ones and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def load(self, sqlite_file: Path) -> None:
        """Make the database hold the tables of a SQLite register, all of them, and let the reader in."""
        self.root(f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        with (
            closing(sqlite3.connect(sqlite_file)) as register,
            closing(
                pymysql.connect(unix_socket=str(self._socket), user="root", database=DATABASE)
            ) as connection,
            connection.cursor() as cursor,
        ):
            for (table,) in register.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table'"
            ).fetchall():
                columns = register.execute(f"PRAGMA table_info({table})").fetchall()
                declared = ", ".join(
                    f"`{name}` {_type(name, kind)}{' PRIMARY KEY' if is_key else ''}"
                    for _, name, kind, _, _, is_key in columns
                )
                cursor.execute(f"CREATE TABLE `{table}` ({declared})")
                marks = ", ".join(["%s"] * len(columns))
                rows = register.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                cursor.executemany(f"INSERT INTO `{table}` VALUES ({marks})", rows)  # noqa: S608
            connection.commit()
        self.let_in()

    def let_in(self) -> None:
        """Make the reader's account anew, with rights to the allow-listed columns only."""
        account = f"'{self.user}'@'%'"
        self.root(f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{self.password}'")
        for table in REGISTER.values():
            columns = ", ".join(f"`{column.name}`" for column in table.columns)
            self.root(f"GRANT SELECT ({columns}) ON {DATABASE}.`{table.name}` TO {account}")


def _type(column: str, kind: str) -> str:
    # The file's dates are texts for want of a type; a server has one.
    return "DATETIME" if column == "creationDate" else _TYPES[kind]


@contextmanager
def mariadb(folder: Path) -> Iterator[MariadbServer]:
    """A started server without any database, everything of it in `folder`; ended on leaving."""
    mariadbd, install = program("mariadbd", _PACKAGE), program("mariadb-install-db", _PACKAGE)
    folder.mkdir(parents=True, exist_ok=True)
    port, user = free_port(), pwd.getpwuid(os.geteuid()).pw_name
    data = folder / "data"
    subprocess.run(
        [
            install, "--no-defaults", f"--user={user}", f"--datadir={data}",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    command = [
        mariadbd, "--no-defaults", f"--user={user}", f"--datadir={data}", f"--socket={folder / 'sql'}",
        f"--pid-file={folder / 'pid'}", f"--port={port}", f"--bind-address={HOST}", "--skip-name-resolve",
        f"--ssl-cert={folder / 'certificate.pem'}", f"--ssl-key={folder / 'key.pem'}",
        "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--debug-no-sync",
    ]  # fmt: skip
    make_certificate(folder)
    server = MariadbServer(command, port, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_certificate(folder: Path) -> None:
    """certificate.pem and key.pem for this host, signed by themselves."""
    subprocess.run(
        [
            program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=register", "-addext",
            f"subjectAltName=IP:{HOST}", "-keyout", str(folder / "key.pem"), "-out",
            str(folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
