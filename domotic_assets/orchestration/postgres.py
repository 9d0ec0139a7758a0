"""The asset of the PostgreSQL database, its job and its sensor; what they do is `postgres_steps`.

Only there where sites.yaml names a database. A server that is down fails one run with one line; what it
lacks is found again by comparing, so the sensor asks until it has it.
"""

import time
from typing import Any

import dagster as dg

from domotic_assets.errors import ConfigurationError, PublishError
from domotic_assets.orchestration import postgres_steps, tags
from domotic_assets.orchestration.assets import OWNERS, Work
from domotic_assets.orchestration.ops_assets import PUBLISHED
from domotic_assets.orchestration.scopes import LOOK_EVERY_SECONDS, publishing_job
from domotic_assets.orchestration.sensors import runs_under_way, standing_sensor
from domotic_assets.orchestration.workspace import Workspace

DATABASE = dg.AssetKey(["serve", "postgres"])


@dg.asset(
    key=DATABASE,
    deps=[PUBLISHED],
    group_name="serve",
    kinds={"postgres"},
    owners=OWNERS,
    description="Gold and the marts in PostgreSQL, a role for each person, with row-level security "
    "(docs/postgresql.md).",
)
def published_database(work: Work) -> dg.MaterializeResult[Any]:
    """What changed since the last time, in one transaction."""
    began = time.monotonic()
    done = postgres_steps.publish_database(work)
    if done is None:
        return dg.MaterializeResult(metadata={"rows copied": 0})
    return dg.MaterializeResult(
        metadata={
            "version": done.version,
            "made anew": done.rebuilt,
            "rows copied": sum(carried.copied for carried in done.rows.values()),
            "rows deleted": sum(carried.deleted for carried in done.rows.values()),
            "ranges": done.ranges,
            "marts of roles replaced": done.marts,
            "seconds": time.monotonic() - began,
        }
    )


def database_job() -> Any:
    """The job that publishes into the database."""
    return publishing_job(tags.DATABASE_JOB, DATABASE, "Gold and marts in PostgreSQL.")


def database_sensor(work: Workspace, job: Any) -> dg.SensorDefinition:
    """Asks for a publication when the admin's file or people's rights have changed."""
    return standing_sensor(
        "database",
        LOOK_EVERY_SECONDS,
        [job],
        "Publishes into PostgreSQL when the admin's file, or what sites.yaml says of people, has changed.",
        lambda context, _: database_tick(work, context.instance),
    )


def database_tick(work: Workspace, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Ask for a run where the database is behind; a server that does not answer is asked again."""
    if runs_under_way(instance, tags.DATABASE_JOB):
        return dg.SensorResult(skip_reason="the database is being published to")
    try:
        behind = postgres_steps.database_is_behind(work)
    except (ConfigurationError, PublishError) as error:
        return dg.SensorResult(skip_reason=str(error))
    if not behind:
        return dg.SensorResult(skip_reason="the database is that of the admin's file and of sites.yaml")
    return dg.SensorResult(run_requests=[dg.RunRequest(job_name=tags.DATABASE_JOB, run_config=tags.QUIET)])
