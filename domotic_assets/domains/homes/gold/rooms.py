"""Builds the minute facts of rooms: climate, doors and windows, motion and presence."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from domotic_assets.domains.homes.gold.places import Placed, by_room, placed
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.gold import FACT_ENVIRONMENT_MINUTE, FACT_PRESENCE_MINUTE
from domotic_assets.star.keys import minute_fact

OPENING_VARIABLES = ("doorsWindows.type", "doorsWindows.switch")
MOTION_VARIABLE = "motions.motion"
# In order of trust: a room's climate comes from the first category that the minute's files name for it.
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


def of_environment() -> pl.Expr:
    """Build the filter for devices of ENVIRONMENT_CATEGORIES, or of a room that is named like one."""
    return pl.any_horizontal(
        pl.col("device").str.contains(f"/{category}/", literal=True) for category in ENVIRONMENT_CATEGORIES
    )


def openings(events: pl.DataFrame) -> pl.DataFrame:
    """Build one row per door or window and minute: room_minute, window_open_flag, door_open_flag.

    The flag of the other kind is null. Both are null if the sensor says that it is neither. events: those of
    `Placed`.
    """
    kind, switch = OPENING_VARIABLES
    kinds = events.filter(pl.col("variable") == kind).select("device_minute", kind="value_text")
    switches = events.filter(pl.col("variable") == switch, pl.col("value").is_not_null()).select(
        "room_minute", "device_minute", is_open=pl.col("value") == 1.0
    )
    return switches.join(kinds, on="device_minute", how="left").select(
        "room_minute",
        window_open_flag=pl.when(pl.col("kind") == "Window").then("is_open"),
        door_open_flag=pl.when(pl.col("kind") == "Door").then("is_open"),
    )


def lack_kind(opened: pl.DataFrame) -> bool:
    """Return whether one of the `openings` is neither a door nor a window."""
    return bool((opened["window_open_flag"].is_null() & opened["door_open_flag"].is_null()).any())


def _any_or_null(flag: str) -> pl.Expr:
    """Build the column `flag` of a group: whether it is true in any row; null if it is null in all rows."""
    return pl.when(pl.col(flag).count() > 0).then(pl.col(flag).any()).alias(flag)


def climate(placed: Placed) -> pl.DataFrame:
    """Select the readings that count for a room, one row each: room_minute, a column per measure, is_anomaly.

    Temperature and humidity come from the first category that the minute's files name for the room, even if
    its reading is missing or refused: sensors are never mixed. An outlier gives no measure, but is an
    anomaly.
    """
    order = pl.Enum(list(CLIMATE_SOURCES))
    source = (
        placed.seen.filter(pl.col("category").is_in(list(CLIMATE_SOURCES)))
        .with_columns(pl.col("category").cast(order))
        .sort("room_minute")
        .group_by("room_minute")
        .agg(source=pl.col("category").min())
    )
    counts: dict[str, pl.Expr] = {}
    for measure, place in (("temperature_c", 0), ("humidity_pct", 1)):
        counts[measure] = pl.any_horizontal(
            (pl.col("source") == category) & (pl.col("variable") == variables[place])
            for category, variables in CLIMATE_SOURCES.items()
            if variables[place] is not None
        )
    counts |= {measure: pl.col("variable") == variable for measure, variable in AIR_VARIABLES.items()}
    return (
        placed.events.select("room_minute", "variable", "value", "is_outlier")
        .filter(pl.col("variable").is_in(_MEASURED))
        .with_columns(pl.col("variable").cast(pl.Enum(_MEASURED)))
        .join(source, on="room_minute", maintain_order="left")
        .filter(pl.any_horizontal(counts.values()))
        .select(
            "room_minute",
            *(
                pl.when(is_of_measure & ~pl.col("is_outlier")).then("value").alias(measure)
                for measure, is_of_measure in counts.items()
            ),
            is_anomaly="is_outlier",
        )
    )


def environment_minutes(events: pl.DataFrame, silent: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """Build FACT_ENVIRONMENT_MINUTE: one row per room and minute of the events.

    events: whole minutes, of ENVIRONMENT_CATEGORIES at least. silent: ts and device of devices that a file
    names without a reading.
    """
    by_place = placed(events, silent)
    return environment_of(by_place, openings(by_place.events), registry)


def environment_of(by_place: Placed, opened: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """Build FACT_ENVIRONMENT_MINUTE as `environment_minutes` does. opened: `openings` of these events."""
    rows = (
        pl.concat([climate(by_place), opened], how="diagonal")
        .sort("room_minute", maintain_order=True)
        .group_by("room_minute")
        .agg(
            pl.col("temperature_c", "humidity_pct", *AIR_VARIABLES).drop_nulls().first(),
            _any_or_null("window_open_flag"),
            _any_or_null("door_open_flag"),
            pl.col("is_anomaly").any(),
        )
    )
    return minute_fact(by_place.named(rows), FACT_ENVIRONMENT_MINUTE, registry.time_zones())


def presence_minutes(events: pl.DataFrame, minutes: pl.Series, registry: Registry) -> pl.DataFrame:
    """Build FACT_PRESENCE_MINUTE: one row per room and given minute with a motion or door reading.

    events: motions and doorsWindows of these minutes and of the hold before them. Presence holds for
    `presence_hold_minutes`, the minute of the motion included. It is null if no motion sensor reported in all
    that time.
    """
    hold = registry.settings.presence_hold_minutes
    by_place = placed(events)
    motions = (
        by_place.events.select("room_minute", "variable", "value")
        .filter(pl.col("variable") == MOTION_VARIABLE)
        .select("room_minute", motion=pl.col("value") == 1.0)
    )
    doors = openings(by_place.events).select("room_minute", "door_open_flag").drop_nulls()
    rows = (
        pl.concat([motions, doors], how="diagonal")
        .sort("room_minute")
        .group_by("room_minute")
        .agg(
            motion_count=pl.when(pl.col("motion").count() > 0).then(pl.col("motion").sum().cast(pl.Int32)),
            door_open_flag=_any_or_null("door_open_flag"),
        )
    )
    since = {
        name: pl.col("order") - pl.when(condition).then("order").forward_fill()
        for name, condition in {
            "motion": pl.col("motion_count") > 0,
            "report": pl.col("motion_count").is_not_null(),
        }.items()
    }
    held = (
        rows.with_columns(order=by_room())
        .sort("order")
        .with_columns(
            presence_flag=pl.when(since["motion"] < hold).then(True).when(since["report"] < hold).then(False),
            presence_prob=pl.lit(None, pl.Float64),
        )
    )
    chosen = by_place.named(held.drop("order")).filter(pl.col("ts").is_in(minutes.implode()))
    return minute_fact(chosen, FACT_PRESENCE_MINUTE, registry.time_zones())


def reach_of_presence(minutes: pl.Series, hold_minutes: int) -> pl.Series:
    """List the given minutes and those after them whose presence they can change, sorted and distinct."""
    reached = pl.concat([minutes + timedelta(minutes=ahead) for ahead in range(hold_minutes)])
    return reached.unique().sort().rename("ts")
