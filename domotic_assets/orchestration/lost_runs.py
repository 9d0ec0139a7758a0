"""Reports runs whose process is gone as failed, so that their work is taken up again.

Dagster learns of a killed run from the code server that started it. If that server is gone too, or a build
started the run itself, the run would stay "started" for ever and block the queue for other writers.
"""

from datetime import timedelta

import dagster as dg
import psutil

from domotic_assets.orchestration.sensors import running_sensor

SECONDS = 15

SLACK = timedelta(seconds=5)
"""A process that started this much later than the event that names it is another process with the same id."""


def lost_runs_sensor() -> dg.SensorDefinition:
    """Define the sensor that finds runs whose process is gone and reports them as failed."""

    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lost = fail_lost_runs(context.instance)
        return dg.SensorResult(skip_reason=f"reported as failed: {', '.join(lost)}" if lost else "none lost")

    return running_sensor("lost_runs", SECONDS, [], "Finds runs whose process is gone.", tick)


def fail_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report started runs whose process is gone as failed; return their run ids."""
    lost = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        process = _process_of(instance, run.run_id)
        if process is None or _lives(*process):
            continue
        # The run may have ended normally in the meantime.
        present = instance.get_run_by_id(run.run_id)
        if present is not None and present.status is dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(present, f"its process ({process[0]}) is gone; it was killed")
            lost.append(run.run_id)
    return lost


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Return the process id that a run's events named last, and when (unix seconds); None if none did."""
    found = None
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata = entry.get_dagster_event().engine_event_data.metadata
        if "pid" in metadata:
            found = int(str(metadata["pid"].value)), entry.timestamp
    return found


def _lives(number: int, named_at: float) -> bool:
    """Return whether the process that had this id at that moment (unix seconds) is still running."""
    try:
        process = psutil.Process(number)
        begun: float = process.create_time()
        ended: bool = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return not ended and begun <= named_at + SLACK.total_seconds()
