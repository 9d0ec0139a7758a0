"""Defines the assets, jobs and sensors of people's files and of the database, made from the published file.

The database is left out if sites.yaml names none.
"""

import time
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from domotic_assets.errors import ConfigurationError, PublishError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import people, team_database
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.assets import OWNERS, WORK, WorkspaceResource
from domotic_assets.orchestration.ops_assets import PUBLISHED
from domotic_assets.orchestration.sensors import running_sensor, runs_under_way


def publication_definitions(work: Workspace, workspace: dg.ResourceDefinition) -> dg.Definitions:
    """Assemble assets, jobs and sensors of people's files and of the database; none of them needs dbt."""
    people = scopes_job()
    shared = database_job() if work.registry.postgresql else None
    return dg.Definitions(
        assets=[published_scopes, *([published_database] if shared else [])],
        jobs=[people, *([shared] if shared else [])],
        sensors=[scopes_sensor(work, people), *([database_sensor(work, shared)] if shared else [])],
        executor=dg.in_process_executor,
        resources={WORK: workspace},
    )


DATABASE = dg.AssetKey(["serve", "postgres"])


@dg.asset(
    key=DATABASE,
    deps=[PUBLISHED],
    group_name="serve",
    kinds={"postgres"},
    owners=OWNERS,
    description="Gold and the marts in PostgreSQL, a role and a database for each person "
    "(docs/postgresql.md).",
)
def published_database(work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Copy what changed since the last publication to PostgreSQL, each database in one transaction."""
    began = time.monotonic()
    done = team_database.publish_database(work)
    if done is None:
        return dg.MaterializeResult(metadata={"rows copied": 0})
    return dg.MaterializeResult(
        metadata={
            "databases": len(done.filled),
            "databases made anew": sum(filled.rebuilt for filled in done.filled.values()),
            "databases dropped": done.dropped,
            "sessions ended": done.ended,
            "rows copied": sum(counts.copied for counts in done.counts),
            "rows deleted": sum(counts.deleted for counts in done.counts),
            "seconds": time.monotonic() - began,
        }
    )


def database_job() -> Any:
    """Define the job that publishes to the database."""
    return publishing_job(tags.DATABASE_JOB, DATABASE, "Gold and marts in PostgreSQL.")


def database_sensor(work: Workspace, job: Any) -> dg.SensorDefinition:
    """Define the sensor that requests a publication when the admin's file or people's rights have changed."""
    return running_sensor(
        "database",
        RIGHTS_EVERY_SECONDS,
        [job],
        "Publishes into PostgreSQL when what sites.yaml says of people, or the admin's file, has changed.",
        lambda context: database_tick(work, context.instance, context.cursor),
    )


def database_tick(
    work: Workspace, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    """Request a run if the databases are not those of the admin's file and of people's present rights.

    The rights are compared each time, the file every LOOK_EVERY_SECONDS. cursor: when the file was compared
    last. A server that does not answer is asked again at the next tick.
    """
    if runs_under_way(instance, tags.DATABASE_JOB):
        return dg.SensorResult(skip_reason="the database is being published to", cursor=cursor)
    now = work.now()
    since = None if cursor is None else now - datetime.fromisoformat(cursor)
    whole = since is None or since >= timedelta(seconds=LOOK_EVERY_SECONDS)
    try:
        behind = team_database.database_is_behind(work, rights_only=not whole)
    except (ConfigurationError, PublishError) as error:
        return dg.SensorResult(skip_reason=str(error), cursor=cursor)
    looked = now.isoformat() if whole else cursor
    if not behind:
        said = "the database is that of the admin's file and of sites.yaml"
        return dg.SensorResult(skip_reason=said, cursor=looked)
    return dg.SensorResult(run_requests=[tags.ask_for(tags.DATABASE_JOB)], cursor=looked)


SCOPES = dg.AssetKey(["serve", "scopes"])

LOOK_EVERY_SECONDS = 300
RIGHTS_EVERY_SECONDS = 30
"""How often rights in PostgreSQL are compared: one that was withdrawn ends within a minute."""


@dg.asset(
    key=SCOPES,
    deps=[PUBLISHED],
    group_name="serve",
    kinds={"duckdb"},
    owners=OWNERS,
    description="A DuckDB file for each person who is no admin, with what they may see of the admin's "
    "(docs/access.md).",
)
def published_scopes(work: WorkspaceResource) -> dg.MaterializeResult[Any]:
    """Build people's files that are behind from nothing; remove files that no longer belong to anybody."""
    done = people.publish_scopes(work)
    return dg.MaterializeResult(
        metadata={
            "files built": len(done.built),
            "bytes built": sum(file.stat().st_size for file in done.built),
            "files that still hold": done.current,
            "people whose files were removed": done.removed,
        }
    )


def scopes_job() -> Any:
    """Define the job that builds people's files."""
    return publishing_job(tags.SCOPES_JOB, SCOPES, "The files of people who are no admins.")


def publishing_job(name: str, asset: dg.AssetKey, description: str) -> Any:
    """Define a job that publishes one asset and runs beside the runs that write the lake."""
    return dg.define_asset_job(
        name,
        dg.AssetSelection.assets(asset),
        description=description,
        tags={tags.LANE: tags.BESIDE},
        executor_def=dg.in_process_executor,
        config=tags.QUIET,
    )


def scopes_sensor(work: Workspace, job: Any) -> dg.SensorDefinition:
    """Define the sensor that requests people's files when the admin's file or their rights have changed."""
    return running_sensor(
        "scopes",
        LOOK_EVERY_SECONDS,
        [job],
        "Builds people's files when the admin's file, or what sites.yaml says of people, has changed.",
        lambda context: scopes_tick(work, context.instance),
    )


def scopes_tick(work: Workspace, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Request a run if a person's file is missing, older than the admin's, or built for other rights.

    If sites.yaml is invalid, the tick is skipped, and the next one reads it again.
    """
    try:
        behind = people.are_behind(work)
    except ConfigurationError as error:
        return dg.SensorResult(skip_reason=str(error))
    if not behind:
        return dg.SensorResult(skip_reason="people's files are those of the admin's file and of sites.yaml")
    if runs_under_way(instance, tags.SCOPES_JOB):
        return dg.SensorResult(skip_reason="people's files are being built")
    return dg.SensorResult(run_requests=[tags.ask_for(tags.SCOPES_JOB)])
