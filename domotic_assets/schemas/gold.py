"""Gold tables: the star schema. Names end in their unit; dims are current state; facts fill nothing in."""

from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.table import (
    UTC_DATE,
    Column,
    ForeignKey,
    Table,
    count,
    day,
    flag,
    level,
    moment,
    text,
    whole,
)


def _key(name: str, description: str) -> Column:
    return Column(name, pl.Int64(), description, nullable=False)


def _date_key(description: str = "local date of the home, YYYYMMDD") -> Column:
    return Column("date_key", pl.Int32(), description, nullable=False)


def _small(name: str, description: str) -> Column:
    return Column(name, pl.Int32(), description, nullable=False)


_DATETIME_KEY = Column("datetime_key", pl.Int64(), "UTC minute, YYYYMMDDHHMM", nullable=False)
_APARTMENT = _key("apartment_key", "home")
_ROOM = _key("room_key", "room")

_TO_DATETIME = ForeignKey("datetime_key", "dim_datetime", "datetime_key")
_TO_DATE = ForeignKey("date_key", "dim_date", "date_key")
_TO_APARTMENT = ForeignKey("apartment_key", "dim_apartment", "apartment_key")
_TO_ROOM = ForeignKey("room_key", "dim_room", "room_key")
_TO_DEVICE = ForeignKey("device_key", "dim_device", "device_key")
_TO_SITE = ForeignKey("site_key", "dim_weather_site", "site_key")


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

DIM_DATETIME = Table(
    layer="gold",
    name="dim_datetime",
    grain="one row per UTC minute of the data's UTC days and eight days on",
    columns=(
        _DATETIME_KEY,
        moment("timestamp_utc", "start of the minute", nullable=False),
        Column("timestamp_local", pl.Datetime("us"), "the same in calendar_time_zone", nullable=False),
        _date_key("local date, YYYYMMDD"),
        _small("hour", "local hour, 0–23"),
        _small("minute", "local minute, 0–59"),
        _small("day_of_week", "1 = Monday … 7 = Sunday"),
        _small("week", "ISO week"),
        _small("month", "month, 1–12"),
        _small("year", "calendar year"),
        flag("is_weekend", "Saturday or Sunday", nullable=False),
        flag("is_holiday", "public holiday of the canton of Valais", nullable=False),
        UTC_DATE,
    ),
    primary_key=("datetime_key",),
    foreign_keys=(_TO_DATE,),
    partition="utc_date",
    sort=("datetime_key",),
)

DIM_DATE = Table(
    layer="gold",
    name="dim_date",
    grain="one row per local date that dim_datetime touches",
    columns=(
        _date_key("date, YYYYMMDD"),
        day("date", "the date"),
        _small("day_of_week", "1 = Monday … 7 = Sunday"),
        _small("week", "ISO week"),
        _small("month", "month, 1–12"),
        _small("year", "calendar year"),
        flag("is_weekend", "Saturday or Sunday", nullable=False),
        flag("is_holiday", "public holiday of the canton of Valais", nullable=False),
        text("holiday_name", "name of the holiday"),
    ),
    primary_key=("date_key",),
    sort=("date_key",),
)

DIM_APARTMENT = Table(
    layer="gold",
    name="dim_apartment",
    grain="one row per home of sites.yaml or of the data",
    columns=(
        _APARTMENT,
        text("apartment_id", "home id", nullable=False),
        text("name", "name of the home in sites.yaml, else its id", nullable=False),
        text("owner_user_id", "login id of the owner, opaque"),
        whole("building_id", "building of the register; null where none matches"),
        text("building_name", "name of the building in sites.yaml"),
        whole("floor", "floor"),
        _key("weather_site_key", "the home's weather site; -1 where it has none"),
    ),
    primary_key=("apartment_key",),
    foreign_keys=(ForeignKey("weather_site_key", "dim_weather_site", "site_key", allow_none=True),),
    sort=("apartment_key",),
)

DIM_ROOM = Table(
    layer="gold",
    name="dim_room",
    grain="one row per room of sites.yaml or of the feed",
    columns=(
        _ROOM,
        text("room_id", "home/room", nullable=False),
        text("room_name", "name for people", nullable=False),
        text("room_type", "type of room; unknown for a room that only the feed names", nullable=False),
        _APARTMENT,
    ),
    primary_key=("room_key",),
    foreign_keys=(_TO_APARTMENT,),
    sort=("room_key",),
)

DIM_DEVICE = Table(
    layer="gold",
    name="dim_device",
    grain="one row per device of the feed",
    columns=(
        _key("device_key", "device"),
        text("device_id", "home/room/category/place", nullable=False),
        _ROOM,
        text("device_name", "name for people; the register's where exactly one row matches", nullable=False),
        text("device_type", "plug, house_meter, door, window, …", nullable=False),
        text("sensor_type", "what it is, in words", nullable=False),
        flag("is_active", "a reading in the last seven days of the data", nullable=False),
    ),
    primary_key=("device_key",),
    foreign_keys=(_TO_ROOM,),
    sort=("device_key",),
)

