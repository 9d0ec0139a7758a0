"""Files that are rendered from the schemas: committed as rendered, and true to the schemas."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from domotic_assets.pages import dbt_sources, gold_schema
from domotic_assets.schemas import gold
from domotic_assets.serve import catalog

DBT_PROJECT = dbt_sources.SOURCES_FILE.parents[2]


def test_the_committed_dbt_sources_are_as_rendered() -> None:
    assert dbt_sources.SOURCES_FILE.read_text(encoding="utf-8") == dbt_sources.render_sources()


def test_the_committed_schema_page_is_as_rendered() -> None:
    assert gold_schema.SCHEMA_PAGE.read_text(encoding="utf-8") == gold_schema.render_page()


def source_tables() -> dict[str, Any]:
    [source] = yaml.safe_load(dbt_sources.render_sources())["sources"]
    return {table["name"]: table for table in source["tables"]}


def test_each_source_is_the_asset_of_its_gold_table() -> None:
    keys = {name: t["config"]["meta"]["dagster"]["asset_key"] for name, t in source_tables().items()}
    assert keys == {table.name: ["gold", table.name] for table in gold.TABLES}


def test_a_dimensions_tests_are_its_keys_nulls_and_ranges() -> None:
    table = source_tables()["dim_tariff"]
    assert table["data_tests"] == [
        {
            "unique_key": {
                "name": "dim_tariff_unique",
                "arguments": {"columns": ["provider", "valid_from", "band", "days", "local_from"]},
            }
        },
        {
            "columns_not_null": {
                "name": "dim_tariff_not_null",
                "arguments": {
                    "columns": [
                        "provider", "valid_from", "band", "days", "local_from", "local_to", "chf_per_kwh",
                    ]
                },
            }
        },
        {
            "columns_in_range": {
                "name": "dim_tariff_in_range",
                "arguments": {"ranges": {"chf_per_kwh": [0, 10], "feed_in_chf_per_kwh": [0, 10]}},
            }
        },
    ]  # fmt: skip


def test_a_key_that_may_be_none_is_tested_without_it() -> None:
    columns = {column["name"]: column for column in source_tables()["dim_apartment"]["columns"]}
    assert columns["weather_site_key"]["data_tests"] == [
        {
            "key_in": {
                "name": "dim_apartment_weather_site_key_in_dim_weather_site",
                "arguments": {"table": "gold.dim_weather_site", "field": "site_key", "none_key": -1},
            }
        }
    ]


def test_the_partition_is_no_column() -> None:
    columns = [column["name"] for column in source_tables()["fact_device_health_day"]["columns"]]
    assert columns == [
        "date_key", "device_key", "room_key", "apartment_key", "error_count", "missing_readings",
        "uptime_pct", "battery_min_pct", "battery_avg_pct",
    ]  # fmt: skip


def test_one_mart_reads_every_gold_table() -> None:
    """Dagster shows the tests of a source as checks only where a mart reads the source."""
    mart = dbt_sources.TABLES_FILE.read_text(encoding="utf-8")
    assert mart == dbt_sources.render_tables()
    assert re.findall(r"source\('gold', '(\w+)'\)", mart) == [table.name for table in gold.TABLES]


def drawn(page: str) -> list[str]:
    """The diagrams of the page."""
    return re.findall(r"```mermaid\nerDiagram\n(.*?)```", page, flags=re.DOTALL)


def test_homes_and_weather_are_two_diagrams() -> None:
    homes, weather = drawn(gold_schema.render_page())
    assert '    dim_device ||--o{ fact_energy_minute : "device_key"\n' in homes
    assert '    dim_weather_site |o--o{ dim_apartment : "weather_site_key"\n' in homes
    assert "        BIGINT device_key PK, FK\n" in homes
    assert "fact_weather" not in homes
    assert re.findall(r"(\w+) \{\n", weather) == [
        "dim_datetime", "dim_date", "dim_weather_site", "fact_weather_hour", "fact_weather_day",
    ]  # fmt: skip
    assert "temperature_c_ctrl" in weather
    assert "temperature_c_q10" not in weather


def test_the_listing_has_every_table_and_column() -> None:
    page = gold_schema.render_page()
    assert re.findall(r"^### (\w+)$", page, flags=re.MULTILINE) == [table.name for table in gold.TABLES]
    assert "| `temperature_c_q10` | DOUBLE | °C | air temperature at 2 m, 10 % quantile |  |" in page
    assert "| `room_key` | BIGINT not null |  | room | primary, foreign → `dim_room` |" in page


class TestDefinition:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "mart.sql").write_text("select 1")
        (tmp_path / "dbt_project.yml").write_text("name: any")
        return tmp_path

    def test_it_is_the_same_for_the_same_project(self, project: Path) -> None:
        before = catalog.fingerprint_of(project)
        (project / "target").mkdir()
        (project / "target" / "manifest.json").write_text("written by every run")
        assert catalog.fingerprint_of(project) == before

    @pytest.mark.parametrize("file", ["models/mart.sql", "tests/generic/new.sql", "dbt_project.yml"])
    def test_a_changed_or_new_file_changes_it(self, project: Path, file: str) -> None:
        before = catalog.fingerprint_of(project)
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_text("changed")
        assert catalog.fingerprint_of(project) != before

    def test_a_changed_gold_schema_changes_it(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = catalog.fingerprint_of(project)
        monkeypatch.setattr(gold, "TABLES", gold.TABLES[1:])
        assert catalog.fingerprint_of(project) != before
