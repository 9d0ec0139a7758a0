"""Defines sensors and schedules: when runs start. What there is to do is decided in `arrivals`.

All are RUNNING by default. A source that cannot be read is no crash: the tick reports it in one line, the
source's check `reachable` fails, and the next tick tries again.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, cast

import dagster as dg

from domotic_assets.domains.homes.flows import arrivals, dims, health
from domotic_assets.domains.register import flows as register_flows
from domotic_assets.domains.weather import flows as weather_flows
from domotic_assets.errors import ConfigurationError, ContractError, DomoticError, SourceError
from domotic_assets.flow.clock import refuse_a_clock_behind
from domotic_assets.flow.flow import Flow
from domotic_assets.flow.windows import keys_between
from domotic_assets.flow.worklist import DAY_CLOSED, WINDOWS, PendingWork, Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.store import consecutive
from domotic_assets.operate.status import UNREACHABLE
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.assets import WINDOW, key
from domotic_assets.orchestration.check_results import described
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip
_PRIORITIES: dict[str, str] = {"live": "10", "late": "5", "history": "-10"}
COMPARE_REGISTER_EVERY = timedelta(hours=1)
REFRESH_EVERY = timedelta(hours=1)
REFRESH_AT_MOST_EVERY = timedelta(minutes=10)
LIST_FORECASTS_EVERY = timedelta(hours=1)
REACHABLE, REACHABLE_RULE = "reachable", "The source can be reached and read."

Tick = Callable[[Workspace, dg.DagsterInstance, datetime], dg.SensorResult]


def build_sensors(
    work: Workspace, jobs: Mapping[str, Any], flows: Sequence[Flow]
) -> list[dg.SensorDefinition]:
    """Define the feed's sensors. jobs: the feed's jobs by name."""
    by_name = {flow.name: flow for flow in flows}

    def guarded(name: str, tick: Tick) -> Callable[[dg.SensorEvaluationContext], Any]:
        flow = by_name[name]
        return lambda context: _with_a_right_clock(
            work,
            context,
            lambda: _guarded(work, context, flow, lambda: tick(work, context.instance, work.now())),
        )

    def refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _with_a_right_clock(work, context, lambda: refresh_tick(work, context.instance, work.now()))

    return [
        running_sensor(
            "arrivals",
            5,
            [jobs[tags.WINDOWS_JOB], jobs[tags.LISTING_JOB]],
            "Looks for the files that are due, and carries what is on the work list.",
            guarded("sensor_files", arrivals_tick),
        ),
        running_sensor(
            "forecasts",
            600,
            [jobs[tags.FORECASTS_JOB]],
            "Looks for new and corrected forecasts: hourly, and often while today's is due.",
            guarded("weather_files", forecasts_tick),
        ),
        running_sensor(
            "register",
            600,
            [jobs[tags.REGISTER_JOB]],
            "Compares the building register every hour, and more often while it cannot be read.",
            guarded("register_rows", register_tick),
        ),
        running_sensor(
            "refresh",
            60,
            [jobs[tags.REFRESH_JOB], jobs[tags.DIMS_JOB]],
            "Device health, dimensions and upkeep: hourly, and after a day was closed.",
            refresh,
        ),
    ]


def running_sensor(
    name: str,
    seconds: int,
    jobs: Sequence[Any],
    description: str,
    tick: Callable[[dg.SensorEvaluationContext], dg.SensorResult],
) -> dg.SensorDefinition:
    """Define a sensor that is running from the start.

    seconds: the shortest time between two ticks. jobs: those that it may request. tick: what it does each
    time.
    """

    @dg.sensor(
        name=name,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        jobs=jobs,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return tick(context)

    return sensor


def build_schedules(work: Workspace, jobs: Mapping[str, Any]) -> list[dg.ScheduleDefinition]:
    """Define the feed's schedules, in the calendar's time zone."""
    zone = work.registry.calendar_time_zone
    running = dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(
            name="retention",
            job=jobs[tags.UPKEEP_JOB],
            cron_schedule="40 3,9,15,21 * * *",
            execution_timezone=zone,
            default_status=running,
            description="Records of runs that nobody looks at any more, four times a day.",
        ),
    ]


def arrivals_tick(work: Workspace, instance: dg.DagsterInstance, now: datetime) -> dg.SensorResult:
    """Look for new files; request one run of windows, and a listing if one is due.

    The oldest day that is due for sealing is put on the work list first.
    """
    registered = instance.get_dynamic_partitions(tags.WINDOW)
    seen = arrivals.look(work, registered, now)
    held = work.worklist.read()
    if sealing := arrivals.days_to_seal(work, held, registered, now):
        due = {sealing[0].isoformat(): Task()}
        held = work.worklist.change(lambda listed: listed.add(WINDOWS, due))
    requests = []
    kind = "whole" if seen == "listing needed" else arrivals.listing_due(held, work.registry.settings, now)
    if kind is not None and not runs_under_way(instance, tags.LISTING_JOB):
        by_name = {tags.LISTING: tags.BY_NAME} if kind == "recent" else {}
        requests.append(tags.ask_for(tags.LISTING_JOB, by_name))
    choice = arrivals.choose(held, registered, now, _windows_under_way(instance, registered))
    if choice is None:
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else _quiet(held))
    work.worklist.change(lambda listed: listed.requested(WINDOWS, choice.keys, now))
    by_name = {} if choice.whole_listing else {tags.LISTING: tags.BY_NAME}
    window_run = tags.ask_for(
        tags.WINDOWS_JOB,
        {
            **tags.of_keys(choice.keys[0], choice.keys[-1]),
            tags.KIND: choice.kind,
            tags.PRIORITY: _PRIORITIES[choice.kind],
            **by_name,
        },
    )
    return dg.SensorResult(
        run_requests=[window_run, *requests],
        dynamic_partitions_requests=(
            [WINDOW.build_add_request(list(choice.register))] if choice.register else []
        ),
    )


def _windows_under_way(instance: dg.DagsterInstance, registered: Sequence[str]) -> arrivals.UnderWay:
    """Return the kinds and keys of windows whose runs are queued or running.

    registered: the window keys that Dagster knows. Of a run whose keys are not among them, only the kind is
    returned.
    """
    kinds: set[arrivals.Kind] = set()
    keys: set[str] = set()
    for run in runs_under_way(instance, tags.WINDOWS_JOB):
        kinds.add(cast(arrivals.Kind, run.tags.get(tags.KIND, "late")))
        ends = tags.keys_of(run.tags)
        if ends is not None and set(ends) <= set(registered):
            keys.update(keys_between(*ends, registered))
    return arrivals.UnderWay(kinds, keys)


def _quiet(held: PendingWork) -> str:
    """Explain that a tick found nothing new, with the number of windows on the work list if there are any."""
    waiting = len(held.windows)
    return f"nothing new; {waiting} windows under way or waiting" if waiting else "nothing new"


def runs_under_way(instance: dg.DagsterInstance, job: str) -> Sequence[dg.DagsterRun]:
    """Return the runs of a job that are queued or running."""
    return instance.get_runs(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY))


def forecasts_tick(work: Workspace, instance: dg.DagsterInstance, now: datetime) -> dg.SensorResult:
    """Request one run over the oldest stretch of consecutive dates of issue with new or changed files.

    The folder is listed at every tick while the day's file is due and missing, otherwise every hour.
    """
    looked = work.worklist.read().mark(tags.FORECASTS_JOB, now)
    lately = looked is not None and now - looked < LIST_FORECASTS_EVERY
    if lately and not weather_flows.forecast_is_due(work, now):
        return dg.SensorResult(skip_reason=f"looked at {looked:%H:%M} UTC")
    if runs_under_way(instance, tags.FORECASTS_JOB):
        return dg.SensorResult(skip_reason="forecasts are being read")
    stretches = consecutive(weather_flows.discover_forecasts(work))
    if not stretches:
        work.worklist.change(lambda held: held.marks.update({tags.FORECASTS_JOB: now}))
        return dg.SensorResult(skip_reason="no new forecast file")
    return dg.SensorResult(run_requests=[_range_request(tags.FORECASTS_JOB, *stretches[0])])


def register_tick(work: Workspace, instance: dg.DagsterInstance, now: datetime) -> dg.SensorResult:
    """Request a run if the register has changed; once bronze matches it, compare again after an hour."""
    compared = work.worklist.read().mark(tags.REGISTER_JOB, now)
    if compared is not None and now - compared < COMPARE_REGISTER_EVERY:
        return dg.SensorResult(skip_reason=f"compared at {compared:%H:%M} UTC")
    if runs_under_way(instance, tags.REGISTER_JOB):
        return dg.SensorResult(skip_reason="the register is being read")
    if register_flows.register_is_behind(work):
        return dg.SensorResult(run_requests=[tags.ask_for(tags.REGISTER_JOB)])
    work.worklist.change(lambda held: held.marks.update({tags.REGISTER_JOB: now}))
    return dg.SensorResult(skip_reason="nothing changed")


def refresh_tick(work: Workspace, instance: dg.DagsterInstance, now: datetime) -> dg.SensorResult:
    """Request runs over the local dates whose device health may have changed.

    A refresh is due every hour, and earlier after a day was closed, but not within REFRESH_AT_MOST_EVERY of
    the last one. In between, a run of the dimensions is requested if one of them is missing or lacks a
    device.
    """
    held = work.worklist.read()
    last = held.mark(tags.REFRESH_JOB, now)
    closed = held.mark(DAY_CLOSED, now)
    waiting = timedelta.max if last is None else now - last
    after_close = closed is not None and (last is None or closed > last) and waiting >= REFRESH_AT_MOST_EVERY
    if waiting < REFRESH_EVERY and not after_close:
        if _lacks_dims(work) and not runs_under_way(instance, tags.DIMS_JOB):
            return dg.SensorResult(run_requests=[tags.ask_for(tags.DIMS_JOB)])
        return dg.SensorResult(skip_reason=f"refreshed at {last:%H:%M} UTC")
    if any(runs_under_way(instance, job) for job in (tags.REFRESH_JOB, tags.DIMS_JOB)):
        return dg.SensorResult(skip_reason="a refresh is under way")
    days = health.health_days_to_refresh(work, held.dates(tags.HEALTH_JOB))
    if not days:
        return dg.SensorResult(skip_reason="no readings yet")
    work.worklist.change(lambda listed: listed.marks.update({tags.REFRESH_JOB: now}))
    return dg.SensorResult(
        run_requests=[_range_request(tags.REFRESH_JOB, *days) for days in consecutive(days)]
    )


def _lacks_dims(work: Workspace) -> bool:
    """Return whether a dimension does not exist yet or lacks a device."""
    return any(work.lake.version(table) is None for table in gold.DIMS) or dims.lacks_devices(work)


def _range_request(job: str, first: date, last: date) -> dg.RunRequest:
    """Make a request for one run of a job over the dates from `first` to `last`."""
    return tags.ask_for(job, tags.of_keys(first.isoformat(), last.isoformat()))


def _with_a_right_clock(
    work: Workspace, context: dg.SensorEvaluationContext, tick: Callable[[], dg.SensorResult]
) -> dg.SensorResult:
    """Run a tick; skip it with one line if this machine's clock lies before what the lake holds."""
    try:
        refuse_a_clock_behind(work)
    except ConfigurationError as error:
        context.log.error(str(error))
        return dg.SensorResult(skip_reason=str(error))
    return tick()


