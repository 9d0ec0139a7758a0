"""Declares the calendar's dimensions: UTC minutes and local dates."""

import polars as pl

from domotic_assets.schemas.star import DATETIME_KEY, TO_DATE, date_key_column, small_whole
from domotic_assets.schemas.table import (
    UTC_DATE,
    Cadence,
    Column,
    Subject,
    Table,
    day,
    flag,
    moment,
    text,
)

DAYS_AHEAD = 8
"""Days that the calendar reaches beyond the data, for forecasts and predictions."""

DIM_DATETIME = Table(
    layer="gold",
    name="dim_datetime",
    grain="one row per UTC minute of the data's UTC days and eight days on",
    columns=(
        DATETIME_KEY,
        moment("timestamp_utc", "start of the minute", nullable=False),
        Column("timestamp_local", pl.Datetime("us"), "the same in calendar_time_zone", nullable=False),
        date_key_column("local date, YYYYMMDD"),
        small_whole("hour", "local hour, 0–23"),
        small_whole("minute", "local minute, 0–59"),
        small_whole("day_of_week", "1 = Monday … 7 = Sunday"),
        small_whole("week", "ISO week"),
        small_whole("month", "month, 1–12"),
        small_whole("year", "calendar year"),
        flag("is_weekend", "Saturday or Sunday", nullable=False),
        flag("is_holiday", "public holiday of the canton of Valais", nullable=False),
        UTC_DATE,
    ),
    primary_key=("datetime_key",),
    subject=Subject.NOBODY,
    cadence=Cadence.WHOLE,
    place=None,
    foreign_keys=(TO_DATE,),
    partition="utc_date",
    sort=("datetime_key",),
)

DIM_DATE = Table(
    layer="gold",
    name="dim_date",
    grain="one row per local date that dim_datetime touches",
    columns=(
        date_key_column("date, YYYYMMDD"),
        day("date", "the date"),
        small_whole("day_of_week", "1 = Monday … 7 = Sunday"),
        small_whole("week", "ISO week"),
        small_whole("month", "month, 1–12"),
        small_whole("year", "calendar year"),
        flag("is_weekend", "Saturday or Sunday", nullable=False),
        flag("is_holiday", "public holiday of the canton of Valais", nullable=False),
        text("holiday_name", "name of the holiday"),
    ),
    primary_key=("date_key",),
    subject=Subject.NOBODY,
    cadence=Cadence.WHOLE,
    place=None,
    sort=("date_key",),
)
