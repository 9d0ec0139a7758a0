"""Names that jobs, sensors, assets and dagster.yaml share, and how a run is asked for.

Nothing personal goes into a run tag.
"""

from collections.abc import Mapping

import dagster as dg

WINDOWS_JOB, BUILD_JOB = "windows", "windows_of_build"
FORECASTS_JOB, REGISTER_JOB = "forecasts", "register"
HEALTH_JOB, DIMS_JOB, REFRESH_JOB, CHECKS_JOB = "device_health", "dims", "refresh", "checks"
LISTING_JOB, UPKEEP_JOB, SCOPES_JOB = "listing", "upkeep", "people"
PUBLISH_JOB, PUBLISH_CHANGES_JOB = "publish", "publish_changes"
DATABASE_JOB = "team_database"

WINDOW = "window"
"""The partitions of the feed's time."""

LANE, DATA, BESIDE = "domotic/lane", "data", "beside"
"""Runs that write the lake's rows take turns; runs beside them list, publish and clean up."""

KIND = "domotic/kind"
"""Which kind of windows a run carries: live, late or history."""

LISTING, BY_NAME = "domotic/listing", "by name"
"""By name: the names of the run's windows are looked for; else the share is listed whole."""

PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PRIORITY = "dagster/priority"


def of_keys(first: str, last: str) -> dict[str, str]:
    """The tags of a run over the partition keys first … last.

    One key is no range: of a range Dagster asks its records about both ends for every event.
    """
    return {PARTITION: first} if first == last else {RANGE_START: first, RANGE_END: last}


def keys_of(run_tags: Mapping[str, str]) -> tuple[str, str] | None:
    """First and last partition key of a run; None of one without."""
    if PARTITION in run_tags:
        return run_tags[PARTITION], run_tags[PARTITION]
    if RANGE_START in run_tags and RANGE_END in run_tags:
        return run_tags[RANGE_START], run_tags[RANGE_END]
    return None


QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""Run config: the console gets errors only, the run's events all."""


def ask_for(job: str, run_tags: Mapping[str, str] | None = None) -> dg.RunRequest:
    """Ask for a run of a job, its console quiet."""
    return dg.RunRequest(job_name=job, run_config=QUIET, tags=run_tags)
