"""Everything Dagster is told, assembled in one place; tests pass a workspace of their own."""

from typing import Any

import dagster as dg

from domotic_assets.orchestration import assets, marts
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.schemas import bronze, gold, silver
from domotic_assets.schemas.register import SILVER_REGISTER

WINDOWS_JOB, FORECASTS_JOB, REGISTER_JOB = "windows", "forecasts", "register"
HEALTH_JOB, DIMS_JOB, PUBLISH_JOB = "device_health", "dims", "publish"

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def build_definitions(work: Workspace) -> dg.Definitions:
    """Assets, jobs and resources of one installation.

    dbt tests Gold in the file that is about to be published, so the checks belong to that job alone.
    """
    daily = assets.daily_assets(work.registry.history_start, work.registry.calendar_time_zone)
    served = marts.serve_assets()
    weather = (bronze.WEATHER_FILES, silver.WEATHER_FORECASTS, gold.FACT_WEATHER_HOUR, gold.FACT_WEATHER_DAY)
    return dg.Definitions(
        assets=[
            assets.bronze_sensor_files,
            assets.silver_sensor_tables,
            *assets.MINUTE_FACTS,
            *daily,
            assets.bronze_register_rows,
            assets.silver_register_tables,
            assets.gold_dims,
            *served,
        ],
        jobs=[
            _job(
                WINDOWS_JOB,
                dg.AssetSelection.assets(
                    assets.bronze_sensor_files, assets.silver_sensor_tables, *assets.MINUTE_FACTS
                ).without_checks(),
                "Sensor files to the minute facts, window by window.",
            ),
            _job(
                FORECASTS_JOB,
                dg.AssetSelection.assets(*(assets.key(table) for table in weather)).without_checks(),
                "Forecast files to the weather facts, by date of issue.",
            ),
            _job(
                REGISTER_JOB,
                dg.AssetSelection.assets(
                    *(assets.key(t) for t in (bronze.REGISTER_ROWS, *SILVER_REGISTER.values()))
                ),
                "The building register to Silver.",
            ),
            _job(
                HEALTH_JOB,
                dg.AssetSelection.assets(assets.key(gold.FACT_DEVICE_HEALTH_DAY)).without_checks(),
                "Device health, by local date.",
            ),
            _job(DIMS_JOB, dg.AssetSelection.assets(assets.gold_dims).without_checks(), "The dimensions."),
            _job(
                PUBLISH_JOB,
                dg.AssetSelection.assets(*served)
                | dg.AssetSelection.checks_for_assets(*(assets.key(table) for table in gold.TABLES)),
                "The published file with its marts, and the tests of Gold.",
            ),
        ],
        executor=dg.in_process_executor,
        resources={assets.WORK: work, "dbt": marts.dbt_resource(marts.project())},
    )


def _job(name: str, selection: dg.AssetSelection, description: str) -> Any:
    # Worker processes would cost ten times the work of a run and are not needed: one process does it.
    return dg.define_asset_job(
        name, selection, description=description, executor_def=dg.in_process_executor, config=QUIET
    )
