"""Defines assets about the feed: finished windows, share listings, upkeep, reports and the published file.

Their steps are plain functions in other modules; here they get their place in the graph and their metadata.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from domotic_assets.domains.homes.flows import arrivals
from domotic_assets.operate import publish, rejects, status, upkeep
from domotic_assets.orchestration import retention as orchestration_retention
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.assets import (
    OWNERS,
    SINGLE_RUN,
    WINDOW,
    WorkspaceResource,
    all_of,
    key,
    publication,
    windows_of,
)
from domotic_assets.orchestration.check_results import markdown_value
from domotic_assets.orchestration.checks import failing_checks
from domotic_assets.schemas import gold, refusals
from domotic_assets.schemas.homes import bronze, silver

PUBLISHED = dg.AssetKey(["serve", "domotic_admin"])
CARRIED, SHARE_LISTING, LAKE_UPKEEP, RETENTION, FEED_STATUS, REJECTS_REPORT = (
    dg.AssetKey(["ops", name])
    for name in (
        "carried_windows",
        "share_listing",
        "lake_upkeep",
        "retention",
        "feed_status",
        "rejects_report",
    )
)
REPORTED = timedelta(days=7)


@dg.asset(
    key=PUBLISHED,
    deps=[all_of(table) if table.partition else key(table) for table in gold.TABLES],
    group_name="serve",
    kinds={"duckdb"},
    owners=OWNERS,
    description="The DuckDB file that people and BI tools open, brought up to the present Gold.",
)
def published_file(context: dg.AssetExecutionContext, work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Apply what changed in Gold to a copy of the published file, and swap the copy in."""
    # Only a build's changes are tested: a live minute may name a device that the dimension still lacks.
    tested = context.job_name == tags.PUBLISH_CHANGES_JOB
    done = publish.publish_present(work, "live", failing_checks(context.instance), tested=tested)
    if done is None:
        return dg.MaterializeResult(metadata={"published": "nothing yet: the models build the file first"})
    return dg.MaterializeResult(metadata=publication(work, done))


@dg.multi_asset(
    name="carried_windows",
    specs=[
        dg.AssetSpec(
            CARRIED,
            deps=[PUBLISHED, *(key(table) for table in gold.MINUTE_FACTS)],
            group_name="ops",
            kinds={"python"},
            owners=OWNERS,
            partitions_def=WINDOW,
            description="Windows carried from the share to the published file; finished days are sealed.",
        )
    ],
    backfill_policy=SINGLE_RUN,
)
def carried_windows(context: dg.AssetExecutionContext, work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Remove finished windows from the work list; compact finished days and drop keys that they cover."""
    finished = upkeep.finish_windows(work, windows_of(context), work.now())
    for covered in finished.covered_keys(context.instance.get_dynamic_partitions(tags.WINDOW)):
        context.instance.delete_dynamic_partition(tags.WINDOW, covered)
    return dg.MaterializeResult(asset_key=CARRIED, metadata=finished.metadata())


@dg.asset(
    key=SHARE_LISTING,
    group_name="ops",
    kinds={"python"},
    owners=OWNERS,
    description="The share compared with bronze: late, resent and unexpected files become work.",
)
def share_listing(context: dg.AssetExecutionContext, work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """List the share and put what bronze lacks on the work list."""
    whole = context.run.tags.get(tags.LISTING) != tags.BY_NAME
    registered = context.instance.get_dynamic_partitions(tags.WINDOW)
    found = arrivals.list_share(work, registered, whole=whole, now=work.now())
    return dg.MaterializeResult(
        metadata={
            "names listed": found.listed,
            "new files": found.files,
            "whole share": whole,
            **{f"left: {what}": number for what, number in found.left.items()},
        }
    )


@dg.asset(
    key=LAKE_UPKEEP,
    group_name="ops",
    kinds={"deltalake"},
    owners=OWNERS,
    description="Open days compacted, old files removed, logs kept short. Rows stay as they are.",
)
def lake_upkeep(work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Compact the small files that live minutes left, and shorten the tables' logs."""
    return dg.MaterializeResult(metadata=upkeep.keep_lake_up(work, work.now()))


@dg.asset(
    key=RETENTION,
    group_name="ops",
    kinds={"python"},
    owners=OWNERS,
    description="Records of runs that nobody looks at any more are deleted.",
)
def retention(context: dg.AssetExecutionContext, work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Delete Dagster's records of runs whose windows were sealed as a day, or that a later run repeated."""
    home, now = work.settings.dagster_home, work.now()
    runs = orchestration_retention.prune_runs(context.instance, home, now, keep=context.run_id)
    return dg.MaterializeResult(metadata={"runs removed": runs})


@dg.asset(
    key=FEED_STATUS,
    deps=[all_of(bronze.SENSOR_FILES), all_of(silver.SENSOR_FILES), all_of(refusals.REJECTS)],
    group_name="ops",
    kinds={"python"},
    owners=OWNERS,
    description="Of each home: last file, lag, minutes missing today, refused values by reason.",
)
def feed_status(work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Report the state of each home's feed."""
    found = status.feed_status(work, work.now())
    return dg.MaterializeResult(metadata={"homes": markdown_value(found.as_markdown())})


@dg.asset(
    key=REJECTS_REPORT,
    deps=[all_of(silver.SENSOR_FILES), all_of(refusals.REJECTS)],
    group_name="ops",
    kinds={"python"},
    owners=OWNERS,
    description="What was refused in the last seven days, by home and reason; `domotic rejects` shows more.",
)
def rejects_report(work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Report refused values and quarantined files of the last seven days, with what their reasons mean."""
    since = (work.now() - REPORTED).date()
    report = rejects.reject_report(work, since)
    return dg.MaterializeResult(metadata={"rejects": markdown_value(report)})


ASSETS = [
    published_file,
    carried_windows,
    share_listing,
    lake_upkeep,
    retention,
    feed_status,
    rejects_report,
]
