"""What an earlier version judged by a wrong clock is judged again, and its rows go."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domotic_assets.domains.homes.flows import landing, reading
from domotic_assets.flow.windows import date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes import bronze, gold, silver
from domotic_assets.settings import Settings
from domotic_assets_tests.support.builders import SAMPLE_TIME, share_file, sites, write_share, write_sites
from domotic_assets_tests.support.carry import TO_FACTS, TO_SILVER, carry
from domotic_assets_tests.support.memory_lake import MemoryLake

pytestmark = pytest.mark.untraced

DAY = date_window(SAMPLE_TIME.date())
YEAR_BACK = datetime(2023, 1, 5, tzinfo=UTC)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    lake = MemoryLake(f"{tmp_path}/lake")
    return Workspace(Settings.of(write_sites(tmp_path), f"{tmp_path}/lake", {}), sites(tmp_path), lake)


@pytest.mark.rule(4)
def test_a_good_file_that_a_clock_behind_quarantined_is_loaded_by_a_later_build(
    work: Workspace, tmp_path: Path
) -> None:
    """As version 0.1 stored it: the start of the clock's day in place of a last write in its future."""
    write_share(tmp_path / "share", [share_file()])
    landing.land_sensor_files(work, [DAY])
    lake = work.lake
    right = lake.read(bronze.SENSOR_FILES)
    stored = right.with_columns(
        arrived_at=pl.lit(YEAR_BACK), window=pl.lit(YEAR_BACK), window_source=pl.lit("arrival")
    ).with_columns(utc_date=pl.col("window").dt.date())
    lake._frames[bronze.SENSOR_FILES.id] = stored  # type: ignore[attr-defined]
    quarantined = {
        "file_id": stored["file_id"][0], "home": "jimmy", "window": YEAR_BACK, "minute": None,
        "arrived_at": YEAR_BACK, "status": "quarantined", "reason": "no_readable_time", "time_source": None,
        "time_note": None, "events": 0, "rejects": 0, "nulls": 0, "silent_devices": [],
        "utc_date": YEAR_BACK.date(),
    }  # fmt: skip
    lake.append(silver.SENSOR_FILES, pl.DataFrame([quarantined], schema=silver.SENSOR_FILES.schema))
    assert reading.unflattened_minutes(work) == [YEAR_BACK]
    carry(work, [date_window(YEAR_BACK.date())], flows=TO_SILVER)
    files = lake.read(silver.SENSOR_FILES)
    assert files.select("status", "minute", "time_source").rows() == [("loaded", SAMPLE_TIME, "inside")]
    assert reading.unflattened_minutes(work) == []


def test_rows_of_a_minute_that_no_file_is_of_any_more_go_when_the_day_is_built_again(
    work: Workspace, tmp_path: Path
) -> None:
    write_share(tmp_path / "share", [share_file(), share_file(at=SAMPLE_TIME + timedelta(minutes=1))])
    carry(work, [DAY], flows=TO_FACTS)
    tables = (gold.FACT_ENERGY_MINUTE, gold.FACT_ENVIRONMENT_MINUTE, gold.FACT_PRESENCE_MINUTE)
    right = {table.id: work.lake.read(table).sort(table.primary_key) for table in tables}
    for table in tables:
        rows = right[table.id].filter(pl.col("datetime_key") == 202308311944)
        assert not rows.is_empty()
        work.lake.append(table, rows.with_columns(datetime_key=pl.lit(202308312100)))
    carry(work, [DAY], flows=TO_FACTS)
    for table in tables:
        assert work.lake.read(table).sort(table.primary_key).equals(right[table.id])
