"""Keeps Dagster's event log in SQLite, with open connections, and copies new databases from an empty one.

Dagster opens and closes a database for each of the hundred events of a run, and reads all its migrations for
each database: half of what a run costs apart from its work. The files, their tables and everything else are
Dagster's own.

Why: docs/decisions/0021-event-log-kept-open.md
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

from domotic_assets.owner_only import restrict_new_files

_KEPT = 4
"""Number of databases kept open: the index, and the runs last written or read."""
_BUSY_SECONDS = 60.0


class KeptSqliteEventLog(SqliteEventLogStorage):
    """SQLite event log with open connections. Its base class uses the same files and may replace it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Each process of Dagster opens its records by this class, whoever started it.
        restrict_new_files()
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        self._tables: set[str] = set()
        self._asset_columns: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Declare the setting `home`: the folder of Dagster's records, where the log has its usual place."""
        return {"home": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "KeptSqliteEventLog":
        """Create the log from its settings in dagster.yaml."""
        return cls(str(Path(config_value["home"], "history", "runs")), inst_data)

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; a table that was found is not looked up again."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        """Return whether the table of assets has a column; a column that was found is not looked up again."""
        if column_name not in self._asset_columns and super()._has_asset_key_col_on_connection(
            conn, column_name
        ):
            self._asset_columns.add(column_name)
        return column_name in self._asset_columns

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        """Open a transaction on a database, which is created if it is missing; commit it at the end.

        shard: the id of a run, or the name of the index. One thread at a time has a transaction.
        """
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._prepare(shard, engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> sa.Engine:
        """Return the engine of a database; close the least recently used ones if more than _KEPT are open."""
        engine = self._engines.pop(shard, None)
        if engine is None:
            engine = sa.create_engine(
                self.conn_string_for_shard(shard), pool_size=1, connect_args={"timeout": _BUSY_SECONDS}
            )
            sa.event.listen(engine, "connect", _make_quick)
        self._engines[shard] = engine
        while len(self._engines) > _KEPT:
            _, oldest = self._engines.popitem(last=False)
            oldest.dispose()
        return engine

    def _prepare(self, shard: str, engine: sa.Engine) -> None:
        """Create a missing database from the empty one; let Dagster initialise one that is incomplete."""
        path = Path(self.path_for_shard(shard))
        if not path.exists():
            _write_once(path, self._empty_database)
        if not _has_version(engine):
            self._initdb(engine)

    @cached_property
    def _empty_database(self) -> bytes:
        """Bytes of an empty database, as Dagster creates it for a run."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "empty.db")
            engine = sa.create_engine(f"sqlite:///{path}")
            self._initdb(engine)
            engine.dispose()
            return path.read_bytes()

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events and close its database, whose file may then be removed."""
        super().delete_events(run_id)
        with self._db_lock:
            if (engine := self._engines.pop(run_id, None)) is not None:
                engine.dispose()

    def dispose(self) -> None:
        """Close all databases."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()


def _make_quick(connection: Any, _record: object) -> None:
    """Commit without waiting for the disk: with a write-ahead log, a power cut may cost the last events."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _write_once(path: Path, content: bytes) -> None:
    """Create a file with all its content; if several processes try together, one succeeds.

    On a file system without hard links no file is created, and Dagster makes one.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=".new-", suffix=".tmp") as file:
        file.write(content)
        file.flush()
        with suppress(OSError):
            os.link(file.name, path)


def _has_version(engine: sa.Engine) -> bool:
    """Return whether Dagster has finished creating a database's tables; it records their version last."""
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        if cursor.fetchone() is None:
            return False
        cursor.execute("SELECT 1 FROM alembic_version")
        return cursor.fetchone() is not None
