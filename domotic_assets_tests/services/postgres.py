"""A real PostgreSQL server on loopback with TLS, set up as docs/postgresql.md says.

How it is started belongs here; what is asked of it belongs in the tests. It runs as the user of the tests,
or, as it refuses to run as root, as the user `postgres`; all that it writes lies in its private folder.
"""

import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
from psycopg import sql

from domotic_assets.serve.postgres.server import Server as Target
from domotic_assets_tests.services.mariadb import make_certificate
from domotic_assets_tests.services.servers import HOST, Server, free_port, program, require

DATABASE, PUBLISHER = "homes", "publisher"
GUIDE = Path(__file__).resolve().parents[2] / "docs/postgresql.md"
_PACKAGE = "postgresql"
_ODBC_PACKAGE = "odbc-postgresql"
_ODBC_DRIVERS = "/usr/lib/*/odbc/psqlodbcw.so"
_NO_SUCH_TABLE = "42P01"
_HBA = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"

Rows = list[tuple[Any, ...]]


class PostgresServer(Server):
    """A running PostgreSQL. start, stop and kill are the server's; its data stays.

    ca_file: the certificate that a client has to trust.
    """

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        super().__init__(command, port, folder / "postgres.log", ready=self._answers)
        self.password = secrets.token_urlsafe(16)
        self.ca_file = folder / "certificate.pem"
        self._folder = folder

    @property
    def address(self) -> str:
        """The database's address as sites.yaml has it."""
        return f"{HOST}:{self.port}/{DATABASE}"

    @property
    def target(self) -> Target:
        """The database as what publishes knows it."""
        return Target(self.address, PUBLISHER, self.password, self.ca_file)

    def root(self, *statements: str, database: str = DATABASE) -> Rows:
        """Run statements as the server's administrator; the rows of the last one."""
        with psycopg.connect(
            host=str(self._folder), port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            return _run(connection, statements)

    def set_up(self) -> None:
        """Run the statements of docs/postgresql.md, as the server's administrator would."""
        [block] = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        command = [program("psql", "postgresql-client"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self._folder), "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        subprocess.run(command, input=block.replace("…", self.password), text=True, check=True)

    def let_in(self, role: str) -> None:
        """Give a role a password, as the database's administrator would."""
        self.root(f"ALTER ROLE \"{role}\" PASSWORD '{self.password}'", database="postgres")

    def connect(self, role: str, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as a role, encrypted and verified, to its own database; options: others of psycopg."""
        settings: dict[str, Any] = {
            "dbname": database_of(role), "autocommit": True,
            "sslmode": "verify-full", "sslrootcert": str(self.ca_file), **options,
        }  # fmt: skip
        return psycopg.connect(host=HOST, port=self.port, user=role, password=self.password, **settings)

    def ask(self, role: str, *statements: str) -> Rows:
        """The rows of the last of these statements, run as a role."""
        with self.connect(role) as connection:
            return _run(connection, statements)

    def ask_odbc(self, role: str, statement: str) -> Rows:
        """The rows of a query that a role asks over ODBC, without a DSN.

        Raises PermissionError where the role has no such table.
        """
        pyodbc = odbc()
        settings = {
            "Driver": str(odbc_driver()), "Server": HOST, "Port": self.port, "Database": database_of(role),
            "UID": role, "PWD": self.password, "SSLmode": "verify-full", "BoolsAsChar": 0,
            "pqopt": f"{{sslrootcert={self.ca_file}}}",
        }  # fmt: skip
        text = ";".join(f"{name}={value}" for name, value in settings.items())
        connection = pyodbc.connect(text, autocommit=True, readonly=True)
        try:
            return [tuple(row) for row in connection.execute(statement).fetchall()]
        except pyodbc.Error as error:
            if error.args[0] != _NO_SUCH_TABLE:
                raise
            raise PermissionError(f"{role} has no table for: {statement}") from error
        finally:
            connection.close()

    def files(self) -> list[Path]:
        """The files in which the server keeps its databases."""
        return [file for file in (self._folder / "data" / "base").rglob("*") if file.is_file()]

    def _answers(self) -> bool:
        try:
            self.root("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True


def database_of(role: str) -> str:
    """The only database that a reader's role may connect to: a person's has the role's name."""
    return role if role.startswith("domotic_") and role != "domotic_admin" else DATABASE


def _run(connection: psycopg.Connection[tuple[Any, ...]], statements: tuple[str, ...]) -> Rows:
    for statement in statements:
        found = connection.execute(sql.SQL(statement))
    return found.fetchall() if found.description else []


def odbc() -> ModuleType:
    """The module pyodbc; without unixODBC, which it loads, the test skips, or fails where it is required."""
    try:
        import pyodbc
    except ImportError:
        require(False, "unixODBC", "unixodbc")
    return pyodbc


def odbc_driver() -> Path:
    """psqlODBC; without it the test skips, or fails where services are required."""
    found = sorted(Path("/").glob(_ODBC_DRIVERS.removeprefix("/")))
    require(bool(found), "psqlODBC", _ODBC_PACKAGE)
    return found[0]


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    """A started server with an empty database; ended on leaving."""
    tools = Path(program("postgres", _PACKAGE, beside="/usr/lib/postgresql/*/bin")).parent
    # The folders of tests are closed to others, and so to the user whom root hands the server to.
    private = Path(tempfile.mkdtemp(prefix="domotic-postgres-")) if os.geteuid() == 0 else folder
    private.mkdir(parents=True, exist_ok=True)
    try:
        make_certificate(private)
        (private / "hba").write_text(_HBA)
        runner = _hand_over(private)
        subprocess.run(
            [*runner, tools / "initdb", "-D", private / "data", "-U", "postgres", "--auth=trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd=private,
        )  # fmt: skip
        port = free_port()
        settings = {
            "port": port, "listen_addresses": HOST, "unix_socket_directories": private,
            "hba_file": private / "hba",
            "ssl": "on", "ssl_cert_file": private / "certificate.pem", "ssl_key_file": private / "key.pem",
            "fsync": "off", "shared_buffers": "64MB", "max_connections": 40,
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*runner, str(tools / "postgres"), "-D", str(private / "data"), *options]
        server = PostgresServer(command, port, private)
        server.start()
        try:
            server.set_up()
            yield server
        finally:
            server.stop()
    finally:
        if private != folder:
            shutil.rmtree(private)


def _hand_over(private: Path) -> list[str]:
    """Give the folder to the user that the server runs as; the words that run a program as that user."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    for path in (private, *private.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    return [program("setpriv", "util-linux"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
