"""Builds the published file from nothing: fills a staging file, has dbt add and test marts, swaps it in.

dbt's tests of Gold and of the marts are asset checks of these tables. A failing one stops the run before the
swap, so people keep the last file that passed.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from dagster_duckdb import DuckDBResource

from domotic_assets.files_on_disk import write_whole
from domotic_assets.flow.worklist import PUBLISHED_WHOLE
from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.operate import people
from domotic_assets.operate import publish as operate_publish
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.assets import OWNERS, WORK, WorkspaceResource, key, publication
from domotic_assets.orchestration.checks import failing_checks
from domotic_assets.orchestration.internals.dbt import Dbt
from domotic_assets.orchestration.publications import publication_definitions
from domotic_assets.orchestration.sensors import running_sensor, runs_under_way
from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import fingerprint_of

HOME_VARIABLE = "HOME"
"""Environment variable that names the folder in which dbt finds the file to work on; see dbt/profiles.yml."""
TARGET_VARIABLE = "DBT_TARGET_PATH"
"""Environment variable that names the folder from which a new target takes what was parsed."""
PURPOSE = "marts"
TESTED = dg.AssetKey(["models", "tested_file"])
_STAMP = "definition"
"""Name of the file that tells which project the manifest beside it is of."""
ASK_AT_MOST_EVERY = timedelta(minutes=10)


class Translator(DagsterDbtTranslator):
    """Turns models into assets `marts/<name>`, and sources into the Gold assets that they name."""

    def __init__(self) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return the key `marts/<name>` for a model; for anything else the key that Dagster makes."""
        if dbt_resource_props["resource_type"] == "model":
            return dg.AssetKey(["marts", dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return `marts`, the group of every asset that is made from the dbt project."""
        return "marts"


def project(folder: Path) -> DbtProject:
    """Load the dbt project; write its manifest into the folder first, unless it is there and of this project.

    Nothing is written beside the project: several accounts may use one installation.
    """
    found = DbtProject(project_dir=DBT_PROJECT, target_path=folder)
    stamp, definition = folder / _STAMP, fingerprint_of(DBT_PROJECT)
    if not (found.manifest_path.exists() and stamp.exists() and stamp.read_text() == definition):
        dbt_resource(found).cli(["parse", "--quiet"], target_path=folder).wait()
        write_whole(stamp, definition.encode())
    return found


def dbt_resource(dbt_project: DbtProject) -> DbtCliResource:
    """Return dbt of this Python environment, which need not be on the PATH."""
    return Dbt(
        project_dir=str(dbt_project.project_dir), dbt_executable=str(Path(sys.executable).with_name("dbt"))
    )


def models_definitions(work: Workspace, workspace: dg.ResourceDefinition) -> dg.Definitions:
    """Assemble the models: marts, tests of Gold, the published file and the files that are made from it."""
    job = dg.define_asset_job(
        tags.PUBLISH_JOB,
        dg.AssetSelection.groups("marts", "models")
        | dg.AssetSelection.checks_for_assets(*(key(table) for table in gold.TABLES)),
        description="The published file built from nothing, with its marts, and the tests of Gold.",
        tags={tags.LANE: tags.BESIDE},
        executor_def=dg.in_process_executor,
        config=tags.QUIET,
    )
    dbt_project = project(work.settings.dagster_home / "dbt" / "parsed")
    # Assets read the published file by this resource, so that it can be pointed elsewhere.
    published = DuckDBResource(
        database=str(publish.published_file(work.serve)), connection_config={"access_mode": "READ_ONLY"}
    )
    models = dg.Definitions(
        assets=_assets(dbt_project),
        jobs=[job],
        sensors=[
            running_sensor(
                "models",
                60,
                [job],
                "Builds and tests the published file when its models change, and after a day was closed.",
                lambda context: models_tick(work, context.instance, work.now()),
            ),
        ],
        executor=dg.in_process_executor,
        resources={WORK: workspace, "dbt": dbt_resource(dbt_project), "published": published},
    )
    return dg.Definitions.merge(models, publication_definitions(work, workspace))


def _assets(dbt_project: DbtProject) -> list[dg.AssetsDefinition]:
    """Define the marts, which dbt builds and tests in a staging file, and the file that is swapped in."""

    @dbt_assets(manifest=dbt_project.manifest_path, project=dbt_project, dagster_dbt_translator=Translator())
    def marts(
        context: dg.AssetExecutionContext, work: WorkspaceResource, dbt: DbtCliResource
    ) -> Iterator[Any]:
        """Fill a staging file from Gold, add the marts as views over it, and test both with dbt."""
        people.refuse_tables_without_rule()
        found = operate_publish.gold_snapshot(work)
        definition = fingerprint_of(DBT_PROJECT)
        file = publish.build_file(work.serve, found.files, found.versions, definition, purpose=PURPOSE)
        work.report("marts", 0, 1)
        target = work.settings.dagster_home / "dbt"
        parsed = str(dbt_project.target_path)
        with _environment(HOME_VARIABLE, str(file.parent)), _environment(TARGET_VARIABLE, parsed):
            invocation = dbt.cli(["build"], context=context, target_path=target)
        yield from invocation.stream()
        work.report("marts", 1, 1)

    @dg.asset(
        key=TESTED,
        deps=[marts],
        group_name="models",
        kinds={"duckdb"},
        owners=OWNERS,
        description="The published file built from nothing, swapped in once dbt's tests pass.",
    )
    def tested_file(
        context: dg.AssetExecutionContext, work: WorkspaceResource, published: DuckDBResource
    ) -> dg.MaterializeResult[Any]:
        # Newer rows may have been published while dbt worked; swapping this file in must not undo them.
        built = publish.staging_file(work.serve, PURPOSE)
        done = operate_publish.publish_present(work, PURPOSE, failing_checks(context.instance), built=built)
        assert done is not None
        return dg.MaterializeResult(metadata={**publication(work, done), "tables": _tables(published)})

    return [marts, tested_file]


def _tables(published: DuckDBResource) -> dg.TableMetadataValue:
    """Read the number of rows and the first and last date of each Gold table in the published file."""
    with published.get_connection() as connection:
        columns = ("table_name", "row_count", "first_date_key", "last_date_key")
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM marts.mart_gold_tables").fetchall()  # noqa: S608
    return dg.MetadataValue.table([dg.TableRecord(dict(zip(columns, row, strict=True))) for row in rows])


def models_tick(work: Workspace, instance: dg.DagsterInstance, now: datetime) -> dg.SensorResult:
    """Request a build if the published file is missing, changed by somebody, of other models or untested.

    It is untested if a day was closed since dbt tested it. It counts as missing if its base is not proved.
    """
    sound = publish.is_untouched(work.serve) and people.admin_is_present(work)
    if sound and not operate_publish.is_day_untested(work):
        return dg.SensorResult(skip_reason="the published file is of the present models")
    asked = work.worklist.read().mark(PUBLISHED_WHOLE, now)
    if asked is not None and now - asked < ASK_AT_MOST_EVERY:
        return dg.SensorResult(skip_reason=f"asked for at {asked:%H:%M} UTC")
    if any(work.lake.version(table) is None for table in (*gold.MINUTE_FACTS, *gold.DIMS)):
        return dg.SensorResult(skip_reason="Gold is not complete yet")
    if runs_under_way(instance, tags.PUBLISH_JOB):
        return dg.SensorResult(skip_reason="a build is under way")
    work.worklist.change(lambda held: held.marks.update({PUBLISHED_WHOLE: now}))
    return dg.SensorResult(run_requests=[tags.ask_for(tags.PUBLISH_JOB)])


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for child processes; restore its previous value at the end."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
