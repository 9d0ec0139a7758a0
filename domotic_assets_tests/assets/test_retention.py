"""Which runs Dagster may forget: those of sealed windows, and old ones that a later run repeated."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from domotic_assets.orchestration import tags
from domotic_assets.orchestration.retention import KEEP_RUNS, prune_runs


class Records:
    """Dagster's records in a folder, and runs that ended so long ago."""

    def __init__(self, instance: dg.DagsterInstance, home: Path) -> None:
        self.instance, self.home = instance, home

    def run(self, job: str, key: str | None = None, *, failed: bool = False) -> str:
        tags = {} if key is None else {"dagster/partition": key}
        status = dg.DagsterRunStatus.FAILURE if failed else dg.DagsterRunStatus.SUCCESS
        run = create_run_for_test(self.instance, job_name=job, tags=tags, status=status)
        events = self.home / "history" / "runs" / f"{run.run_id}.db"
        events.parent.mkdir(parents=True, exist_ok=True)
        events.touch()
        return run.run_id

    def prune(self, after: timedelta, keep: str = "none") -> set[str]:
        prune_runs(self.instance, self.home, datetime.now(UTC) + after, keep=keep)
        left = {record.dagster_run.run_id for record in self.instance.get_run_records()}
        assert {file.stem for file in (self.home / "history" / "runs").glob("*.db")} == left
        return left


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        yield Records(instance, tmp_path)


def test_the_run_of_a_window_goes_with_its_key(records: Records) -> None:
    records.instance.add_dynamic_partitions(tags.WINDOW, ["2023-09-05T10"])
    sealed = records.run(tags.WINDOWS_JOB, "2023-09-04T10:00", failed=True)
    live = records.run(tags.WINDOWS_JOB, "2023-09-05T10")
    own = records.run(tags.WINDOWS_JOB, "2023-09-04T11:00")
    assert records.prune(timedelta(), keep=own) == {live, own} != {sealed}


def test_another_run_goes_when_it_is_old_and_a_later_one_did_the_same(records: Records) -> None:
    first, second = (records.run(tags.HEALTH_JOB, "2023-09-04") for _ in range(2))
    other = records.run(tags.HEALTH_JOB, "2023-09-05")
    old_failure = records.run(tags.DIMS_JOB, failed=True)
    newer_failure = records.run(tags.DIMS_JOB, failed=True)
    assert records.prune(KEEP_RUNS / 2) == {first, second, other, old_failure, newer_failure}
    # A failure that no success followed stays: it is what somebody has to look at.
    assert records.prune(KEEP_RUNS * 2) == {second, other, old_failure, newer_failure}
    mended = records.run(tags.DIMS_JOB)
    assert records.prune(KEEP_RUNS * 2) == {second, other, mended}
