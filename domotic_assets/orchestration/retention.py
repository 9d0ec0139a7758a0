"""Deletes Dagster's records of runs that are no longer needed."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from domotic_assets.orchestration import tags

KEEP_RUNS = timedelta(days=7)

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def prune_runs(instance: dg.DagsterInstance, home: Path, now: datetime, *, keep: str) -> int:
    """Delete the records of runs that are no longer needed; return the number of runs deleted.

    home: the folder of Dagster's records. keep: id of the run that calls this.

    A run of windows is deleted once its keys are gone, that is when its day is sealed. Any other run is
    deleted when it is older than KEEP_RUNS and a later run of the same job and keys succeeded.
    """
    registered = set(instance.get_dynamic_partitions(tags.WINDOW))
    done_later: set[tuple[str, ...]] = set()
    removed = 0
    for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED)):
        run = record.dagster_run
        keys = tags.keys_of(run.tags) or ()
        same = (run.job_name, *keys)
        if run.job_name in (tags.WINDOWS_JOB, tags.BUILD_JOB) and keys:
            spent = not registered.intersection(keys)
        else:
            spent = same in done_later and now - record.create_timestamp > KEEP_RUNS
        if run.status is dg.DagsterRunStatus.SUCCESS:
            done_later.add(same)
        if spent and run.run_id != keep:
            instance.delete_run(run.run_id)
            _remove_files(home, run.run_id)
            removed += 1
    return removed


def _remove_files(home: Path, run_id: str) -> None:
    """Remove a run's own event file and outputs, which Dagster empties but leaves behind."""
    for file in (home / "history" / "runs").glob(f"{run_id}.db*"):
        file.unlink(missing_ok=True)
    shutil.rmtree(home / "storage" / run_id, ignore_errors=True)
