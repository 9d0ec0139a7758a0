"""Many rows appended at once: the same table as Delta's own writer makes of them, and all or nothing."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from domotic_assets.errors import LakeError
from domotic_assets.lake import store
from domotic_assets.lake.store import Lake
from domotic_assets.lake.upkeep import keep_up
from domotic_assets.schemas.homes.silver import SENSOR_EVENTS
from domotic_assets.schemas.table import Table
from domotic_assets.schemas.weather import WEATHER_FORECASTS

START = datetime(2023, 9, 4, 23, tzinfo=UTC)
"""An hour before midnight: 1,400 minutes are of two dates, and more files of one than are listed unseen."""
DATES = (date(2023, 9, 4), date(2023, 9, 5))
TEXTS = ("home", "room", "device", "variable", "unit", "file_id")


def events(number: int) -> pl.DataFrame:
    """SENSOR_EVENTS on both sides of a midnight; the last are a text, an outlier and one without a unit."""
    minutes = [START + timedelta(minutes=nth // 3) for nth in range(number)]
    frame = pl.DataFrame(
        {
            "ts": minutes,
            "home": "jimmy",
            "room": "jimmy/office",
            "device": "jimmy/office/plugs/1",
            "variable": [f"plugs.field{nth % 3}" for nth in range(number)],
            "value": [-1.5 + nth / 4 for nth in range(number)],
            "value_text": None,
            "value_text_length": None,
            "unit": "W",
            "is_outlier": False,
            "file_id": [f"{nth // 3:032x}" for nth in range(number)],
            "utc_date": [at.date() for at in minutes],
        },
        schema=SENSOR_EVENTS.schema,
    )
    last = pl.int_range(number, eager=True) - number
    return frame.with_columns(
        value=pl.when(last != -3).then("value"),
        value_text=pl.when(last == -3).then(pl.lit("Türe ☃")),
        value_text_length=pl.when(last == -3).then(pl.lit(6)),
        is_outlier=last == -2,
        unit=pl.when(last != -1).then("unit"),
    ).cast(SENSOR_EVENTS.schema)


def categorised(rows: pl.DataFrame) -> pl.DataFrame:
    """The same with categories for texts, whose lists hold other texts besides."""
    lists = {name: pl.Categorical(pl.Categories.random()) for name in TEXTS}
    others = rows.with_columns(pl.lit("elsewhere").alias(name) for name in TEXTS).cast(lists)
    return pl.concat([others, rows.cast(lists)]).slice(rows.height)


def log_of(delta: DeltaTable) -> pl.DataFrame:
    """What a table's log says of its files, but for names, times and sizes."""
    said = pl.DataFrame(delta.get_add_actions(flatten=True))
    return said.drop("path", "size_bytes", "modification_time").sort("partition.utc_date")


@pytest.fixture
def made_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MANY", 1)


@pytest.mark.parametrize("number", [240, 3 * 1_400])
@pytest.mark.parametrize("times", [1, 2])
def test_many_rows_make_the_table_that_delta_makes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, times: int
) -> None:
    plain, rows = Lake(str(tmp_path / "plain")), events(number)
    lake = Lake(str(tmp_path / "many"))
    for place, many, given in ((plain, 10**9, rows), (lake, 1, categorised(rows))):
        monkeypatch.setattr(store, "MANY", many)
        for _ in range(times):
            place.append(SENSOR_EVENTS, given, {"a": 7})
    theirs, ours = plain.delta(SENSOR_EVENTS), lake.delta(SENSOR_EVENTS)
    assert theirs is not None
    assert ours is not None
    assert ours.version() == theirs.version() == times - 1
    assert ours.schema() == theirs.schema()
    assert ours.protocol() == theirs.protocol()
    for what in ("name", "description", "partition_columns", "configuration"):
        assert getattr(ours.metadata(), what) == getattr(theirs.metadata(), what)
    assert lake.mark(SENSOR_EVENTS, "a") == 7
    assert_frame_equal(log_of(ours), log_of(theirs), check_column_order=False)
    # Whoever reads it gets the same: this program, Polars by itself, DuckDB.
    expected = pl.concat([rows] * times).sort("ts", "variable", "is_outlier")
    for found in (
        lake.read(SENSOR_EVENTS),
        pl.read_delta(lake.uri(SENSOR_EVENTS)),
        pl.DataFrame(duckdb.read_parquet(lake.files(SENSOR_EVENTS), hive_partitioning=True).to_arrow_table()),
    ):
        same = found.select(expected.columns).with_columns(pl.col("ts").dt.convert_time_zone("UTC"))
        assert_frame_equal(same.sort("ts", "variable", "is_outlier"), expected)


