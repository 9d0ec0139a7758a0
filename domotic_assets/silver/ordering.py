"""Readings of many files put in the order of their table, and described.

Readings say which file and which leaf they are of, by number: whole numbers are sorted many times faster
than minutes and names.
"""

import polars as pl

from domotic_assets.schemas.silver import SENSOR_EVENTS


def by_file(readings: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Readings file after file, each by device and variable; of two spellings of a room in its order."""
    rank = names["rank"][readings["leaf"]]
    return readings.with_columns(rank=rank).sort("file", "rank", "leaf").drop("rank")


def in_order(
    readings: pl.DataFrame, runs: pl.DataFrame, names: pl.DataFrame, facts: pl.DataFrame
) -> pl.DataFrame:
    """Readings by minute, device and variable; the order of equals stays.

    readings: file after file, each by device and variable, so that mostly the files alone need an order: of
    one minute, all devices of a home stand together. runs: the files in that order, and their events.
    """
    blocks = runs.select(
        begin=pl.col("events").cum_sum() - pl.col("events"),
        end=pl.col("events").cum_sum(),
        minute=facts["minute"][runs["file"]],
        home=facts["home"][runs["file"]],
    ).sort("minute", "home", maintain_order=True)
    ordered = readings[blocks.select(pl.int_ranges("begin", "end", dtype=pl.UInt32).explode()).to_series()]
    if _stand_apart(names) and blocks.select(pl.struct("minute", "home").is_unique().all()).item():
        return ordered
    minute = facts["minute"].rank("dense").cast(pl.Int64)[ordered["file"]]
    places = minute * (names.height + 1) + names["rank"][ordered["leaf"]]
    # One number for the key, and for the place among equals: sorted many times faster than columns.
    return ordered[
        (places * ordered.height + pl.int_range(ordered.height, eager=True)).sort() % ordered.height
    ]


def _stand_apart(names: pl.DataFrame) -> bool:
    """Whether all devices of a home stand together and in the order of homes, whatever these are called."""
    homes = names.group_by("home").agg(first=pl.col("rank").min(), last=pl.col("rank").max()).sort("home")
    return bool(homes.select((pl.col("first") > pl.col("last").shift()).fill_null(True).all()).item())


def events_of(readings: pl.DataFrame, names: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """SENSOR_EVENTS, `arrived_at` and `name` of readings."""
    described = names.select("room", "device", "variable", "unit", "minimum", "maximum")[readings["leaf"]]
    placed = facts.select(
        "file_id", "name", "home", "arrived_at", ts="minute", utc_date=pl.col("minute").dt.date()
    )[readings["file"]]
    value = pl.col("value")
    return (
        pl.concat([readings, described, placed], how="horizontal")
        .with_columns(
            is_outlier=((value < pl.col("minimum")) | (value > pl.col("maximum"))).fill_null(False),
        )
        .select(*SENSOR_EVENTS.schema.names(), "arrived_at", "name")
    )
