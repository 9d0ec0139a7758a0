"""Dagster's event log in SQLite, with its connections kept open.

Dagster opens a database, and closes it, for each of the hundred events of a run: half of what a run costs
beside its work. The files, their tables and everything else are Dagster's own.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
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
