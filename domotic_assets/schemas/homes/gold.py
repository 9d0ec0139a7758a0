"""Gold of the homes: dimensions, and facts by minute and by local day."""

import polars as pl

from domotic_assets.schemas.star import (
    APARTMENT_KEY,
    DATETIME_KEY,
    ROOM_KEY,
    TO_APARTMENT,
    TO_DATE,
    TO_DATETIME,
    TO_DEVICE,
    TO_ROOM,
    date_key_column,
    key_column,
)
from domotic_assets.schemas.table import (
    UTC_DATE,
    Column,
    ForeignKey,
    Table,
    count,
    day,
    flag,
    level,
    text,
    whole,
)

DIM_APARTMENT = Table(
    layer="gold",
    name="dim_apartment",
    grain="one row per home of sites.yaml or of the data",
    columns=(
        APARTMENT_KEY,
        text("apartment_id", "home id", nullable=False),
        text("name", "name of the home in sites.yaml, else its id", nullable=False),
        text("owner_user_id", "login id of the owner, opaque"),
        whole("building_id", "building of the register; null where none matches"),
        text("building_name", "name of the building in sites.yaml"),
        whole("floor", "floor"),
        key_column("weather_site_key", "the home's weather site; -1 where it has none"),
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
        ROOM_KEY,
        text("room_id", "home/room", nullable=False),
        text("room_name", "name for people", nullable=False),
        text("room_type", "type of room; unknown for a room that only the feed names", nullable=False),
        APARTMENT_KEY,
    ),
    primary_key=("room_key",),
    foreign_keys=(TO_APARTMENT,),
    sort=("room_key",),
)

DIM_DEVICE = Table(
    layer="gold",
    name="dim_device",
    grain="one row per device of the feed",
    columns=(
        key_column("device_key", "device"),
        text("device_id", "home/room/category/place", nullable=False),
        ROOM_KEY,
        text("device_name", "name for people; the register's where exactly one row matches", nullable=False),
        text("device_type", "plug, house_meter, door, window, …", nullable=False),
        text("sensor_type", "what it is, in words", nullable=False),
        flag("is_active", "a reading in the last seven days of the data", nullable=False),
    ),
    primary_key=("device_key",),
    foreign_keys=(TO_ROOM,),
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

FACT_ENERGY_MINUTE = Table(
    layer="gold",
    name="fact_energy_minute",
    grain="one row per plug or house meter and minute with a reading",
    columns=(
        DATETIME_KEY,
        date_key_column(),
        key_column("device_key", "plug or house meter"),
        ROOM_KEY,
        APARTMENT_KEY,
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
    foreign_keys=(TO_DATETIME, TO_DATE, TO_DEVICE, TO_ROOM, TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "device_key"),
    note="House meter and plugs overlap: a home's total is its house meter, or its plugs where it has none.",
)

FACT_ENVIRONMENT_MINUTE = Table(
    layer="gold",
    name="fact_environment_minute",
    grain="one row per room and minute with a climate, door or window reading",
    columns=(
        DATETIME_KEY,
        date_key_column(),
        ROOM_KEY,
        APARTMENT_KEY,
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
    foreign_keys=(TO_DATETIME, TO_DATE, TO_ROOM, TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "room_key"),
)

FACT_PRESENCE_MINUTE = Table(
    layer="gold",
    name="fact_presence_minute",
    grain="one row per room and minute with a motion or door reading",
    columns=(
        DATETIME_KEY,
        date_key_column(),
        ROOM_KEY,
        APARTMENT_KEY,
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
    foreign_keys=(TO_DATETIME, TO_DATE, TO_ROOM, TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "room_key"),
)

FACT_DEVICE_HEALTH_DAY = Table(
    layer="gold",
    name="fact_device_health_day",
    grain="one row per device and local date from its first reading to the home's last day",
    columns=(
        date_key_column(),
        key_column("device_key", "device"),
        ROOM_KEY,
        APARTMENT_KEY,
        count("error_count", "readings rejected, invalid or out of bounds"),
        count("missing_readings", "expected minutes without a reading"),
        level("uptime_pct", "minutes with a reading ÷ expected minutes", "%", 0, 100),
        level("battery_min_pct", "lowest battery reading within bounds", "%", 0, 100),
        level("battery_avg_pct", "mean battery reading within bounds", "%", 0, 100),
        day("local_date", "local date; physical partition"),
    ),
    primary_key=("date_key", "device_key"),
    foreign_keys=(TO_DATE, TO_DEVICE, TO_ROOM, TO_APARTMENT),
    partition="local_date",
    sort=("date_key", "device_key"),
)
