"""The feed's jobs: which assets and checks a run of each selects."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from domotic_assets.orchestration import assets, checks, ops_assets, tags
from domotic_assets.schemas import gold as schemas_gold
from domotic_assets.schemas import register as schemas_register
from domotic_assets.schemas import weather as schemas_weather
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.homes import gold as homes_gold


def feed_jobs() -> list[Any]:
    """Every job of the feed's code location."""
    dims = [assets.key(table) for table in schemas_gold.DIMS]
    facts = [assets.key(table) for table in schemas_gold.MINUTE_FACTS]
    published = ops_assets.PUBLISHED
    weather = (
        schemas_weather.WEATHER_FILES,
        schemas_weather.WEATHER_FORECASTS,
        schemas_weather.FACT_WEATHER_HOUR,
        schemas_weather.FACT_WEATHER_DAY,
    )
    health = assets.key(homes_gold.FACT_DEVICE_HEALTH_DAY)
    sensor_tables = [assets.key(table) for table in (bronze.SENSOR_FILES, *assets.SENSOR_SILVER)]
    judged = assets.key(silver.READING_DAYS)
    reports = (ops_assets.FEED_STATUS, ops_assets.REJECTS_REPORT)
    windows = [*sensor_tables, *facts, ops_assets.CARRIED]
    register = [assets.key(schemas_register.REGISTER_ROWS), *assets.silver_register_tables.keys]
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
