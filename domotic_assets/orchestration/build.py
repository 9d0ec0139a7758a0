"""Builds everything new, or given days again, from the sources to the published file, as Dagster runs.

Why: docs/decisions/0007-runs-in-one-process.md
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import dagster as dg

from domotic_assets.domains.homes.flows import arrivals, facts, health, landing, reading
from domotic_assets.domains.register import flows as register_flows
from domotic_assets.domains.weather import flows as weather_flows
from domotic_assets.flow.clock import refuse_a_clock_behind
from domotic_assets.flow.windows import cover, date_window, ranges, read_key
from domotic_assets.flow.worklist import LISTED_WHOLE, PUBLISHED_WHOLE, WINDOWS, PendingWork
from domotic_assets.flow.workspace import Workspace
from domotic_assets.flow.writer_lock import writer_lock
from domotic_assets.lake.store import consecutive
from domotic_assets.localtime import MINUTE
from domotic_assets.operate import forget_journal, people, publish, team_database
from domotic_assets.orchestration import definitions, tags
from domotic_assets.orchestration.check_results import in_words
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.schemas import weather
from domotic_assets.schemas.homes import bronze

_MINUTES_OF_DAY = range(1440)

WRITER_WAIT_SECONDS = 60
"""How long a build waits for the writer lock: a live minute ends within it; another build may not, and is
reported."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    windows: keys of the windows processed. issues: dates of issue of the forecasts read.
    health_days: local dates whose device health was refreshed. published: whether a new file was published.
    left: files left on the share, counted by reason. failed_checks: errors first.
    """

    windows: tuple[str, ...]
    issues: tuple[date, ...]
    health_days: tuple[date, ...]
    published: bool
    left: Counter[str]
    failed_checks: tuple["FailedCheck", ...]


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed: its table, its name, its severity, and what it found, in one line."""

    table: str
    name: str
    severity: str
    what: str


def build(work: Workspace, since: date | None = None, until: date | None = None) -> BuildReport:
    """Process everything new, or the UTC days from `since` to `until` again, up to the published file.

    Raises the DomoticError of the step that failed; the next build resumes what is unfinished. Raises
    ConfigurationError if this machine's clock lies before what the lake holds.
    """
    work.lake.require_writable()
    forget_journal.refuse_unfinished(work.lake.root)
    if work.publishes:
        # First of all: whatever stops a build, nobody keeps what they may no longer see.
        people.withdraw(work)
    refuse_a_clock_behind(work)
    with _running(work) as runner:
        began = work.now()
        arrivals.forget_keys_outside_calendar(work, work.worklist.read())
        # Read first, since this build closes days itself.
        is_untested = publish.is_day_untested(work)
        found = landing.discover_sensor_files(work)
        # Its rows have no dates: they are read again with any.
        register_behind = since is not None or register_flows.register_is_behind(work)
        plan = _plan(work, found, since, until)
        work.worklist.change(lambda held: _begin(held, plan, began))
        left = found.left
        with work.listing_cache.kept(found.rows):
            # Only the cache holds the rows now, and drops them as they land: a long history has millions.
            del found
            runner.run_windows(plan.windows)
        runner.run_days(tags.FORECASTS_JOB, plan.issues)
        work.worklist.change(lambda held: held.done_dates(tags.FORECASTS_JOB, plan.issues))
        if register_behind:
            runner.run(tags.REGISTER_JOB)
        health_days = health.health_days_to_refresh(work, work.worklist.read().dates(tags.HEALTH_JOB))
        runner.run_days(tags.HEALTH_JOB, health_days)
        runner.run(tags.DIMS_JOB)
        published = not publish.is_published(work)
        try:
            # Checks run before publishing, since the published file lists those that failed.
            failed = runner.check() if published or plan.windows or plan.issues else ()
        except Exception:
            # A check that crashes must not hold back the rows.
            _publish(work, runner, is_new=published, is_untested=is_untested)
            raise
        _publish(work, runner, is_new=published, is_untested=is_untested)
    return BuildReport(plan.windows, plan.issues, tuple(health_days), published, left, failed)


def _publish(work: Workspace, runner: "_Runner", *, is_new: bool, is_untested: bool) -> None:
    """Publish the present Gold and the failed checks to the published files and the database.

    is_new: the published file is not current. is_untested: dbt has not tested it since a day was closed.
    """
    if is_new:
        takes_changes = not is_untested and publish.takes_changes(work)
        runner.run(tags.PUBLISH_CHANGES_JOB if takes_changes else tags.PUBLISH_JOB)
        work.worklist.change(lambda held: held.marks.update({PUBLISHED_WHOLE: work.now()}))
    if people.are_behind(work):
        runner.run(tags.SCOPES_JOB)
    if team_database.database_is_behind(work):
        runner.run(tags.DATABASE_JOB)