DIM_TARIFF = Table(
    layer="gold",
    name="dim_tariff",
    grain="one row per provider, validity and time-of-use band with its days and times",
    columns=(
        text("provider", "provider", nullable=False),
        day("valid_from", "first local date"),
        day("valid_to", "local date after the last; null while it holds", nullable=True),
        text("band", "time-of-use band", nullable=False),
        text("days", "weekdays of the band", nullable=False),
        text("local_from", "local time from, HH:MM", nullable=False),
        text("local_to", "local time to (exclusive), HH:MM", nullable=False),
        Column("chf_per_kwh", pl.Float64(), "price", "CHF/kWh", 0, 10, "level", nullable=False),
    ),
    primary_key=("provider", "valid_from", "band", "days", "local_from"),
    sort=("provider", "valid_from", "band", "days", "local_from"),
)

DIM_WEATHER_SITE = Table(
    layer="gold",
    name="dim_weather_site",
    grain="one row per site of the forecasts or of sites.yaml",
    columns=(
        _key("site_key", "site"),
        text("site_code", "code of sites.yaml, else the name in lower case", nullable=False),
        text("name", "site as the forecast spells it", nullable=False),
        level("lat", "latitude", "°", -90, 90),
        level("lon", "longitude", "°", -180, 180),
    ),
    primary_key=("site_key",),
    sort=("site_key",),
)

DIM_MODEL = Table(
    layer="gold",
    name="dim_model",
    grain="one row per trained model; empty until one is",
    columns=(
        _key("model_key", "model"),
        text("model_version", "version", nullable=False),
        text("model_type", "kind of model", nullable=False),
        moment("trained_at", "when it was trained", nullable=False),
        text("description", "what it does", nullable=False),
    ),
    primary_key=("model_key",),
    sort=("model_key",),
)

DIM_HORIZON = Table(
    layer="gold",
    name="dim_horizon",
    grain="one row per prediction horizon",
    columns=(
        _key("horizon_key", "horizon"),
        text("horizon_type", "hour or day", nullable=False),
        _small("horizon_hours", "hours ahead"),
    ),
    primary_key=("horizon_key",),
    sort=("horizon_key",),
)

DIM_TARGET = Table(
    layer="gold",
    name="dim_target",
    grain="one row per predicted quantity",
    columns=(_key("target_key", "target"), text("target_name", "what is predicted", nullable=False)),
    primary_key=("target_key",),
    sort=("target_key",),
)

FACT_ENERGY_MINUTE = Table(
    layer="gold",
    name="fact_energy_minute",
    grain="one row per plug or house meter and minute with a reading",
    columns=(
        _DATETIME_KEY,
        _date_key(),
        _key("device_key", "plug or house meter"),
        _ROOM,
        _APARTMENT,
        level("power_w", "power; null where invalid or out of bounds", "W"),
        Column(
            "energy_wh",
            pl.Float64(),
            "energy since the previous accepted reading; of a house meter power ÷ 60",
            "Wh",
            aggregation="total",
        ),
        Column("energy_kwh", pl.Float64(), "energy_wh ÷ 1000", "kWh", aggregation="total"),
        Column(
            "cost_chf",
            pl.Float64(),
            "energy at the tariff of its minute; null without one",
            "CHF",
            aggregation="total",
        ),
        Column(
            "counter_total",
            pl.Float64(),
            "accepted meter reading",
            "Wh",
            aggregation="counter",
        ),
        flag("is_valid", "false: invalid, out of bounds, a glitch or an impossible step", nullable=False),
        UTC_DATE,
    ),
    primary_key=("datetime_key", "device_key"),
    foreign_keys=(_TO_DATETIME, _TO_DATE, _TO_DEVICE, _TO_ROOM, _TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "device_key"),
    note="House meter and plugs overlap: a home's total is its house meter, or its plugs where it has none.",
)

FACT_ENVIRONMENT_MINUTE = Table(
    layer="gold",
    name="fact_environment_minute",
    grain="one row per room and minute with a climate, door or window reading",
    columns=(
        _DATETIME_KEY,
        _date_key(),
        _ROOM,
        _APARTMENT,
        level("temperature_c", "air temperature of the room's first climate source", "°C", -20, 60),
        level("humidity_pct", "relative humidity of the same source", "%", 0, 100),
        level("co2_ppm", "carbon dioxide", "ppm", 300, 5_000),
        level("noise_db", "noise", "dB", 0, 140),
        level("pressure_hpa", "air pressure at sea level", "hPa", 870, 1_085),
        flag("window_open_flag", "any window open; null without a report"),
        flag("door_open_flag", "any door open; null without a report"),
        flag("is_anomaly", "a reading of the row was out of bounds", nullable=False),
        UTC_DATE,
    ),
    primary_key=("datetime_key", "room_key"),
    foreign_keys=(_TO_DATETIME, _TO_DATE, _TO_ROOM, _TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "room_key"),
)

