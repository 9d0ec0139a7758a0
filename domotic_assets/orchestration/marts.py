"""The published file as assets: built aside, given its marts and tested by dbt, then swapped in.

dbt's tests of Gold and of the marts show as asset checks of these tables. A failing one stops the
run before the swap, so people go on seeing the last file that was right.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

from domotic_assets.orchestration import dim_steps
from domotic_assets.orchestration.assets import OWNERS, Work
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import definition_of

PROJECT = Path(__file__).parents[2] / "dbt"
FILE_VARIABLE = "DOMOTIC_DUCKDB"
PUBLISHED = dg.AssetKey(["serve", "domotic_admin"])


class Translator(DagsterDbtTranslator):
    """Marts are assets `marts/<name>`; sources are the Gold assets that they name."""

    def __init__(self) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "model":
            return dg.AssetKey(["marts", dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002
        return "marts"


def project() -> DbtProject:
    """The dbt project, its manifest written if it is missing or older than the project."""
    found = DbtProject(project_dir=PROJECT)
    sources = [file for folder in ("models", "macros", "tests") for file in (PROJECT / folder).rglob("*.*")]
    newest = max(file.stat().st_mtime for file in [*sources, PROJECT / "dbt_project.yml"])
    if not found.manifest_path.exists() or found.manifest_path.stat().st_mtime < newest:
        dbt_resource(found).cli(["parse", "--quiet"], target_path=found.target_path).wait()
    return found


def dbt_resource(dbt_project: DbtProject) -> DbtCliResource:
    """dbt of this environment, which need not be on the PATH."""
    return DbtCliResource(project_dir=dbt_project, dbt_executable=str(Path(sys.executable).with_name("dbt")))


def serve_assets() -> list[dg.AssetsDefinition]:
    """The marts and the published file."""
    dbt_project = project()

    @dbt_assets(manifest=dbt_project.manifest_path, project=dbt_project, dagster_dbt_translator=Translator())
    def marts(context: dg.AssetExecutionContext, work: Work, dbt: DbtCliResource) -> Iterator[Any]:
        """Views over Gold in a file built aside, and the tests of both."""
        versions = dim_steps.gold_versions(work)
        definition = definition_of(PROJECT)
        file = publish.build_file(work.serve, dim_steps.gold_files(work), versions, definition)
        work.report("marts", 0, 1)
        target = work.settings.dagster_home / "dbt"
        with _environment(FILE_VARIABLE, str(file)):
            yield from dbt.cli(["build"], context=context, target_path=target).stream()
        work.report("marts", 1, 1)

    @dg.asset(
        key=PUBLISHED,
        deps=[marts],
        group_name="serve",
        kinds={"duckdb"},
        owners=OWNERS,
        description="The DuckDB file that BI tools open: all of Gold and the marts, for the scope admin.",
    )
    def domotic_admin(work: Work) -> dg.MaterializeResult[Any]:
        versioned = publish.swap_in(publish.aside_file(work.serve), work.serve)
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(publish.published_file(work.serve))),
                "version": versioned.name,
                "bytes": versioned.stat().st_size,
            }
        )

    return [marts, domotic_admin]


def is_published(work: Workspace) -> bool:
    """Whether the published file is of the Gold, schemas and marts as they are now."""
    return publish.is_current(
        publish.published_file(work.serve), dim_steps.gold_versions(work), definition_of(PROJECT)
    )


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable for the child process; what it was before is put back."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
