"""Everything Dagster is told, assembled in one place; tests pass a workspace of their own.

Two code locations: the feed, whose runs start every minute, and the models, whose runs load dbt.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from domotic_assets.orchestration import assets, checks, ops_assets, sensors, tags
from domotic_assets.orchestration.alerting import alerts_sensor
from domotic_assets.orchestration.lane import lane
from domotic_assets.orchestration.lost_runs import lost_runs_sensor
from domotic_assets.orchestration.publications import publication_definitions
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.schemas import bronze, gold, silver

LANE_WAIT_SECONDS = 900


def feed_definitions(work: Workspace, workspace: dg.ResourceDefinition) -> dg.Definitions:
    """Sources to Gold and the published minute: assets, jobs, sensors and schedules."""
    daily = assets.daily_assets(work.registry.history_start, work.registry.calendar_time_zone)
    jobs = {job.name: job for job in _feed_jobs()}
    return dg.Definitions(
        assets=[
            assets.bronze_sensor_files,
            assets.silver_sensor_tables,
            assets.gold_minute_facts,
            *daily,
            assets.bronze_register_rows,
            assets.silver_register_tables,
            assets.gold_dims,
            *ops_assets.ASSETS,
            checks.reading_days,
        ],
        asset_checks=[*sensors.reachable_checks(work), checks.checks],
        jobs=list(jobs.values()),
        sensors=[
            *sensors.build_sensors(work, jobs),
            checks.freshness_sensor(work),
            alerts_sensor(work),
            lost_runs_sensor(),
        ],
        schedules=sensors.build_schedules(work, jobs),
        executor=dg.in_process_executor,
        resources={assets.WORK: workspace},
    )


def _feed_jobs() -> list[Any]:
    dims = [assets.key(table) for table in gold.DIMS]
    facts = [assets.key(table) for table in gold.MINUTE_FACTS]
    published = ops_assets.PUBLISHED
    weather = (bronze.WEATHER_FILES, silver.WEATHER_FORECASTS, gold.FACT_WEATHER_HOUR, gold.FACT_WEATHER_DAY)
    health = assets.key(gold.FACT_DEVICE_HEALTH_DAY)
    sensor_tables = [assets.key(table) for table in (bronze.SENSOR_FILES, *assets.SENSOR_SILVER)]
    judged = assets.key(silver.READING_DAYS)
    reports = (ops_assets.FEED_STATUS, ops_assets.REJECTS_REPORT)
    windows = [*sensor_tables, *facts, ops_assets.CARRIED]
    register = [assets.key(bronze.REGISTER_ROWS), *assets.silver_register_tables.keys]
    return [
        _job(
            tags.WINDOWS_JOB,
            [*windows, published],
            "Sensor files to the minute facts and the published file, window by window.",
        ),
        _job(tags.BUILD_JOB, windows, "The same for a build, which publishes once at its end."),
        _job(
            tags.FORECASTS_JOB,
            [assets.key(table) for table in weather],
            "Forecast files to the weather facts, by date of issue.",
        ),
        _job(tags.REGISTER_JOB, register, "The building register to Silver."),
        _job(tags.HEALTH_JOB, [health], "Device health, by local date."),
        _job(tags.DIMS_JOB, dims, "The dimensions, when a device is new."),
        _job(
            tags.REFRESH_JOB,
            [health, *dims, ops_assets.LAKE_UPKEEP, published, *reports, judged],
            "What need not be there within the minute: health, dimensions, compaction, checks, reports.",
            checked=True,
        ),
        _job(tags.CHECKS_JOB, [judged], "A round of checks over the last day of the feed.", checked=True),
        _job(
            tags.PUBLISH_CHANGES_JOB,
            [published],
            "What changed in Gold goes into the published file, if it passes the tests of Gold.",
            tags.BESIDE,
        ),
        _job(tags.LISTING_JOB, [ops_assets.SHARE_LISTING], "The share compared with bronze.", tags.BESIDE),
        _job(tags.UPKEEP_JOB, [ops_assets.RETENTION], "What nobody needs any more is removed.", tags.BESIDE),
    ]


def build_definitions(work: Workspace) -> dg.Definitions:
    """Both code locations as one."""
    from domotic_assets.orchestration.marts import models_definitions

    workspace = workspace_resource(work)
    return dg.Definitions.merge(feed_definitions(work, workspace), models_definitions(work, workspace))


def without_models(work: Workspace) -> dg.Definitions:
    """The same without the models, for a build: it loads them where dbt has to work."""
    workspace = workspace_resource(work)
    return dg.Definitions.merge(feed_definitions(work, workspace), publication_definitions(work, workspace))


def workspace_resource(work: Workspace) -> dg.ResourceDefinition:
    """The workspace of a run. One that writes the lake's rows holds the lane as long as it lasts."""

    @dg.resource
    def workspace(context: dg.InitResourceContext) -> Iterator[Workspace]:
        run = context.run
        if run is not None and run.tags.get(tags.LANE) == tags.BESIDE:
            yield work
            return
        with lane(work.settings.dagster_home, LANE_WAIT_SECONDS):
            yield work

    return workspace


def _job(
    name: str,
    keys: Sequence[dg.AssetKey],
    description: str,
    lane_of_run: str = tags.DATA,
    *,
    checked: bool = False,
) -> Any:
    """A job over assets, and the round of checks where it is `checked`."""
    wanted = [check for check in assets.GRAIN_CHECKS if check.asset_key in keys]
    wanted += checks.checks.check_keys if checked else []
    selection = dg.AssetSelection.assets(*keys).without_checks() | dg.AssetSelection.checks(*wanted)
    # Worker processes would cost ten times the work of a run and are not needed: one process does it.
    return dg.define_asset_job(
        name,
        selection,
        description=description,
        tags={tags.LANE: lane_of_run},
        executor_def=dg.in_process_executor,
        config=tags.QUIET,
    )
