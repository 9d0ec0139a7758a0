"""Upkeep makes tables small and changes no row, and leaves what is in order alone."""

import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domotic_assets.lake import store
from domotic_assets.lake.store import Lake
from domotic_assets.lake.upkeep import keep_up
from domotic_assets.schemas import predictions
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.table import Table

DAY = datetime(2023, 9, 4, tzinfo=UTC)
DATE, NEXT = date(2023, 9, 4), date(2023, 9, 5)
HOUR_AGO, DAYS_AGO = 3600, 100_000


def file_row(minute: int) -> pl.DataFrame:
    """A row of bronze/sensor_files."""
    at = DAY + timedelta(minutes=minute)
    row = {
        "file_id": f"f{minute}", "name": f"{minute}.json", "arrived_at": at, "modified_at": at,
        "size_bytes": 3, "content": bytes([minute % 256, 0, 255]), "home": "jimmy", "window": at,
        "window_source": "name", "utc_date": at.date(),
    }  # fmt: skip
    return pl.DataFrame([row], schema=bronze.SENSOR_FILES.schema)


def status_row(minute: int) -> pl.DataFrame:
    """A row of silver/sensor_files, which holds a list."""
    at = DAY + timedelta(minutes=minute)
    row = {
        "file_id": f"f{minute}", "window": at, "arrived_at": at, "status": "loaded", "events": minute,
        "rejects": 0, "nulls": 0, "silent_devices": ["a", "b"], "utc_date": at.date(),
    }  # fmt: skip
    return pl.DataFrame([row], schema=silver.SENSOR_FILES.schema)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def held(lake: Lake, table: Table = bronze.SENSOR_FILES) -> pl.DataFrame:
    return lake.read(table).sort(table.primary_key)


def files_of(lake: Lake, day: date, table: Table = bronze.SENSOR_FILES) -> int:
    return sum(f"utc_date={day}" in file for file in lake.files(table))


def age(folder: Path, seconds: float) -> None:
    """Let every file below a folder have been written so long ago."""
    then = time.time() - seconds
    for file in folder.rglob("*"):
        os.utime(file, (then, then))


@pytest.mark.parametrize(
    ("table", "row"),
    [(bronze.SENSOR_FILES, file_row), (silver.SENSOR_FILES, status_row)],
    ids=["bytes", "lists"],
)
def test_a_date_becomes_one_file_with_the_same_rows_and_other_dates_stay(
    lake: Lake, table: Table, row: Callable[[int], pl.DataFrame]
) -> None:
    for minute in (5, 3, 4, 1440, 1441):
        lake.append(table, row(minute))
    before = held(lake, table)
    done = keep_up(lake, table, [DATE])
    assert done is not None
    assert (done.files_before, done.files_after) == (5, 3)
    assert (files_of(lake, DATE, table), files_of(lake, NEXT, table)) == (1, 2)
    assert_frame_equal(held(lake, table), before)


def test_again_is_no_commit(lake: Lake) -> None:
    for minute in (1, 2, 1441):
        lake.append(bronze.SENSOR_FILES, file_row(minute))
    keep_up(lake, bronze.SENSOR_FILES, [DATE, NEXT])
    version = lake.version(bronze.SENSOR_FILES)
    done = keep_up(lake, bronze.SENSOR_FILES, [DATE, NEXT])
    assert lake.version(bronze.SENSOR_FILES) == version == 3
    assert done is not None
    assert (done.files_before, done.files_after, done.data_files_removed, done.log_files_removed) == (
        2,
        2,
        0,
        0,
    )
    assert done.bytes_before == done.bytes_after > 0


def test_a_table_that_does_not_exist_is_left_so(lake: Lake) -> None:
    assert keep_up(lake, bronze.SENSOR_FILES, [DATE]) is None
    assert lake.version(bronze.SENSOR_FILES) is None


def test_readers_of_yesterdays_snapshot_survive_and_older_files_go(lake: Lake, tmp_path: Path) -> None:
    for minute in (1, 2):
        lake.append(bronze.SENSOR_FILES, file_row(minute))
    # Files written long ago, but only now replaced: somebody may be reading them.
    age(tmp_path / "bronze", DAYS_AGO)
    old = lake.files(bronze.SENSOR_FILES)
    done = keep_up(lake, bronze.SENSOR_FILES, [DATE])
    assert done is not None
    assert done.data_files_removed == 0
    assert pl.read_parquet(old)["file_id"].sort().to_list() == ["f1", "f2"]
    later = keep_up(lake, bronze.SENSOR_FILES, [DATE], retention_hours=0)
    assert later is not None
    assert later.data_files_removed == 2
    assert not any(Path(file).exists() for file in old)
    assert held(lake).height == 2


def test_what_a_killed_writer_left_goes_once_it_is_old(lake: Lake, tmp_path: Path) -> None:
    lake.append(bronze.SENSOR_FILES, file_row(1))
    folder = tmp_path / "bronze" / "sensor_files" / f"utc_date={DATE}"
    for name, seconds in (("old", DAYS_AGO), ("young", HOUR_AGO)):
        left = folder / f"part-{name}.parquet"
        left.write_bytes(b"half a file")
        os.utime(left, (time.time() - seconds,) * 2)
    done = keep_up(lake, bronze.SENSOR_FILES)
    assert done is not None
    assert done.data_files_removed == 1
    assert sorted(file.stem for file in folder.glob("part-[oy]*")) == ["part-young"]
    assert held(lake).height == 1


def test_a_table_without_dates_becomes_one_file(lake: Lake) -> None:
    rows = pl.DataFrame([{"target_key": 1, "target_name": "x"}], schema=predictions.DIM_TARGET.schema)
    for key in range(3):
        lake.append(predictions.DIM_TARGET, rows.with_columns(target_key=pl.lit(key, pl.Int64)))
    done = keep_up(lake, predictions.DIM_TARGET)
    assert done is not None
    assert (done.files_before, done.files_after) == (3, 1)
    assert held(lake, predictions.DIM_TARGET)["target_key"].to_list() == [0, 1, 2]


def test_the_log_of_a_busy_table_stays_short_by_itself(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lengths of reality divided: a checkpoint every 5 commits, and files of the log expire at once."""
    busy = {"delta.checkpointInterval": "5", "delta.logRetentionDuration": "interval 0 seconds"}
    monkeypatch.setattr(store, "PROPERTIES", store.PROPERTIES | busy)
    for minute in range(32):
        lake.append(bronze.SENSOR_FILES, file_row(minute))
    assert len(list((tmp_path / "bronze" / "sensor_files" / "_delta_log").iterdir())) <= 10
    assert held(lake).height == 32


def test_a_table_made_without_the_properties_gets_them_and_its_log_is_cleared(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PROPERTIES", {"delta.checkpointInterval": "10"})
    for minute in range(25):
        lake.append(bronze.SENSOR_FILES, file_row(minute))
    log = tmp_path / "bronze" / "sensor_files" / "_delta_log"
    assert len(list(log.glob("*.json"))) == 25
    age(log, DAYS_AGO)
    done = keep_up(lake, bronze.SENSOR_FILES, [DATE])
    assert done is not None
    assert done.log_files_removed > 0
    assert len(list(log.glob("*.json"))) < 10
    found = lake.delta(bronze.SENSOR_FILES)
    assert found is not None
    assert found.metadata().configuration["delta.logRetentionDuration"] == "interval 6 hours"
    assert held(lake).height == 25
