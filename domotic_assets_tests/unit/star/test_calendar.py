"""The calendar: minutes, dates, clock-change days and the holidays of Valais."""

import time
from datetime import UTC, date, datetime

import polars as pl
import pytest

from domotic_assets.schemas.calendar import DIM_DATE, DIM_DATETIME
from domotic_assets.star.calendar import dim_date, dim_datetime

ZONE = "Europe/Zurich"

# The canton's list: New Year, Saint Joseph, Ascension, Corpus Christi, 1 August, Assumption, All Saints,
# Immaculate Conception, Christmas. Easter was 9 April 2023 and 31 March 2024: Ascension is 39 days and
# Corpus Christi 60 days later. Easter Monday, Whit Monday and 26 December are none in Valais.
HOLIDAYS = {
    2023: ["01-01", "03-19", "05-18", "06-08", "08-01", "08-15", "11-01", "12-08", "12-25"],
    2024: ["01-01", "03-19", "05-09", "05-30", "08-01", "08-15", "11-01", "12-08", "12-25"],
}


def minute(frame: pl.DataFrame, key: int) -> dict[str, object]:
    return frame.filter(pl.col("datetime_key") == key).row(0, named=True)


def test_one_row_per_minute_of_the_utc_dates_both_included() -> None:
    frame = dim_datetime(date(2023, 9, 4), date(2023, 9, 5), ZONE)
    assert frame.schema == DIM_DATETIME.schema
    assert frame.height == 2880
    assert frame["datetime_key"].is_sorted()
    assert (frame["datetime_key"][0], frame["datetime_key"][-1]) == (202309040000, 202309052359)
    assert frame.null_count().sum_horizontal().item() == 0


def test_columns_of_a_minute() -> None:
    # Sunday 31 December 2023, 23:30 UTC is Monday 1 January 2024, 00:30 in Sion.
    frame = dim_datetime(date(2023, 12, 31), date(2023, 12, 31), ZONE)
    assert minute(frame, 202312312330) == {
        "datetime_key": 202312312330,
        "timestamp_utc": datetime(2023, 12, 31, 23, 30, tzinfo=UTC),
        "timestamp_local": datetime(2024, 1, 1, 0, 30),
        "date_key": 20240101,
        "hour": 0,
        "minute": 30,
        "day_of_week": 1,
        "week": 1,
        "month": 1,
        "year": 2024,
        "is_weekend": False,
        "is_holiday": True,
        "utc_date": date(2023, 12, 31),
    }
    before = minute(frame, 202312312259)
    assert (before["date_key"], before["week"], before["is_weekend"], before["is_holiday"]) == (
        20231231,
        52,
        True,
        False,
    )


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("day", "minutes"), [(date(2023, 10, 29), 1500), (date(2023, 3, 26), 1380), (date(2023, 9, 4), 1440)]
)
def test_minutes_of_a_local_day(day: date, minutes: int) -> None:
    frame = dim_datetime(date(2023, day.month, day.day - 1), date(2023, day.month, day.day + 1), ZONE)
    local = frame.filter(pl.col("date_key") == int(f"{day:%Y%m%d}"))
    assert local.height == minutes
    assert local["datetime_key"].n_unique() == minutes
    assert (local["timestamp_local"].min(), local["timestamp_local"].max()) == (
        datetime(2023, day.month, day.day, 0, 0),
        datetime(2023, day.month, day.day, 23, 59),
    )


@pytest.mark.rule(2)
def test_the_repeated_hour_stands_twice_and_the_skipped_hour_never() -> None:
    autumn = dim_datetime(date(2023, 10, 29), date(2023, 10, 29), ZONE)
    assert autumn.filter(pl.col("hour") == 2).height == 120
    spring = dim_datetime(date(2023, 3, 26), date(2023, 3, 26), ZONE)
    assert spring.filter(pl.col("hour") == 2).height == 0


def test_dates_are_those_that_a_clock_of_any_zone_shows() -> None:
    def keys(*zones: str) -> list[int]:
        return dim_date(date(2023, 9, 4), date(2023, 9, 4), zones)["date_key"].to_list()

    assert keys("UTC") == [20230904]
    assert keys(ZONE) == [20230904, 20230905]
    assert keys("America/New_York") == [20230903, 20230904]
    assert keys(ZONE, "America/New_York") == [20230903, 20230904, 20230905]


def test_every_date_of_the_minutes_is_a_date() -> None:
    minutes = dim_datetime(date(2023, 12, 30), date(2024, 1, 2), ZONE)
    dates = dim_date(date(2023, 12, 30), date(2024, 1, 2), [ZONE])
    assert set(minutes["date_key"]) == set(dates["date_key"])


@pytest.mark.rule(10)
@pytest.mark.parametrize("year", sorted(HOLIDAYS))
def test_holidays_are_those_of_the_canton_of_valais(year: int) -> None:
    frame = dim_date(date(year, 1, 1), date(year, 12, 31), ["UTC"])
    assert frame.schema == DIM_DATE.schema
    assert frame.height == (366 if year == 2024 else 365)
    found = frame.filter("is_holiday")["date"].dt.strftime("%m-%d").to_list()
    assert found == HOLIDAYS[year]
    assert (frame["holiday_name"].is_not_null() == frame["is_holiday"]).all()


@pytest.mark.rule(10)
def test_a_holiday_follows_the_local_date() -> None:
    # Saint Joseph begins in Sion at 23:00 UTC of 18 March.
    frame = dim_datetime(date(2024, 3, 18), date(2024, 3, 19), ZONE)
    held = [
        key
        for key in (202403182259, 202403182300, 202403192259, 202403192300)
        if minute(frame, key)["is_holiday"]
    ]
    assert held == [202403182300, 202403192259]


def test_weekdays_and_weekends() -> None:
    # 4 September 2023 was a Monday.
    frame = dim_date(date(2023, 9, 4), date(2023, 9, 10), ["UTC"])
    assert frame["day_of_week"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert frame["is_weekend"].to_list() == [False] * 5 + [True, True]


@pytest.mark.rule(10)
def test_a_holiday_has_its_name() -> None:
    frame = dim_date(date(2023, 3, 18), date(2023, 3, 20), ["UTC"])
    assert frame["holiday_name"].to_list() == [None, "Saint Joseph's Day", None]


@pytest.mark.untraced
def test_a_year_of_minutes_takes_less_than_three_seconds_of_cpu() -> None:
    began = time.process_time()
    frame = dim_datetime(date(2024, 1, 1), date(2024, 12, 31), ZONE)
    seconds = time.process_time() - began
    assert frame.height == 366 * 1440
    assert seconds < 3, f"{seconds:.2f} s of CPU; about 0.3 s alone"
