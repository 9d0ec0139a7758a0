"""Reads problems from Dagster's records and defines the sensor that alerts people to them.

When a channel is told, and in which words, is decided in `alerts`.

Why: docs/decisions/0017-alerts-from-records.md
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from domotic_assets.alerts import incidents
from domotic_assets.alerts.channels import send
from domotic_assets.alerts.memory import Memory, recall, remember
from domotic_assets.alerts.messages import message_for
from domotic_assets.alerts.problems import Kind, Problem
from domotic_assets.alerts.runs import EndedRun, Span, overlap, still_failed, without_carried
from domotic_assets.errors import DomoticError, PartitionError
from domotic_assets.flow.windows import read_key
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.masking import mask_log_text
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.checks import FRESHNESS
from domotic_assets.orchestration.internals import evaluations
from domotic_assets.orchestration.sensors import REACHABLE, running_sensor

SECONDS = 30
KINDS: Mapping[tuple[str, bool], Kind] = {(REACHABLE, False): "source", (FRESHNESS, True): "silence"}
"""Checks whose alerts have their own wording, by check name and whether the failure names a home."""

FIRST_LOOK = timedelta(days=1)
"""How far back the first tick reads runs."""

RUNS_PER_TICK = 500
OVERLAP = timedelta(minutes=1)
"""How far each tick reads back before the end of the last one: a process may record a run's end a little
after others did."""

SENDING_SECONDS = 30.0
"""Time in a tick after which no further message is sent; the rest go out in the next tick."""

DETAIL_CHARACTERS = 300

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_FAILURES = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
_WINDOW_JOBS = (tags.WINDOWS_JOB, tags.BUILD_JOB)
_OURS = f"{DomoticError.__module__}."


def alerts_sensor(work: Workspace) -> dg.SensorDefinition:
    """Define the sensor that alerts people when a problem starts and when it ends."""

    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        repository = context.repository_def
        checks = repository.asset_graph.asset_check_keys if repository is not None else ()
        return alerts_tick(work, context.instance, checks, work.now(), context.log.error)

    return running_sensor(
        "alerts", SECONDS, [], "Tells the channels of sites.yaml what fails, and when it is over.", tick
    )


def alerts_tick(
    work: Workspace,
    instance: dg.DagsterInstance,
    checks: Collection[dg.AssetCheckKey],
    now: datetime,
    report: Callable[[str], object],
) -> dg.SensorResult:
    """Find the present problems and send each channel the news that is due.

    report: called with one line for each message that was not accepted, or not by all recipients.
    """
    channels = work.registry.alerts.channels
    if not channels:
        return dg.SensorResult(skip_reason="sites.yaml names no alert channels")
    folder = work.settings.dagster_home
    before = recall(folder)
    memory = _read_runs(work, instance, replace(before, known=incidents.as_of(before.known, now)), now)
    problems = [one.problem for one in memory.failed] + list(failed_checks(work, instance, checks))
    memory = replace(memory, known=incidents.observe(memory.known, problems, channels, now))
    sent = 0
    began = time.monotonic()
    for channel in channels:
        news = incidents.due(memory.known, channel, now)
        if news is None or time.monotonic() - began > SENDING_SECONDS:
            continue
        try:
            message = message_for(channel, news, work.registry, now)
            left_out = send(channel, message, work.sites, work.settings)
        except Exception as error:
            # One broken channel must not stop the others or the next tick. A foreign error may hold anything.
            ours = isinstance(error, DomoticError)
            report(str(error) if ours else f"alert channel {channel.name}: {type(error).__name__}")
            known = incidents.refused(memory.known, channel.name, now)
        else:
            if left_out is not None:
                report(f"alert channel {channel.name}: {left_out}")
            known = incidents.accepted(memory.known, channel.name, news, now)
            sent += 1
        # Save after each message, so that a process killed later does not send it again.
        memory = before = replace(memory, known=known)
        remember(folder, memory)
    if memory != before:
        remember(folder, memory)
    return dg.SensorResult(skip_reason=f"{len(problems)} problems; {sent} messages sent")


def _read_runs(work: Workspace, instance: dg.DagsterInstance, memory: Memory, now: datetime) -> Memory:
    """Return the memory, updated with the runs that ended since the last tick and the failures that remain.

    At most RUNS_PER_TICK runs are read, those updated first.
    """
    until = memory.runs_until
    since = (now - FIRST_LOOK if until is None or until > now else until) - OVERLAP
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=since),
        limit=RUNS_PER_TICK,
        order_by="update_timestamp",
        ascending=True,
    )
    # Tagging an old run updates its record; a run that ended before `since` has been read before.
    ended = [
        _ended_run(work, instance, record.dagster_run, datetime.fromtimestamp(record.end_time, UTC))
        for record in records
        if record.end_time is not None
        and record.end_time > since.timestamp()
        and record.dagster_run.run_id not in memory.runs_read
        and not _is_retried(record.dagster_run)
    ]
    failed = still_failed(memory.failed, ended)
    if failed:
        listed = [_span((key,)) for key in work.worklist.read().windows]

        def waits(span: Span) -> bool:
            return any(overlap(span, one) for one in listed)

        failed = without_carried(failed, _WINDOW_JOBS, waits)
    if not records:
        return replace(memory, failed=failed)
    newest = records[-1].update_timestamp
    lately = (record for record in records if record.update_timestamp > newest - OVERLAP)
    read = tuple(sorted(record.dagster_run.run_id for record in lately))
    return replace(memory, runs_until=newest, runs_read=read, failed=failed)


def _is_retried(run: dg.DagsterRun) -> bool:
    """Return whether Dagster itself will retry a failed run; then only the last retry counts."""
    return run.status is dg.DagsterRunStatus.FAILURE and run.tags.get("dagster/will_retry") == "true"


def _ended_run(work: Workspace, instance: dg.DagsterInstance, run: dg.DagsterRun, at: datetime) -> EndedRun:
    """Describe a run that ended at `at` (UTC): its job, windows and result, and a failure's masked error."""
    keys = tuple(dict.fromkeys(tags.keys_of(run.tags) or ()))
    succeeded = run.status is dg.DagsterRunStatus.SUCCESS
    return EndedRun(
        run.job_name,
        " to ".join(keys),
        _span(keys),
        at,
        succeeded,
        "" if succeeded else _masked(work, _error_of(instance, run.run_id)),
        f"/runs/{run.run_id}",
    )


