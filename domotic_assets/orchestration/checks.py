"""Defines Dagster's checks: the operation that runs a round of checks, and the sensor for silent homes."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg

from domotic_assets.domains.all_domains import CHECKS
from domotic_assets.domains.homes.checks import rounds
from domotic_assets.flow.worklist import PendingWork as WorkOnList
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.assets import WorkspaceResource, key
from domotic_assets.orchestration.check_results import as_evaluation, check_result, in_words
from domotic_assets.orchestration.internals import evaluations
from domotic_assets.orchestration.sensors import running_sensor
from domotic_assets.quality.check import Check
from domotic_assets.schemas.homes import silver
from domotic_assets.serve.failing_checks import FailingCheck

FRESHNESS = "freshness"
SILENT = "silent: "
"""Prefix of the work list's marks of homes that are reported silent."""


def check_key(check: Check) -> dg.AssetCheckKey:
    """Return the key under which Dagster knows a check."""
    return dg.AssetCheckKey(key(check.table), check.name)


@dg.multi_asset_check(
    name="round_of_checks",
    specs=[
        dg.AssetCheckSpec(
            check.name,
            asset=key(check.table),
            description=f"{check.rule} ({check.severities})",
            additional_deps=[key(silver.READING_DAYS)],
        )
        for check in CHECKS
    ],
    can_subset=True,
)
def checks(context: dg.AssetCheckExecutionContext, work: WorkspaceResource) -> Iterator[dg.AssetCheckResult]:
    """Run a round of the selected checks over the last day of the feed; yield one result per check."""
    judged = rounds.present_round(work)
    for check in CHECKS:
        if check_key(check) in context.selected_asset_check_keys:
            yield check_result(key(check.table), check.name, check.judge(judged), work.lake.uri(check.table))


def failing_checks(instance: dg.DagsterInstance) -> list[FailingCheck]:
    """List the checks whose newest evaluation failed, one entry per home named, for published files."""
    return [
        FailingCheck(
            found.check.asset_key.to_user_string(),
            found.check.name,
            found.severity.value,
            found.home,
            found.breaches,
            found.since,
        )
        for found in evaluations.failed(instance, [check_key(check) for check in CHECKS])
    ]


def freshness_sensor(work: Workspace) -> dg.SensorDefinition:
    """Define the sensor that evaluates `freshness` every minute; a round of checks runs only hourly."""

    def tick(_context: dg.SensorEvaluationContext) -> dg.SensorResult:
        news = silent_homes_changed(work, work.now())
        if news is None:
            return dg.SensorResult(skip_reason="no home fell silent or came back")
        return dg.SensorResult(skip_reason=in_words(news), asset_events=[news])

    return running_sensor(FRESHNESS, 60, [], "Finds homes that fall silent, and those that come back.", tick)


def silent_homes_changed(work: Workspace, now: datetime) -> dg.AssetCheckEvaluation | None:
    """Evaluate the check `freshness`; return None if the same homes are silent as last time.

    Returns None as well while the feed catches up: a home whose windows are pending is not silent. The silent
    homes are kept as marks on the work list.
    """
    held = work.worklist.read()
    patience = timedelta(minutes=work.registry.settings.silent_after_minutes)
    looked_until = held.looked(now)
    caught_up = looked_until is not None and now - looked_until < patience
    if not caught_up or len(held.windows) > patience / timedelta(minutes=1):
        return None
    verdict = rounds.present_homes(work, now)
    silent = {SILENT + str(breach.home) for breach in verdict.breaches}
    known = {mark for mark in held.marks if mark.startswith(SILENT)}
    if silent == known:
        return None

    def change(listed: WorkOnList) -> None:
        for mark in known - silent:
            listed.unmark(mark)
        listed.marks.update(dict.fromkeys(silent - known, now))

    work.worklist.change(change)
    asset = key(silver.SENSOR_FILES)
    found = check_result(asset, FRESHNESS, verdict, work.lake.uri(silver.SENSOR_FILES))
    return as_evaluation(found, asset, FRESHNESS)
