"""The dbt project over a real published file: what the marts say, and that its tests can fail."""

import json
import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from domotic_assets.serve import publish
from domotic_assets_tests.support.gold_snapshot import write_snapshot

DBT_PROJECT = Path(__file__).resolve().parents[2] / "dbt"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps what it parsed, for all tests of this module."""
    return tmp_path_factory.mktemp("target")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("lake")
    snapshot = write_snapshot(lake)
    return publish.build_file(lake / "serve", snapshot.files, snapshot.versions, "any", purpose="test")


@pytest.fixture(scope="module")
def outcomes(built: Path, target: Path) -> dict[str, str]:
    return run_dbt("build", built, target)


@pytest.fixture(scope="module")
def published(built: Path, outcomes: dict[str, str]) -> Path:
    """The versioned file: its name is not the one that dbt knew the file by."""
    assert set(outcomes.values()) == {"success", "pass"}
    return publish.swap_in(built, built.parents[2])


def run_dbt(command: str, file: Path, target: Path, *options: str) -> dict[str, str]:
    """Run dbt in a process of its own; node name to status."""
    dbt = Path(sys.executable).with_name("dbt")
    subprocess.run(
        [dbt, command, "--project-dir", DBT_PROJECT, "--profiles-dir", DBT_PROJECT, "--target-path", target,
         "--log-path", target, "--quiet", *options],
        env=os.environ | {"HOME": str(file.parent)},
        capture_output=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    results = json.loads((target / "run_results.json").read_text())["results"]
    return {result["unique_id"].split(".")[2]: result["status"] for result in results}


def ask(file: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_energy_by_day_room_and_device(published: Path) -> None:
    """Jimmy has a house meter, so it alone is the total; Jeremie has none, so the plugs are."""
    rows = ask(
        published,
        "SELECT local_date, device_id, energy_kwh, cost_chf, unpriced_kwh, minutes, is_house_meter, is_total "
        "FROM marts.mart_energy_daily ORDER BY local_date, device_id",
    )
    first, second = date(2023, 10, 28), date(2023, 10, 29)
    assert rows == [
        (first, "jeremie/kitchen/plugs/1", 0.375, 0.1, 0.0, 1, False, True),
        (first, "jimmy/house/consumptions/1", 0.75, pytest.approx(0.21), 0.0, 2, True, True),
        (first, "jimmy/office/plugs/1", 0.625, 0.125, 0.125, 3, False, False),
        (second, "jimmy/house/consumptions/1", 1.0, 0.25, 0.0, 1, True, True),
    ]


def test_a_homes_total_counts_its_energy_once(published: Path) -> None:
    rows = ask(
        published,
        "SELECT apartment_name, sum(energy_kwh) FROM marts.mart_energy_daily WHERE is_total "
        "GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [("Home J", 1.75), ("Home V", 0.375)]


@pytest.mark.rule(2)
def test_the_repeated_autumn_hour_is_two_rows(published: Path) -> None:
    rows = ask(
        published,
        "SELECT hour_utc, local_date, local_hour, room_id, temperature_c_avg, temperature_c_min, "
        "temperature_c_max, co2_ppm_avg, minutes, window_open_minutes, anomaly_minutes "
        "FROM marts.mart_environment_hourly ORDER BY hour_utc",
    )
    day, room = date(2023, 10, 29), "jimmy/office"
    assert rows == [
        (datetime(2023, 10, 29, 0), day, 2, room, 21.0, 20.0, 22.0, 900.0, 2, 1, 0),
        (datetime(2023, 10, 29, 1), day, 2, room, None, None, None, 1000.0, 1, None, 1),
    ]


def test_the_file_says_what_it_holds(published: Path) -> None:
    rows = ask(published, "FROM marts.mart_gold_tables WHERE row_count > 0 ORDER BY table_name")
    assert rows == [
        ("dim_apartment", 2, None, None),
        ("dim_date", 2, 20231028, 20231029),
        ("dim_datetime", 7, 20231028, 20231029),
        ("dim_device", 3, None, None),
        ("dim_room", 3, None, None),
        ("dim_weather_site", 1, None, None),
        ("fact_energy_minute", 7, 20231028, 20231029),
        ("fact_environment_minute", 3, 20231029, 20231029),
    ]


def test_marts_are_views_with_every_column_described(published: Path) -> None:
    views = ask(published, "SELECT view_name FROM duckdb_views() WHERE schema_name = 'marts' ORDER BY 1")
    assert views == sorted((file.stem,) for file in (DBT_PROJECT / "models").glob("*/*.sql"))
    assert len(views) == 9
    silent = ask(
        published,
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE schema_name = 'marts' AND coalesce(comment, '') = ''",
    )
    assert silent == []


def test_marts_work_under_any_name_of_the_file(published: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{published}' AS anything (READ_ONLY)")
        rows = connection.execute("SELECT count(*) FROM anything.marts.mart_energy_daily").fetchall()
    assert rows == [(4,)]


def test_every_dbt_test_is_a_check_of_its_asset(outcomes: dict[str, str], target: Path) -> None:
    settings = DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)

    @dbt_assets(
        manifest=target / "manifest.json", dagster_dbt_translator=DagsterDbtTranslator(settings=settings)
    )
    def marts(): ...

    checks = {spec.name: spec.asset_key.path for spec in marts.check_specs}
    assert checks.keys() == {name for name, status in outcomes.items() if status == "pass"}
    assert checks["fact_energy_minute_device_key_in_dim_device"] == ["gold", "fact_energy_minute"]
    assert checks["dim_date_unique"] == ["gold", "dim_date"]
    assert checks["mart_energy_daily_unique"] == ["marts", "mart_energy_daily"]
    assert all(spec.blocking for spec in marts.check_specs)


def test_models_are_not_read_anew_for_another_file(published: Path, target: Path, tmp_path: Path) -> None:
    file = tmp_path / "domotic-admin.duckdb"
    file.write_bytes(published.read_bytes())
    run_dbt("show", file, target, "--inline", "SELECT 1")
    said = (target / "dbt.log").read_text().rpartition("Running with dbt")[2]
    assert "no changes found, skipping parsing" in said
    assert "Unable to do partial parsing" not in said


def test_planted_faults_fail_exactly_their_tests(published: Path, target: Path, tmp_path: Path) -> None:
    file = tmp_path / "domotic-admin.duckdb"
    file.write_bytes(published.read_bytes())
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "INSERT INTO gold.fact_environment_minute FROM gold.fact_environment_minute "
            "WHERE datetime_key = 202310290010"
        )
        connection.execute("UPDATE gold.fact_environment_minute SET co2_ppm = 6000 WHERE co2_ppm = 1000")
        connection.execute("UPDATE gold.fact_energy_minute SET device_key = 99 WHERE energy_kwh = 0.375")
        connection.execute("ALTER TABLE gold.fact_energy_minute ALTER apartment_key DROP NOT NULL")
        connection.execute("UPDATE gold.fact_energy_minute SET apartment_key = NULL WHERE energy_kwh = 1")
        connection.execute("UPDATE gold.dim_apartment SET weather_site_key = 98 WHERE apartment_id = 'jimmy'")

    outcomes = run_dbt("test", file, target)

    assert {name for name, status in outcomes.items() if status == "fail"} == {
        "fact_environment_minute_unique",
        "fact_environment_minute_in_range",
        "mart_environment_hourly_in_range",
        "fact_energy_minute_device_key_in_dim_device",
        "fact_energy_minute_not_null",
        "dim_apartment_weather_site_key_in_dim_weather_site",
    }
    assert "error" not in outcomes.values()
