"""The asset of people's files, its job, and the sensor that asks for it; what it does is `scope_steps`."""

from typing import Any

import dagster as dg

from domotic_assets.errors import ConfigurationError
from domotic_assets.orchestration import scope_steps, tags
from domotic_assets.orchestration.assets import OWNERS, Work
from domotic_assets.orchestration.ops_assets import PUBLISHED
from domotic_assets.orchestration.sensors import runs_under_way, standing_sensor
from domotic_assets.orchestration.workspace import Workspace

SCOPES = dg.AssetKey(["serve", "scopes"])
LOOK_EVERY_SECONDS = 300


@dg.asset(
    key=SCOPES,
    deps=[PUBLISHED],
    group_name="serve",
    kinds={"duckdb"},
    owners=OWNERS,
    description="A DuckDB file for each person who is no admin, with what they may see of the admin's "
    "(docs/access.md).",
)
def published_scopes(work: Work) -> dg.MaterializeResult[Any]:
    """Files that are behind are built from nothing; those of nobody are removed."""
    done = scope_steps.publish_scopes(work)
    return dg.MaterializeResult(
        metadata={
            "files built": len(done.built),
            "bytes built": sum(file.stat().st_size for file in done.built),
            "files that still hold": done.current,
            "people whose files were removed": done.removed,
        }
    )


def scopes_job() -> Any:
    """The job that builds people's files."""
    return publishing_job(tags.SCOPES_JOB, SCOPES, "The files of people who are no admins.")


def publishing_job(name: str, asset: dg.AssetKey, description: str) -> Any:
    """A job of one asset that publishes, beside the runs that write the lake."""
    return dg.define_asset_job(
        name,
        dg.AssetSelection.assets(asset),
        description=description,
        tags={tags.LANE: tags.BESIDE},
        executor_def=dg.in_process_executor,
        config=tags.QUIET,
    )


def scopes_sensor(work: Workspace, job: Any) -> dg.SensorDefinition:
    """Asks for people's files when the admin's file or their rights have changed."""
    return standing_sensor(
        "scopes",
        LOOK_EVERY_SECONDS,
        [job],
        "Builds people's files when the admin's file, or what sites.yaml says of people, has changed.",
        lambda context, _: scopes_tick(work, context.instance),
    )


def scopes_tick(work: Workspace, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Ask for a run where a file is behind; a sites.yaml that is being written is looked at again."""
    try:
        behind = scope_steps.are_behind(work)
    except ConfigurationError as error:
        return dg.SensorResult(skip_reason=str(error))
    if not behind:
        return dg.SensorResult(skip_reason="people's files are those of the admin's file and of sites.yaml")
    if runs_under_way(instance, tags.SCOPES_JOB):
        return dg.SensorResult(skip_reason="people's files are being built")
    return dg.SensorResult(run_requests=[dg.RunRequest(job_name=tags.SCOPES_JOB, run_config=tags.QUIET)])
