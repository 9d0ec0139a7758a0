"""A run that nobody carries any more does not hold up the others."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from domotic_assets.orchestration.lost_runs import fail_lost_runs


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@dg.job
def carried() -> None:
    """Stands for any job."""


def started_run(instance: dg.DagsterInstance, *processes: int) -> str:
    """A started run that names processes as Dagster does."""
    run = instance.create_run_for_job(carried, status=dg.DagsterRunStatus.STARTED)
    for number in processes:
        data = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(number))})
        instance.report_engine_event(f"Started process for run (pid: {number}).", run, data)
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.fixture
def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_has_failed(instance: dg.DagsterInstance, ended_process: int) -> None:
    lost = started_run(instance, ended_process)
    assert fail_lost_runs(instance) == [lost]
    assert status(instance, lost) is dg.DagsterRunStatus.FAILURE
    assert fail_lost_runs(instance) == []


def test_a_run_that_is_carried_goes_on(instance: dg.DagsterInstance, ended_process: int) -> None:
    """The process that named itself last counts: an earlier one may have handed over."""
    run = started_run(instance, ended_process, os.getpid())
    assert fail_lost_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED


def test_a_killed_process_that_nobody_waited_for_is_gone(instance: dg.DagsterInstance) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    run = started_run(instance, process.pid)
    assert fail_lost_runs(instance) == []
    process.kill()
    time.sleep(0.5)
    assert fail_lost_runs(instance) == [run]
    process.wait()


def test_another_process_of_the_same_number_does_not_count(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    run = started_run(instance, os.getpid())
    monkeypatch.undo()
    assert fail_lost_runs(instance) == [run]


def test_a_run_that_names_no_process_is_left_alone(instance: dg.DagsterInstance) -> None:
    run = started_run(instance)
    assert fail_lost_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
