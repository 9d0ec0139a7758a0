"""What is made of the published file, as Dagster knows it: people's files, and a database if one is named."""

import dagster as dg

from domotic_assets.orchestration.assets import WORK
from domotic_assets.orchestration.postgres import database_job, database_sensor, published_database
from domotic_assets.orchestration.scopes import published_scopes, scopes_job, scopes_sensor
from domotic_assets.orchestration.workspace import Workspace


def publication_definitions(work: Workspace, workspace: dg.ResourceDefinition) -> dg.Definitions:
    """The assets, their jobs and their sensors; none of them needs dbt."""
    people = scopes_job()
    shared = database_job() if work.registry.postgresql else None
    return dg.Definitions(
        assets=[published_scopes, *([published_database] if shared else [])],
        jobs=[people, *([shared] if shared else [])],
        sensors=[scopes_sensor(work, people), *([database_sensor(work, shared)] if shared else [])],
        executor=dg.in_process_executor,
        resources={WORK: workspace},
    )