def publish_from_nothing(work: Workspace) -> None:
    """Refresh the dimensions from Silver and sites.yaml, then build the published file from nothing.

    Then each person's file is built that is missing, older than the published file or built for other rights.
    """
    with _running(work) as runner:
        for job in (tags.DIMS_JOB, tags.PUBLISH_JOB, tags.SCOPES_JOB):
            runner.run(job)


@dataclass(frozen=True)
class _Plan:
    windows: tuple[str, ...]
    issues: tuple[date, ...]


def _plan(work: Workspace, found: landing.Discovery, since: date | None, until: date | None) -> _Plan:
    """Choose the windows and dates of issue to process: new and unfinished work, or the days asked for."""
    now = work.now()
    unfinished = work.worklist.read()
    issues = {*weather_flows.discover_forecasts(work), *unfinished.dates(tags.FORECASTS_JOB)}
    minutes = {*found.minutes, *reading.unflattened_minutes(work)}
    windows = set(cover(minutes, now)) | {read_key(key) for key in unfinished.windows}
    windows |= set(facts.days_without_gold(work))
    if since is not None or until is not None:
        first, last = since or work.registry.history_start, until or now.date()
        held = {*work.lake.dates(bronze.SENSOR_FILES), *(minute.date() for minute in minutes)}
        again = [date_window(day).start for day in held if first <= day <= last]
        windows = set(cover((start + MINUTE * n for start in again for n in _MINUTES_OF_DAY), now))
        issues |= set(work.lake.dates(weather.WEATHER_FILES))
        issues = {day for day in issues if first <= day <= last}
    ordered = sorted(windows, key=lambda window: (window.start - window.end, window.start))
    return _Plan(tuple(window.key for window in ordered), tuple(sorted(issues)))


def _begin(held: PendingWork, plan: _Plan, now: datetime) -> None:
    """Put the plan of a build that listed the whole share on the work list."""
    held.begin(WINDOWS, plan.windows, now)
    held.begin(tags.FORECASTS_JOB, (day.isoformat() for day in plan.issues), now)
    held.looked_until = held.marks[LISTED_WHOLE] = now


@contextmanager
def _running(work: Workspace) -> Iterator["_Runner"]:
    """Yield a runner of jobs that holds the writer lock; raise LakeError if another process keeps it."""
    home = work.settings.dagster_home
    # What tools print (dbt prints a line per test) goes to a log instead of the screen.
    with (
        writer_lock(home, WRITER_WAIT_SECONDS),
        open_instance(work) as instance,
        (home / "build.log").open("a") as log,
        redirect_stdout(log),
    ):
        yield _Runner(work, instance)


class _Runner:
    """Runs jobs in this process; a step that fails raises its own error."""

    def __init__(self, work: Workspace, instance: dg.DagsterInstance) -> None:
        self._work = work
        self._instance = instance
        # Everything that does not need dbt.
        self._feed = definitions.without_models(work)

    @cached_property
    def _models(self) -> dg.Definitions:
        """Definitions that need dbt, loaded on first use: loading dbt takes as long as all the rest."""
        from domotic_assets.orchestration.marts import models_definitions

        return models_definitions(self._work, definitions.workspace_resource(self._work))

    def run(self, job: str, first: str | None = None, last: str | None = None) -> dg.ExecuteInProcessResult:
        """Run a job once, over the partition keys from `first` to `last` if given."""
        defs = self._models if job == tags.PUBLISH_JOB else self._feed
        run_tags = {} if first is None else tags.of_keys(first, last or first)
        return defs.resolve_job_def(job).execute_in_process(
            instance=self._instance, tags=run_tags, run_config=tags.QUIET
        )

    def check(self) -> tuple[FailedCheck, ...]:
        """Run a round of checks and return those that failed, errors first."""
        found = self.run(tags.CHECKS_JOB).get_asset_check_evaluations()
        failed = [
            FailedCheck(
                check.asset_key.to_user_string(),
                check.check_name,
                check.severity.value,
                in_words(check),
            )
            for check in found
            if not check.passed
        ]
        return tuple(sorted(failed, key=lambda check: (check.severity, check.table, check.name)))

    def run_windows(self, keys: Sequence[str]) -> None:
        """Run the build job over these windows, one run for each range of keys registered together."""
        if not keys:
            return
        self._instance.add_dynamic_partitions(tags.WINDOW, list(keys))
        for first, last in ranges(keys, self._instance.get_dynamic_partitions(tags.WINDOW)):
            self.run(tags.BUILD_JOB, first, last)

    def run_days(self, job: str, days: Sequence[date]) -> None:
        """Run a daily job over these dates, one run for each stretch of consecutive dates."""
        for first, last in consecutive(days):
            self.run(job, first.isoformat(), last.isoformat())