def _guarded(
    work: Workspace, context: dg.SensorEvaluationContext, flow: Flow, tick: Callable[[], dg.SensorResult]
) -> dg.SensorResult:
    """Run a tick; skip it with one line if its source cannot be read.

    A source that becomes unreadable, or readable again, is reported once by the check `reachable`.
    """
    table = flow.writes[0]
    mark = UNREACHABLE + table.id
    was_down = mark in work.worklist.read().marks
    try:
        if was_down and flow.look is not None:
            # A tick does not always read its source, so its success alone proves nothing.
            flow.look(work)
        found = tick()
    except (SourceError, ContractError, ConfigurationError) as error:
        context.log.error(str(error))
        if was_down:
            return dg.SensorResult(skip_reason=str(error))
        now = work.now()
        work.worklist.change(lambda held: held.marks.update({mark: now}))
        return dg.SensorResult(skip_reason=str(error), asset_events=[_reachable(table, str(error))])
    if not was_down:
        return found
    work.worklist.change(lambda held: held.unmark(mark))
    return found._replace(asset_events=[_reachable(table, None)])


def _reachable(table: Table, error: str | None) -> dg.AssetCheckEvaluation:
    """Make a result of a table's check `reachable`. error: why its source cannot be read; None if it can."""
    return dg.AssetCheckEvaluation(
        asset_key=key(table),
        check_name=REACHABLE,
        passed=error is None,
        severity=dg.AssetCheckSeverity.ERROR,
        **described(error or "the source answers again"),
    )


def reachable_checks(work: Workspace, flows: Sequence[Flow]) -> list[Any]:
    """Define the check `reachable` for each flow with a source; sensors report it, and people can run it."""

    def check(flow: Flow, look: Callable[[Workspace], object]) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=key(flow.writes[0]), name=REACHABLE, description=f"{REACHABLE_RULE} (ERROR)")
        def reachable() -> dg.AssetCheckResult:
            try:
                look(work)
            except DomoticError as error:
                return dg.AssetCheckResult(passed=False, **described(str(error)))
            return dg.AssetCheckResult(passed=True)

        return reachable

    return [check(flow, flow.look) for flow in flows if flow.look is not None]
