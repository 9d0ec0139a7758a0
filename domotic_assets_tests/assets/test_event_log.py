"""The event log whose connections stay open: the same files and events as Dagster's own."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from domotic_assets.flow.dagster_home import prepare_home
from domotic_assets.orchestration.internals.event_log import KeptSqliteEventLog
from domotic_assets.settings import DAGSTER_VARIABLE


@dg.asset
def something() -> dg.MaterializeResult[None]:
    """A materialisation, which goes into the index as well."""
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=something)
def checked() -> dg.AssetCheckResult:
    """An evaluation."""
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance of the shipped dagster.yaml."""
    prepare_home(tmp_path)
    monkeypatch.setenv(DAGSTER_VARIABLE, str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


def _run(instance: dg.DagsterInstance) -> str:
    done = dg.materialize([something, checked], instance=instance)
    assert done.success
    return done.run_id


def _events(storage: SqliteEventLogStorage, run_id: str) -> list[str | None]:
    return [
        entry.dagster_event_type and entry.dagster_event_type.value
        for entry in storage.get_logs_for_run(run_id)
    ]


def test_dagster_s_own_log_reads_what_ours_wrote_and_the_other_way_round(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    ours = instance.event_log_storage
    assert isinstance(ours, KeptSqliteEventLog)
    run_id = _run(instance)
    theirs = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    assert _events(theirs, run_id) == _events(ours, run_id)
    written = set(_events(theirs, run_id))
    assert {"ASSET_MATERIALIZATION", "ASSET_CHECK_EVALUATION", "PIPELINE_SUCCESS"} <= written
    assert [record.asset_entry.asset_key for record in theirs.get_asset_records()] == [something.key]
    theirs.delete_events(run_id)
    assert _events(ours, run_id) == []


def test_what_one_process_writes_another_reads_at_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    theirs = KeptSqliteEventLog(str(tmp_path / "history" / "runs"))
    for _ in range(3):
        run_id = _run(instance)
        assert _events(theirs, run_id)[-1] == "PIPELINE_SUCCESS"
    instance.add_dynamic_partitions("window", ["2023-09-04"])
    assert theirs.get_dynamic_partitions("window") == ["2023-09-04"]


def test_few_databases_stay_open_and_none_of_a_deleted_run(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    runs = [_run(instance) for _ in range(6)]
    instance.delete_run(runs[-1])
    assert not _open_files(f"{runs[-1]}.db")
    assert 0 < len({file for file in _open_files(".db") if str(tmp_path / "history" / "runs") in file}) <= 4
    instance.event_log_storage.dispose()
    assert not [file for file in _open_files(".db") if str(tmp_path / "history" / "runs") in file]


def _made_of(storage: SqliteEventLogStorage, run_id: str) -> list[object]:
    """What makes a database what it is: its tables and indexes, its version, the way it commits."""
    with storage.run_connection(run_id):
        pass
    with closing(sqlite3.connect(storage.path_for_shard(run_id))) as database:
        questions = ("SELECT type, name, sql FROM sqlite_master ORDER BY name", "PRAGMA journal_mode")
        versions = "SELECT version_num FROM alembic_version"
        return [database.execute(question).fetchall() for question in (*questions, versions)]


def _no_links(*_: object) -> None:
    raise PermissionError("no hard links here")


@pytest.mark.parametrize("links", [True, False], ids=["copied", "no hard links"])
def test_a_run_s_database_is_as_dagster_makes_it(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = SqliteEventLogStorage(str(tmp_path / "theirs"))
    ours = KeptSqliteEventLog(str(tmp_path / "ours"))
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    made = _made_of(ours, "a-run")
    assert made == _made_of(theirs, "a-run")
    assert made[1] == [("wal",)]
    ours.dispose()
    assert {path.name for path in (tmp_path / "ours").iterdir()} == {"a-run.db", "index.db"}


def test_a_database_half_made_is_completed(tmp_path: Path) -> None:
    """As Dagster leaves it when it is killed between opening and marking it."""
    ours = KeptSqliteEventLog(str(tmp_path))
    with closing(sqlite3.connect(tmp_path / "a-run.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    (tmp_path / "other-run.db").touch()
    whole = _made_of(ours, "new-run")
    assert [_made_of(ours, name)[2] for name in ("a-run", "other-run")] == [whole[2]] * 2


def _write(log: KeptSqliteEventLog) -> None:
    with log.run_connection("a-run") as connection:
        connection.exec_driver_sql("INSERT INTO event_logs (run_id, event) VALUES ('a-run', '{}')")


def _written(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "a-run.db")) as database:
        return len(database.execute("SELECT 1 FROM event_logs").fetchall())


def test_who_makes_a_database_at_the_same_time_loses_no_event_of_another(tmp_path: Path) -> None:
    logs = [KeptSqliteEventLog(str(tmp_path)) for _ in range(8)]
    with ThreadPoolExecutor(len(logs)) as threads:
        list(threads.map(_write, logs))
    assert _written(tmp_path) == len(logs)


def test_who_comes_second_with_a_new_database_leaves_the_first_one(tmp_path: Path) -> None:
    first = KeptSqliteEventLog(str(tmp_path))

    class Second(KeptSqliteEventLog):
        @property
        def _empty_database(self) -> bytes:  # type: ignore[override]
            """Between the look whether there is a database and the making of one."""
            _write(first)
            # Until it is closed its event stands in the write-ahead log, which outlives another's main file.
            first.dispose()
            return first._empty_database

    _write(Second(str(tmp_path)))
    assert _written(tmp_path) == 2


def _open_files(ending: str) -> list[str]:
    return [
        str(link.readlink())
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and str(link.readlink()).endswith(ending)
    ]
