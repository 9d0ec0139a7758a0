"""Declares weather forecasts, from the received file to the facts: tables, measurements and variants."""

from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.received import FILE_COLUMNS
from domotic_assets.schemas.star import (
    DATETIME_KEY,
    TO_DATE,
    TO_DATETIME,
    TO_SITE,
    date_key_column,
    key_column,
    small_whole,
)
from domotic_assets.schemas.table import (
    Cadence,
    Column,
    Place,
    Subject,
    Table,
    day,
    flag,
    level,
    moment,
    text,
    whole,
)

WEATHER_FILES = Table(
    layer="bronze",
    name="weather_files",
    grain="one row per version of a forecast file, and per later sighting of the same bytes",
    columns=(*FILE_COLUMNS, day("utc_date", "date of issue (of the name); physical partition")),
    primary_key=("name", "arrived_at"),
    subject=Subject.NOBODY,
    cadence=Cadence.DATE,
    place=Place("utc_date"),
    partition="utc_date",
    sort=("name", "arrived_at"),
)


@dataclass(frozen=True)
class WeatherMeasurement:
    """A measurement of the forecasts: its Gold column, unit and outlier bounds."""

    name: str
    column: str
    unit: str
    description: str
    minimum: float | None = None
    maximum: float | None = None


WEATHER_MEASUREMENTS: dict[str, WeatherMeasurement] = {
    m.name: m
    for m in (
        WeatherMeasurement("PRED_T_2M", "temperature_c", "°C", "air temperature at 2 m", -50, 60),
        WeatherMeasurement("PRED_RELHUM_2M", "humidity_pct", "%", "relative humidity at 2 m", 0, 100),
        WeatherMeasurement("PRED_TOT_PREC", "precipitation_mm", "mm", "precipitation", 0, 500),
        WeatherMeasurement("PRED_GLOB", "radiation_wm2", "W/m²", "global radiation", 0, 1500),
        WeatherMeasurement("PRED_DURSUN", "sunshine_min", "min", "sunshine duration"),
        WeatherMeasurement("PRED_FF_10M", "wind_speed_ms", "m/s", "wind speed at 10 m"),
    )
}
WEATHER_VARIANTS = {
    "ctrl": "control run",
    "q10": "10 % quantile",
    "q90": "90 % quantile",
    "stde": "standard deviation",
}
DEVIATION = "stde"
"""The variant that is a difference of values: it is converted by the factor alone, and has no bounds."""

DIM_WEATHER_SITE = Table(
    layer="gold",
    name="dim_weather_site",
    grain="one row per site of the forecasts or of sites.yaml",
    columns=(
        key_column("site_key", "site"),
        text("site_code", "code of sites.yaml, else the name in lower case", nullable=False),
        text("name", "site as the forecast spells it", nullable=False),
        level("lat", "latitude", "°", -90, 90),
        level("lon", "longitude", "°", -180, 180),
    ),
    primary_key=("site_key",),
    subject=Subject.SITE,
    cadence=Cadence.WHOLE,
    place=None,
    sort=("site_key",),
)

FACT_WEATHER_HOUR = Table(
    layer="gold",
    name="fact_weather_hour",
    grain="one row per site, issue, step and valid time",
    columns=(
        DATETIME_KEY,
        date_key_column("local date of the valid time, YYYYMMDD"),
        key_column("site_key", "site"),
        Column("issue_date_key", pl.Int32(), "date of the file, YYYYMMDD", nullable=False),
        small_whole("step", "step of the run as the file states it"),
        *(
            level(f"{m.column}_{variant}", f"{m.description}, {words}", m.unit)
            for m in WEATHER_MEASUREMENTS.values()
            for variant, words in WEATHER_VARIANTS.items()
        ),
        day("utc_date", "date of issue; physical partition"),
    ),
    primary_key=("site_key", "issue_date_key", "step", "datetime_key"),
    subject=Subject.SITE,
    cadence=Cadence.DATE,
    place=Place("issue_date_key"),
    foreign_keys=(TO_DATETIME, TO_DATE, TO_SITE),
    partition="utc_date",
    sort=("site_key", "datetime_key", "step"),
)

FACT_WEATHER_DAY = Table(
    layer="gold",
    name="fact_weather_day",
    grain="one row per site, horizon and local date",
    columns=(
        date_key_column("local date the forecast is for, YYYYMMDD"),
        key_column("site_key", "site"),
        small_whole("horizon_days", "days from the issue to that date"),
        level("temperature_c_avg", "mean temperature over the hours covered", "°C", -50, 60),
        level("humidity_pct_avg", "mean humidity over the hours covered", "%", 0, 100),
        Column("precipitation_mm_sum", pl.Float64(), "precipitation", "mm", 0, None, "total"),
        Column("radiation_whm2_sum", pl.Float64(), "radiation", "Wh/m²", 0, None, "total"),
        level("hours", "hours of the date that the forecast covers", "h", 0, 25),
        day("utc_date", "date of issue; physical partition"),
    ),
    primary_key=("site_key", "horizon_days", "date_key"),
    subject=Subject.SITE,
    cadence=Cadence.DATE,
    # Gives the date of issue: a forecast for its own date of issue has horizon 0.
    place=Place("date_key", less_days="horizon_days"),
    foreign_keys=(TO_DATE, TO_SITE),
    partition="utc_date",
    sort=("site_key", "date_key"),
)

WEATHER_FORECASTS = Table(
    layer="silver",
    name="weather_forecasts",
    grain="one row per issue, site, measurement with variant, valid time and step",
    columns=(
        text("site", "site as the forecast spells it", nullable=False),
        text("measurement", "measurement without its variant, e.g. PRED_T_2M", nullable=False),
        text("variant", "ctrl, q10, q90 or stde", nullable=False),
        moment("valid_at", "valid time", nullable=False),
        whole("step", "step of the run", nullable=False),
        level("value", "forecast value; null where the file says -99999 or it was refused", "as in unit"),
        text("unit", "unit of the value: the measurement's own, as the file spells it if it states that one"),
        flag("is_outlier", "the value (no deviation) lies outside its measurement's bounds", nullable=False),
        text("file_id", "file it came from", nullable=False),
        day("utc_date", "date of issue; physical partition"),
    ),
    primary_key=("utc_date", "site", "measurement", "variant", "valid_at", "step"),
    subject=Subject.NOBODY,
    cadence=Cadence.DATE,
    place=Place("utc_date"),
    partition="utc_date",
    sort=("site", "measurement", "variant", "valid_at", "step"),
)
