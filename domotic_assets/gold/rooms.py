"""What a room was like in a minute: climate, doors and windows, motion and presence."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from domotic_assets.gold.keys import minute_fact
from domotic_assets.registry import Registry
from domotic_assets.schemas.gold import FACT_ENVIRONMENT_MINUTE, FACT_PRESENCE_MINUTE
from domotic_assets.schemas.table import UTC_TIME

OPENING_VARIABLES = ("doorsWindows.type", "doorsWindows.switch")
MOTION_VARIABLE = "motions.motion"
# The order is the order of trust: the first category that the minute holds for a room speaks for it.
CLIMATE_SOURCES: Mapping[str, tuple[str | None, str | None]] = {
    "meteos": ("meteos.Temperature", "meteos.Humidity"),
    "humidities": ("humidities.temperature", "humidities.humidity"),
    "motions": ("motions.temperature", None),
}
AIR_VARIABLES = {"co2_ppm": "meteos.CO2", "noise_db": "meteos.Noise", "pressure_hpa": "meteos.Pressure"}
_MEASURED = [
    *(variable for pair in CLIMATE_SOURCES.values() for variable in pair if variable),
    *AIR_VARIABLES.values(),
]
ENVIRONMENT_CATEGORIES = ("meteos", "humidities", "motions", "doorsWindows")

_ROOM_MINUTE = ["ts", "home", "room"]


def category_of(column: str = "device") -> pl.Expr:
    """The feed category in a device id; each distinct id is taken apart once."""
    return pl.col(column).map_batches(_categories, return_dtype=pl.String, is_elementwise=True)


def _categories(devices: pl.Series) -> pl.Series:
    distinct = devices.drop_nulls().unique()
    categories = distinct.str.split("/").list.get(2, null_on_oob=True)
    return devices.replace_strict(distinct, categories, default=None, return_dtype=pl.String)


def openings(events: pl.DataFrame) -> pl.DataFrame:
    """One row per room and minute with a door or window: window_open_flag, door_open_flag.

    A room is open while any of its sensors of that kind is; null where none of the kind reported.
    """
    by_device = (
        events.filter(pl.col("variable").is_in(OPENING_VARIABLES))
        .group_by(*_ROOM_MINUTE, "device")
        .agg(
            kind=pl.col("value_text").filter(pl.col("variable") == "doorsWindows.type").first(),
            is_open=(pl.col("value").filter(pl.col("variable") == "doorsWindows.switch").first() == 1.0),
        )
        .filter(pl.col("is_open").is_not_null())
    )
    return by_device.group_by(_ROOM_MINUTE).agg(
        window_open_flag=_any_or_null(pl.col("is_open").filter(pl.col("kind") == "Window")),
        door_open_flag=_any_or_null(pl.col("is_open").filter(pl.col("kind") == "Door")),
    )


def _any_or_null(values: pl.Expr) -> pl.Expr:
    return pl.when(values.len() > 0).then(values.any())


def climate(events: pl.DataFrame, silent: pl.DataFrame) -> pl.DataFrame:
    """One row per room and minute with a climate reading: its measures, and whether one was out of bounds.

    Temperature and humidity come from the first category that the minute's files hold for the room,
    even where that one's reading is missing or refused: sensors are never mixed. silent: ts, home,
    room, device of devices that a file names without a reading.
    """
    held = pl.concat(
        [
            events.select(*_ROOM_MINUTE, category_of().alias("category")),
            silent.select(*_ROOM_MINUTE, category_of().alias("category")),
        ]
    ).filter(pl.col("category").is_in(list(CLIMATE_SOURCES)))
    order = pl.Enum(list(CLIMATE_SOURCES))
    source = held.group_by(_ROOM_MINUTE).agg(source=pl.col("category").cast(order).min())
    wanted: list[pl.Expr] = []
    for measure, place in (("temperature_c", 0), ("humidity_pct", 1)):
        spoken = pl.lit(False)
        for category, variables in CLIMATE_SOURCES.items():
            if variables[place] is not None:
                spoken |= (pl.col("source") == category) & (pl.col("variable") == variables[place])
        wanted.append(pl.when(spoken).then(pl.lit(measure)))
    wanted += [
        pl.when(pl.col("variable") == variable).then(pl.lit(measure))
        for measure, variable in AIR_VARIABLES.items()
    ]
    measures = ["temperature_c", "humidity_pct", *AIR_VARIABLES]
    readings = (
        events.filter(pl.col("variable").is_in(_MEASURED))
        .join(source, on=_ROOM_MINUTE)
        .with_columns(measure=pl.coalesce(wanted))
        .filter(pl.col("measure").is_not_null())
    )
    return readings.group_by(_ROOM_MINUTE).agg(
        *(
            pl.col("value").filter((pl.col("measure") == m) & ~pl.col("is_outlier")).first().alias(m)
            for m in measures
        ),
        is_anomaly=pl.col("is_outlier").any(),
    )


def environment_minutes(events: pl.DataFrame, silent: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """FACT_ENVIRONMENT_MINUTE: one row per room and minute of the events.

    events: of ENVIRONMENT_CATEGORIES, whole minutes. silent: as in `climate`.
    """
    rows = (
        climate(events, silent)
        .join(openings(events), on=_ROOM_MINUTE, how="full", coalesce=True)
        .with_columns(pl.col("is_anomaly").fill_null(False))
    )
    return minute_fact(rows, FACT_ENVIRONMENT_MINUTE, registry.time_zones())


def presence_minutes(events: pl.DataFrame, minutes: pl.Series, registry: Registry) -> pl.DataFrame:
    """FACT_PRESENCE_MINUTE: one row per room and given minute with a motion or door reading.

    events: motions and doorsWindows of these minutes and of the hold before them. Presence holds
    for the minute of a motion and the nine after it; it is null where no motion sensor reported in
    all that time.
    """
    hold = registry.settings.presence_hold_minutes
    motion = (
        events.filter(pl.col("variable") == MOTION_VARIABLE)
        .group_by(_ROOM_MINUTE)
        .agg(motion_count=(pl.col("value") == 1.0).sum().cast(pl.Int32))
    )
    doors = openings(events).filter(pl.col("door_open_flag").is_not_null()).drop("window_open_flag")
    rows = motion.join(doors, on=_ROOM_MINUTE, how="full", coalesce=True).sort("room", "ts")
    held = (
        rows.rolling("ts", period=timedelta(minutes=hold), closed="right", group_by=["home", "room"])
        .agg(highest=pl.col("motion_count").max())
        .select("ts", "room", presence_flag=pl.col("highest") > 0)
    )
    chosen = (
        rows.join(held, on=["ts", "room"], how="left")
        .filter(pl.col("ts").is_in(minutes.implode()))
        .with_columns(presence_prob=pl.lit(None, pl.Float64))
    )
    return minute_fact(chosen, FACT_PRESENCE_MINUTE, registry.time_zones())


def reach_of_presence(minutes: pl.Series, hold_minutes: int) -> pl.Series:
    """The given minutes and those after them whose presence they can change."""
    ahead = pl.DataFrame({"ts": minutes}).select(
        pl.concat_list([pl.col("ts").dt.offset_by(f"{ahead}m") for ahead in range(hold_minutes)]).alias("ts")
    )
    return ahead.explode("ts").unique().sort("ts")["ts"].cast(UTC_TIME)
