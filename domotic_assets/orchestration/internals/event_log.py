"""Dagster's event log in SQLite, with its connections kept open and new databases copied from an empty one.

Dagster opens a database, and closes it, for each of the hundred events of a run, and reads all its
migrations for each database: half of what a run costs beside its work. The files, their tables and
everything else are Dagster's own.

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

_KEPT = 4
"""Open databases: the index, and the runs written or looked at last."""
_BUSY_SECONDS = 60.0


class KeptSqliteEventLog(SqliteEventLogStorage):
    """As its base, which it can replace and be replaced by at any time: the files are the same."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        self._tables: set[str] = set()
        self._asset_columns: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """home: the folder of Dagster's records, in which the log has its usual place."""
        return {"home": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "KeptSqliteEventLog":
        """As dagster.yaml asks for it."""
        return cls(str(Path(config_value["home"], "history", "runs")), inst_data)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; one that was there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        """As `has_table`, of a column of the table of assets."""
        if column_name not in self._asset_columns and super()._has_asset_key_col_on_connection(
            conn, column_name
        ):
            self._asset_columns.add(column_name)
        return column_name in self._asset_columns

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._prepare(shard, engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> sa.Engine:
        """The engine of a database; the one not used for longest is closed where there are many."""
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
        """Make a database where there is none; Dagster's own way is asked where that left something to do."""
        path = Path(self.path_for_shard(shard))
        if not path.exists():
            _write_once(path, self._empty_database)
        if not _has_version(engine):
            self._initdb(engine)

    @cached_property
    def _empty_database(self) -> bytes:
        """A database as Dagster makes it for a run."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "empty.db")
            engine = sa.create_engine(f"sqlite:///{path}")
            self._initdb(engine)
            engine.dispose()
            return path.read_bytes()

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events; its database may be removed after it."""
        super().delete_events(run_id)
        with self._db_lock:
            if (engine := self._engines.pop(run_id, None)) is not None:
                engine.dispose()

    def dispose(self) -> None:
        """Close everything."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()


def _make_quick(connection: Any, _record: object) -> None:
    """In a write-ahead log no commit need wait for the disk: a power cut may cost the last events."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _write_once(path: Path, content: bytes) -> None:
    """Make a whole file under a name; of several processes that do so at once one succeeds.

    Where the file system has no hard links there is no file afterwards, and Dagster makes one.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=".new-", suffix=".tmp") as file:
        file.write(content)
        file.flush()
        with suppress(OSError):
            os.link(file.name, path)


def _has_version(engine: sa.Engine) -> bool:
    """Whether Dagster has made the tables of a database; it marks it with their version at last."""
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        if cursor.fetchone() is None:
            return False
        cursor.execute("SELECT 1 FROM alembic_version")
        return cursor.fetchone() is not None
