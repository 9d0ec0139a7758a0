"""Assembles everything that Dagster loads; tests pass a workspace of their own.

There are two code locations: the feed, whose runs start every minute, and the models, whose runs load dbt.

Why: docs/decisions/0014-two-code-locations.md
"""

from collections.abc import Iterator

import dagster as dg

from domotic_assets.domains.all_domains import FLOWS, refuse_unknown_sources
from domotic_assets.flow.workspace import Workspace
from domotic_assets.flow.writer_lock import writer_lock
from domotic_assets.orchestration import assets, checks, ops_assets, sensors, tags
from domotic_assets.orchestration.alerting import alerts_sensor
from domotic_assets.orchestration.jobs import feed_jobs
from domotic_assets.orchestration.lost_runs import lost_runs_sensor
from domotic_assets.orchestration.publications import publication_definitions

WRITER_WAIT_SECONDS = 900


def feed_definitions(work: Workspace, workspace: dg.ResourceDefinition) -> dg.Definitions:
    """Assemble the feed, from the sources to Gold and the published file: assets, jobs, sensors, schedules.

    Raises ConfigurationError for a source of sites.yaml that no flow reads.
    """
    refuse_unknown_sources(work)
    jobs = {job.name: job for job in feed_jobs(FLOWS)}
    return dg.Definitions(
        assets=[*assets.assets_of(FLOWS, assets.partitions_of(work.registry)), *ops_assets.ASSETS],
        asset_checks=[*sensors.reachable_checks(work, FLOWS), checks.checks],
        jobs=list(jobs.values()),
        sensors=[
            *sensors.build_sensors(work, jobs, FLOWS),
            checks.freshness_sensor(work),
            alerts_sensor(work),
            lost_runs_sensor(),
        ],
        schedules=sensors.build_schedules(work, jobs),
        executor=dg.in_process_executor,
        resources={assets.WORK: workspace},
    )


def build_definitions(work: Workspace) -> dg.Definitions:
    """Assemble both code locations as one."""
    from domotic_assets.orchestration.marts import models_definitions

    workspace = workspace_resource(work)
    return dg.Definitions.merge(feed_definitions(work, workspace), models_definitions(work, workspace))


def without_models(work: Workspace) -> dg.Definitions:
    """Assemble the feed and the publications for a build, which loads dbt's models only when needed."""
    workspace = workspace_resource(work)
    return dg.Definitions.merge(feed_definitions(work, workspace), publication_definitions(work, workspace))


def workspace_resource(work: Workspace) -> dg.ResourceDefinition:
    """Provide runs with the workspace; a run that writes the lake's rows holds the writer lock to its end."""

    @dg.resource
    def workspace(context: dg.InitResourceContext) -> Iterator[Workspace]:
        run = context.run
        if run is not None and run.tags.get(tags.LANE) == tags.BESIDE:
            yield work
            return
        with writer_lock(work.settings.dagster_home, WRITER_WAIT_SECONDS):
            yield work

    return workspace