def _span(keys: tuple[str, ...]) -> Span | None:
    """Return the start of a run's first window and the end of its last; None if it has no windows."""
    try:
        windows = [read_key(key) for key in keys]
    except PartitionError:
        return None
    return (min(w.start for w in windows), max(w.end for w in windows)) if windows else None


def _error_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return a run's first error: the message of a DomoticError, or only the type of any other error.

    The text of another library's error may hold anything, so it is not repeated.
    """
    records = instance.get_records_for_run(run_id, of_type=_FAILURES, limit=10).records
    for record in records:
        event = record.event_log_entry.dagster_event
        error: Any = getattr(event.event_specific_data, "error", None) if event is not None else None
        kind = ""
        while error is not None:
            name, _, message = str(error.message).partition(": ")
            if name.startswith(_OURS):
                return message
            kind, error = error.cls_name, error.cause
        if kind:
            return f"unexpected {kind}"
    return "the run's process ended without a word"


def failed_checks(
    work: Workspace, instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]
) -> Iterator[Problem]:
    """Yield a problem for each check whose newest evaluation failed as an ERROR, one per home it names."""
    for found in evaluations.failed(instance, checks):
        if found.severity is not dg.AssetCheckSeverity.ERROR:
            continue
        table, name = found.check.asset_key.to_user_string(), found.check.name
        yield Problem(
            KINDS.get((name, found.home is not None), "check"),
            name,
            table,
            found.since,
            found.home,
            _masked(work, found.description),
            f"/assets/{table}?view=checks&checkDetail={name}",
        )


def _masked(work: Workspace, text: str) -> str:
    """Return the first line of a text, shortened, with feed users and likely secrets masked."""
    lines = text.strip().splitlines() or [""]
    users = {home.feed_user for home in work.registry.homes}
    return mask_log_text(lines[0][:DETAIL_CHARACTERS], users)
