"""What Dagster is told loads whole, and the graph says where each table comes from."""

import os
import shutil
from pathlib import Path

import dagster as dg
import pytest

from domotic_assets.flow.dagster_home import prepare_home
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import marts as marts_of_dbt
from domotic_assets.orchestration.assets import key
from domotic_assets.orchestration.definitions import build_definitions
from domotic_assets.pages import marts
from domotic_assets.schemas import gold
from domotic_assets.settings import DAGSTER_VARIABLE, Settings
from domotic_assets_tests.support.shared_data import REPOSITORY


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    lake = tmp_path_factory.mktemp("lake")
    return build_definitions(Workspace.open(Settings.of(REPOSITORY / "sites.yaml", str(lake))))


def test_the_definitions_load_as_the_user_interface_loads_them(definitions: dg.Definitions) -> None:
    """A job and a step of one name would run in a build and fail here."""
    dg.Definitions.validate_loadable(definitions)


def test_every_gold_table_has_checks_and_leads_to_the_published_file(definitions: dg.Definitions) -> None:
    graph = definitions.get_repository_def().asset_graph
    reached = graph.get_ancestor_asset_keys(dg.AssetKey(["serve", "domotic_admin"]))
    tested = graph.get_ancestor_asset_keys(dg.AssetKey(["models", "tested_file"]))
    checked = {check.asset_key for check in graph.asset_check_keys}
    tables = {key(table) for table in gold.TABLES}
    assert tables - reached == set()
    assert tables - checked == set()
    assert {name.path[0] for name in reached} == {"bronze", "silver", "gold"}
    assert {name.path[0] for name in tested} == {"bronze", "silver", "gold", "marts"}


def test_the_shipped_instance_sends_nothing_and_asks_for_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_home(tmp_path / "dagster")
    monkeypatch.setenv(DAGSTER_VARIABLE, str(tmp_path / "dagster"))
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


def test_nothing_is_written_beside_the_models_that_accounts_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lake has its own manifest, which follows the models even if theirs are older files than it."""
    shared, lake = tmp_path / "shared", tmp_path / "lake"
    shutil.copytree(REPOSITORY / "dbt", shared, ignore=shutil.ignore_patterns("target"))
    monkeypatch.setattr(marts_of_dbt, "DBT_PROJECT", shared)
    monkeypatch.delenv("DBT_TARGET_PATH", raising=False)
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}

    def manifest() -> str:
        build_definitions(Workspace.open(Settings.of(REPOSITORY / "sites.yaml", str(lake), {})))
        # Dagster remembers by its path what it read in a process.
        return (lake / "dagster" / "dbt" / "parsed" / "manifest.json").read_text()

    assert "model.domotic.mart_energy_daily" in manifest()
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*")} == before
    (shared / "models" / "mart_of_an_upgrade.sql").write_text("SELECT 1 AS one")
    os.utime(shared / "models" / "mart_of_an_upgrade.sql", (0, 0))
    assert "model.domotic.mart_of_an_upgrade" in manifest()


def test_the_page_of_the_marts_is_what_their_definitions_say() -> None:
    written = marts.MARTS_PAGE.read_text(encoding="utf-8")
    assert written == marts.page()
    assert "gold_fact_energy_minute --> marts_mart_energy_daily" in written