@pytest.mark.usefixtures("made_as_many")
def test_a_file_of_many_texts_lists_those_that_it_has_and_no_others(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.append(SENSOR_EVENTS, categorised(events(3 * 1_400)))
    (file,) = (file for file in lake.files(SENSOR_EVENTS) if f"utc_date={DATES[1]}" in file)
    (ids,) = pq.read_table(file, columns=["file_id"], read_dictionary=["file_id"])["file_id"].chunks
    assert ids.dictionary.to_pylist() == [f"{nth:032x}" for nth in range(60, 1_400)]


@pytest.mark.usefixtures("made_as_many")
def test_categories_are_put_in_the_order_of_their_texts(tmp_path: Path) -> None:
    lake, rows = Lake(str(tmp_path)), events(240)
    lake.append(SENSOR_EVENTS, categorised(rows.reverse()))
    files = [pl.read_parquet(file, columns=["ts", "variable"]) for file in sorted(lake.files(SENSOR_EVENTS))]
    assert_frame_equal(pl.concat(files), rows.select("ts", "variable"))


@pytest.mark.usefixtures("made_as_many")
def test_what_many_rows_made_is_compacted_and_replaced_like_any_table(tmp_path: Path) -> None:
    lake, rows = Lake(str(tmp_path)), events(240)
    for part in (rows.head(120), rows.tail(120)):
        lake.append(SENSOR_EVENTS, categorised(part))
    keep_up(lake, SENSOR_EVENTS, DATES)
    assert len(lake.files(SENSOR_EVENTS)) == len(DATES)
    assert_frame_equal(lake.read(SENSOR_EVENTS).sort("ts", "variable"), rows)
    lake.replace_dates(SENSOR_EVENTS, categorised(rows.head(9)), DATES[:1])
    kept = rows.filter(pl.col("utc_date") == DATES[1])
    assert_frame_equal(lake.read(SENSOR_EVENTS).sort("ts", "variable"), pl.concat([rows.head(9), kept]))


@pytest.mark.usefixtures("made_as_many")
def test_rows_that_cannot_be_written_leave_the_table_as_it_was(tmp_path: Path) -> None:
    lake, rows = Lake(str(tmp_path)), events(240)
    lake.append(SENSOR_EVENTS, rows.head(60))
    folder = Path(lake.uri(SENSOR_EVENTS), f"utc_date={DATES[1]}")
    folder.touch()
    with pytest.raises(LakeError, match="writing 180 rows failed") as caught:
        lake.append(SENSOR_EVENTS, rows.tail(180))
    assert "\n" not in str(caught.value)
    assert (lake.version(SENSOR_EVENTS), lake.read(SENSOR_EVENTS).height) == (0, 60)
    folder.unlink()
    lake.append(SENSOR_EVENTS, rows.tail(180))
    assert_frame_equal(lake.read(SENSOR_EVENTS).sort("ts", "variable"), rows)


@pytest.mark.usefixtures("made_as_many")
def test_a_table_in_another_order_than_its_partition_has_whole_partitions_too(tmp_path: Path) -> None:
    by_site = dataclasses.replace(WEATHER_FORECASTS, sort=("site", "valid_at"))
    lake = Lake(str(tmp_path))
    rows = forecasts(by_site)
    lake.append(by_site, rows)
    assert lake.dates(by_site) == list(DATES)
    assert_frame_equal(lake.read(by_site).sort(by_site.primary_key), rows.sort(by_site.primary_key))


def forecasts(table: Table) -> pl.DataFrame:
    """Two dates whose rows lie among each other in the order of sites."""
    cases = [(site, day) for site in ("Sion", "Visp") for day in DATES]
    return pl.DataFrame(
        {
            "site": [site for site, _ in cases],
            "measurement": "PRED_T_2M",
            "variant": "ctrl",
            "valid_at": [START + timedelta(hours=nth) for nth in range(len(cases))],
            "step": 0,
            "value": [12.5, None, 7.0, -3.25],
            "unit": "°C",
            "is_outlier": False,
            "file_id": "f",
            "utc_date": [day for _, day in cases],
        },
        schema=table.schema,
    )


def test_categories_replace_texts_and_leave_those_between(tmp_path: Path) -> None:
    lake, rows = Lake(str(tmp_path)), events(240)
    lake.append(SENSOR_EVENTS, rows)
    minutes = pl.Series([START, START + timedelta(minutes=79)], dtype=SENSOR_EVENTS.schema["ts"])
    new = rows.filter(pl.col("ts").is_in(minutes.implode())).with_columns(value=pl.lit(7.0))
    assert lake.replace_values(SENSOR_EVENTS, categorised(new), "ts", minutes, minutes.dt.date())
    expected = rows.update(new, on=["ts", "device", "variable"])
    assert_frame_equal(lake.read(SENSOR_EVENTS).sort("ts", "variable"), expected)