FACT_PRESENCE_MINUTE = Table(
    layer="gold",
    name="fact_presence_minute",
    grain="one row per room and minute with a motion or door reading",
    columns=(
        _DATETIME_KEY,
        _date_key(),
        _ROOM,
        _APARTMENT,
        Column(
            "motion_count",
            pl.Int32(),
            "sensors reporting motion; null without a report",
            minimum=0,
            aggregation="level",
        ),
        flag("door_open_flag", "any door open; null without a report"),
        flag(
            "presence_flag", "motion in this minute or the hold before it; null without a report in that time"
        ),
        level("presence_prob", "predicted probability; null until predicted", "1", 0, 1),
        UTC_DATE,
    ),
    primary_key=("datetime_key", "room_key"),
    foreign_keys=(_TO_DATETIME, _TO_DATE, _TO_ROOM, _TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "room_key"),
)

FACT_DEVICE_HEALTH_DAY = Table(
    layer="gold",
    name="fact_device_health_day",
    grain="one row per device and local date from its first reading to the home's last day",
    columns=(
        _date_key(),
        _key("device_key", "device"),
        _ROOM,
        _APARTMENT,
        count("error_count", "readings rejected, invalid or out of bounds"),
        count("missing_readings", "expected minutes without a reading"),
        level("uptime_pct", "minutes with a reading ÷ expected minutes", "%", 0, 100),
        level("battery_min_pct", "lowest battery reading within bounds", "%", 0, 100),
        level("battery_avg_pct", "mean battery reading within bounds", "%", 0, 100),
        day("local_date", "local date; physical partition"),
    ),
    primary_key=("date_key", "device_key"),
    foreign_keys=(_TO_DATE, _TO_DEVICE, _TO_ROOM, _TO_APARTMENT),
    partition="local_date",
    sort=("date_key", "device_key"),
)

FACT_WEATHER_HOUR = Table(
    layer="gold",
    name="fact_weather_hour",
    grain="one row per site, issue, step and valid time",
    columns=(
        _DATETIME_KEY,
        _date_key("local date of the valid time, YYYYMMDD"),
        _key("site_key", "site"),
        Column("issue_date_key", pl.Int32(), "date of the file, YYYYMMDD", nullable=False),
        _small("step", "step of the run as the file states it"),
        *(
            level(f"{m.column}_{variant}", f"{m.description}, {words}", m.unit)
            for m in WEATHER_MEASUREMENTS.values()
            for variant, words in WEATHER_VARIANTS.items()
        ),
        day("utc_date", "date of issue; physical partition"),
    ),
    primary_key=("site_key", "issue_date_key", "step", "datetime_key"),
    foreign_keys=(_TO_DATETIME, _TO_DATE, _TO_SITE),
    partition="utc_date",
    sort=("site_key", "datetime_key", "step"),
)

FACT_WEATHER_DAY = Table(
    layer="gold",
    name="fact_weather_day",
    grain="one row per site, horizon and local date",
    columns=(
        _date_key("local date the forecast is for, YYYYMMDD"),
        _key("site_key", "site"),
        _small("horizon_days", "days from the issue to that date"),
        level("temperature_c_avg", "mean temperature over the hours covered", "°C", -50, 60),
        level("humidity_pct_avg", "mean humidity over the hours covered", "%", 0, 100),
        Column("precipitation_mm_sum", pl.Float64(), "precipitation", "mm", 0, None, "total"),
        Column("radiation_whm2_sum", pl.Float64(), "radiation", "Wh/m²", 0, None, "total"),
        level("hours", "hours of the date that the forecast covers", "h", 0, 25),
        day("utc_date", "date of issue; physical partition"),
    ),
    primary_key=("site_key", "horizon_days", "date_key"),
    foreign_keys=(_TO_DATE, _TO_SITE),
    partition="utc_date",
    sort=("site_key", "date_key"),
)

DIMS = (
    DIM_DATETIME,
    DIM_DATE,
    DIM_APARTMENT,
    DIM_ROOM,
    DIM_DEVICE,
    DIM_TARIFF,
    DIM_WEATHER_SITE,
    DIM_MODEL,
    DIM_HORIZON,
    DIM_TARGET,
)
MINUTE_FACTS = (FACT_ENERGY_MINUTE, FACT_ENVIRONMENT_MINUTE, FACT_PRESENCE_MINUTE)
FACTS = (*MINUTE_FACTS, FACT_DEVICE_HEALTH_DAY, FACT_WEATHER_HOUR, FACT_WEATHER_DAY)
TABLES = (*DIMS, *FACTS)
