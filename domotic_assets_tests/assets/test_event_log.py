"""The event log whose connections stay open: the same files and events as Dagster's own."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from domotic_assets.orchestration.event_log import KeptSqliteEventLog
from domotic_assets.orchestration.instance import prepare_home
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


def _open_files(ending: str) -> list[str]:
    return [
        str(link.readlink())
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and str(link.readlink()).endswith(ending)
    ]
