"""Defines the feed's jobs: which flows, other assets and checks a run of each selects."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from domotic_assets.domains.homes.flows.all_flows import HEALTH, WINDOWS
from domotic_assets.flow.dims import DIMS
from domotic_assets.flow.flow import Flow, Job
from domotic_assets.orchestration import assets, checks, ops_assets, tags
from domotic_assets.quality.check import CHECKS

REPORTS = (ops_assets.FEED_STATUS, ops_assets.REJECTS_REPORT)


def feed_jobs(flows: Sequence[Flow]) -> list[Any]:
    """Define every job of the feed's code location: one for each job that flows name, and the feed's own."""
    named = {flow.job.name: flow.job for flow in flows}

    def keys(*jobs: Job) -> list[dg.AssetKey]:
        return [assets.key(table) for flow in flows if flow.job in jobs for table in flow.writes]

    def job(
        name: str,
        selected: Sequence[dg.AssetKey],
        about: str,
        lane_of_run: str = tags.DATA,
        *,
        checked: bool = False,
    ) -> Any:
        """Define a job over assets; `checked` adds the round of checks."""
        wanted = [check for check in assets.grain_checks(flows) if check.asset_key in selected]
        wanted += checks.checks.check_keys if checked else []
        selection = dg.AssetSelection.assets(*selected).without_checks() | dg.AssetSelection.checks(*wanted)
        # One process is enough: worker processes would cost ten times the work of a run.
        return dg.define_asset_job(
            name,
            selection,
            description=about,
            tags={tags.LANE: lane_of_run},
            executor_def=dg.in_process_executor,
            config=tags.QUIET,
        )

    windows = [*keys(WINDOWS), ops_assets.CARRIED]
    refreshed = [
        *keys(HEALTH, DIMS, CHECKS), ops_assets.LAKE_UPKEEP, ops_assets.PUBLISHED, *REPORTS,
    ]  # fmt: skip
    more = {WINDOWS.name: [ops_assets.CARRIED, ops_assets.PUBLISHED]}
    return [
        *(
            job(name, [*keys(one), *more.get(name, ())], one.about, checked=one is CHECKS)
            for name, one in named.items()
        ),
        job(tags.BUILD_JOB, windows, "The same for a build, which publishes once at its end."),
        job(
            tags.REFRESH_JOB,
            refreshed,
            "What need not be there within the minute: health, dimensions, compaction, checks, reports.",
            checked=True,
        ),
        job(
            tags.PUBLISH_CHANGES_JOB,
            [ops_assets.PUBLISHED],
            "What changed in Gold goes into the published file, if it passes the tests of Gold.",
            tags.BESIDE,
        ),
        job(tags.LISTING_JOB, [ops_assets.SHARE_LISTING], "The share compared with bronze.", tags.BESIDE),
        job(tags.UPKEEP_JOB, [ops_assets.RETENTION], "What nobody needs any more is removed.", tags.BESIDE),
    ]
