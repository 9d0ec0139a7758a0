"""Builds the calendar: every UTC minute and every local date, with weekends and the holidays of Valais.

Local columns are in the calendar's time zone; a fact's own date is the date at its home.
"""

from collections.abc import Collection, Iterable
from datetime import date, timedelta

import holidays
import polars as pl

from domotic_assets.schemas.calendar import DIM_DATE, DIM_DATETIME
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.star.keys import date_key, datetime_key

COUNTRY, CANTON = "CH", "VS"
_SATURDAY = 6


def dim_datetime(first_utc_date: date, last_utc_date: date, calendar_time_zone: str) -> pl.DataFrame:
    """Build `DIM_DATETIME`: one row per UTC minute of the given UTC dates, both included."""
    minutes = pl.datetime_range(
        first_utc_date,
        last_utc_date + timedelta(days=1),
        interval="1m",
        closed="left",
        time_unit="us",
        time_zone="UTC",
        eager=True,
    )
    rows = pl.DataFrame({"timestamp_utc": minutes}, schema={"timestamp_utc": UTC_TIME}).with_columns(
        timestamp_local=pl.col("timestamp_utc")
        .dt.convert_time_zone(calendar_time_zone)
        .dt.replace_time_zone(None)
    )
    local = pl.col("timestamp_local").dt
    dates = _dates(first_utc_date - timedelta(days=1), last_utc_date + timedelta(days=1))
    return (
        rows.with_columns(
            datetime_key=datetime_key("timestamp_utc"),
            date=local.date(),
            hour=local.hour().cast(pl.Int32),
            minute=local.minute().cast(pl.Int32),
            utc_date=pl.col("timestamp_utc").dt.date(),
        )
        .join(dates, on="date", how="left", maintain_order="left")
        .select(list(DIM_DATETIME.schema))
    )


def dim_date(first_utc_date: date, last_utc_date: date, time_zones: Collection[str]) -> pl.DataFrame:
    """Build `DIM_DATE`: one row per date that a clock of any of the zones shows within the given UTC dates.

    time_zones: IANA zones of the calendar and of the homes, as a fact has the date at its home.
    """
    edges = pl.Series([first_utc_date, last_utc_date + timedelta(days=1)]).cast(UTC_TIME)
    firsts, lasts = [], []
    for zone_name in time_zones:
        firsts.append(edges.dt.convert_time_zone(zone_name).dt.date()[0])
        lasts.append(edges.dt.offset_by("-1m").dt.convert_time_zone(zone_name).dt.date()[1])
    return _dates(min(firsts), max(lasts)).select(list(DIM_DATE.schema))


def _dates(first: date, last: date) -> pl.DataFrame:
    """Build one row per date from `first` to `last`, with year, month, week, weekend and holiday."""
    day = pl.col("date").dt
    names = _holiday_names(range(first.year, last.year + 1))
    return pl.DataFrame({"date": pl.date_range(first, last, eager=True)}).with_columns(
        date_key=date_key(pl.col("date")),
        day_of_week=day.weekday().cast(pl.Int32),
        week=day.week().cast(pl.Int32),
        month=day.month().cast(pl.Int32),
        year=day.year(),
        is_weekend=day.weekday() >= _SATURDAY,
        is_holiday=pl.col("date").is_in(list(names)),
        holiday_name=pl.col("date").replace_strict(names, default=None, return_dtype=pl.String),
    )


def _holiday_names(years: Iterable[int]) -> dict[date, str]:
    """Return the public holidays of the canton of Valais by date, in English."""
    return dict(holidays.country_holidays(COUNTRY, subdiv=CANTON, years=years, language="en_US"))
