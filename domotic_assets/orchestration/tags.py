"""Defines the names that jobs, sensors, assets and dagster.yaml share, and makes run requests.

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
"""Name of the partitions by window of the feed's time."""

LANE, DATA, BESIDE = "domotic/lane", "data", "beside"
"""Tag of the writer queue: `data` for runs that write the lake's rows, one at a time; `beside` for runs
that list, publish or clean up."""

KIND = "domotic/kind"
"""Tag with the kind of windows that a run processes: live, late or history."""

LISTING, BY_NAME = "domotic/listing", "by name"
"""Tag with how a run lists the share: `by name` lists only the names expected in its windows, or in the
last days; without it all names are listed."""

PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PRIORITY = "dagster/priority"


def of_keys(first: str, last: str) -> dict[str, str]:
    """Return the tags of a run over the partition keys from `first` to `last`.

    A single key is not tagged as a range: for a range, Dagster looks up both ends for every event.
    """
    return {PARTITION: first} if first == last else {RANGE_START: first, RANGE_END: last}


def keys_of(run_tags: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first and last partition key of a run; None if it has no partitions."""
    if PARTITION in run_tags:
        return run_tags[PARTITION], run_tags[PARTITION]
    if RANGE_START in run_tags and RANGE_END in run_tags:
        return run_tags[RANGE_START], run_tags[RANGE_END]
    return None


QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""Run config: the console shows errors only; the run's events keep everything."""


def ask_for(job: str, run_tags: Mapping[str, str] | None = None) -> dg.RunRequest:
    """Make a request for a run of a job, with a quiet console."""
    return dg.RunRequest(job_name=job, run_config=QUIET, tags=run_tags)
