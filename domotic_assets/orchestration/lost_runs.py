"""Runs whose process is gone without a word: they are reported as failed, and so taken up again.

Dagster learns of a killed run from the code server that started it. Where that went too, or the run was a
build's own, the run would stay "started" for ever, and its lane would wait for it.
"""

from datetime import timedelta

import dagster as dg
import psutil

from domotic_assets.orchestration.sensors import standing_sensor

SECONDS = 15

SLACK = timedelta(seconds=5)
"""A process that began so much after it was named in the run's events is another one of that number."""


def lost_runs_sensor() -> dg.SensorDefinition:
    """Looks for runs that nobody carries any more."""

    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lost = fail_lost_runs(context.instance)
        return dg.SensorResult(skip_reason=f"reported as failed: {', '.join(lost)}" if lost else "none lost")

    return standing_sensor("lost_runs", SECONDS, [], "Finds runs whose process is gone.", tick)


def fail_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report started runs as failed whose process is gone; their ids."""
    lost = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        process = _process_of(instance, run.run_id)
        if process is None or _lives(*process):
            continue
        # It may have ended in good order while we looked.
        present = instance.get_run_by_id(run.run_id)
        if present is not None and present.status is dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(present, f"its process ({process[0]}) is gone; it was killed")
            lost.append(run.run_id)
    return lost


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The number of the process that last said to carry a run, and when it said so; None of none."""
    found = None
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata = entry.get_dagster_event().engine_event_data.metadata
        if "pid" in metadata:
            found = int(str(metadata["pid"].value)), entry.timestamp
    return found


def _lives(number: int, named_at: float) -> bool:
    """Whether there is the process of that number that was named at a moment."""
    try:
        process = psutil.Process(number)
        begun: float = process.create_time()
        ended: bool = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return not ended and begun <= named_at + SLACK.total_seconds()
