"""Selects the events that make up a minute, and derives definitions of devices and variables from them."""

from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.homes.silver import DEVICE_TYPES, DEVICES, SENSOR_EVENTS
from domotic_assets.schemas.homes.silver import VARIABLES as VARIABLES_TABLE
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES
from domotic_assets.schemas.table import as_texts, is_ordered

_OPENING = "doorsWindows.type"
_KNOWN_CATEGORIES = pl.DataFrame(
    [(c.name, c.device_type, c.sensor_type) for c in CATEGORIES.values()],
    schema={"category": pl.String, "device_type": pl.String, "sensor_type": pl.String},
    orient="row",
)
_KNOWN_VARIABLES = pl.DataFrame(
    [(v.id, v.kind, v.unit, v.minimum, v.maximum) for v in VARIABLES.values()],
    schema={
        "variable": pl.String,
        "kind": pl.String,
        "unit": pl.String,
        "minimum": pl.Float64,
        "maximum": pl.Float64,
    },
    orient="row",
)


@dataclass(frozen=True)
class Naming:
    """What events name.

    sightings: one row per device and minute: ts, device, home, room, utc_date, `spoken` (whether a door or
    window says what it is) and `word` (what it says, which may be null). readings: number by variable and UTC
    date.
    """

    sightings: pl.DataFrame
    readings: pl.DataFrame

    @classmethod
    def of(cls, events: pl.DataFrame) -> "Naming":
        """Collect what these events name.

        events: all events of each of their minutes; texts may be categories.
        """
        return cls(as_texts(_sightings(events)), as_texts(_readings(events)))


def merge(events: pl.DataFrame, shared_minutes: pl.Series | None = None) -> pl.DataFrame:
    """Keep one event per device, variable and minute, in the given order: that of the later file.

    events: SENSOR_EVENTS with `arrived_at` and `name`. Of two files the greater (arrived_at, name) is the
    later. Within one file the later field counts (two spellings of one room). shared_minutes: the minutes in
    which two events may meet; None for all.
    """
    return without(superseded_among(candidates_in(events, shared_minutes)), events).select(
        SENSOR_EVENTS.schema.names()
    )


def candidates_in(events: pl.DataFrame, shared_minutes: pl.Series | None) -> pl.DataFrame:
    """Select the events of minutes that files share (None: of all), with the `index` of each among all."""
    numbered = events.with_row_index()
    return (
        numbered if shared_minutes is None else numbered.filter(pl.col("ts").is_in(shared_minutes.implode()))
    )


def superseded_among(candidates: pl.DataFrame) -> pl.Series:
    """Find the indexes of candidates that are superseded by another one."""
    counting = candidates.sort("arrived_at", "name", maintain_order=True).unique(
        subset=["ts", "device", "variable"], keep="last"
    )["index"]
    return candidates["index"].filter(~candidates["index"].is_in(counting.implode()))


def without(lost: pl.Series, events: pl.DataFrame) -> pl.DataFrame:
    """Drop the events with these indexes."""
    if lost.is_empty():
        return events
    return events.with_row_index().filter(~pl.col("index").is_in(lost.implode())).drop("index")


def devices(events: pl.DataFrame) -> pl.DataFrame:
    """Build DEVICES: one row per device and UTC date, from all events of those dates.

    A door or window says in each reading what it is; the last word of the date counts.
    """
    return _devices(_sightings(events))


def _devices(sightings: pl.DataFrame) -> pl.DataFrame:
    """Build DEVICES rows, one per device and UTC date. sightings: as in `Naming`."""
    return (
        sightings.sort("ts")
        .group_by("device", "utc_date")
        .agg(
            pl.col("home", "room").last(),
            opening=pl.col("word").filter("spoken").last(),
            first_ts=pl.col("ts").min(),
            last_ts=pl.col("ts").max(),
            minutes=pl.len().cast(pl.Int64),
        )
        .with_columns(category=pl.col("device").str.split("/").list.get(2))
        .join(_KNOWN_CATEGORIES, on="category", how="left")
        .with_columns(
            device_type=pl.when(pl.col("opening").is_in(["Door", "Window"]))
            .then(pl.col("opening").str.to_lowercase())
            .otherwise(pl.col("device_type").fill_null("unknown"))
        )
        .select(DEVICES.schema.names())
    )


def devices_changed(held: pl.DataFrame, before: Naming, after: Naming) -> tuple[pl.DataFrame, list[str]]:
    """Update the DEVICES rows of some dates, now that the events of `after` replace those of `before`.

    held: DEVICES before the change. before, after: of all events of some minutes. Returns the rows, and the
    devices whose row is not certain: they lost a reading, or an earlier reading now states another kind of
    opening (door or window) than the last one known. Derive these from their events.
    """
    key, minute = ["device", "utc_date"], ["device", "ts"]
    said, says = before.sightings, after.sightings
    again = says.join(said, on=minute, how="semi")
    lost = said.join(again, on=[*minute, "spoken", "word"], how="anti", nulls_equal=True)["device"]
    added = says.join(said, on=minute, how="anti")
    new = _devices(added)
    spoke = added.filter("spoken").select(key).unique()
    both = held.join(new, on=key, suffix=" added")
    silent = both.join(spoke, on=key, how="anti").select(*key, "device_type")
    doubtful = both.join(spoke, on=key, how="semi").filter(
        pl.col("first_ts added") <= pl.col("last_ts"), pl.col("device_type added") != pl.col("device_type")
    )["device"]
    rows = (
        pl.concat([held, new.update(silent, on=key)])
        .group_by(key)
        .agg(
            pl.col("home", "room", "category", "device_type").last(),
            pl.col("first_ts").min(),
            pl.col("last_ts").max(),
            pl.col("minutes").sum(),
        )
        .select(DEVICES.schema.names())
    )
    return rows, sorted({*lost, *doubtful})


def _sightings(events: pl.DataFrame) -> pl.DataFrame:
    """Build the sightings of `Naming`, one row per device and minute, sorted by minute and device."""
    key = ("ts", "device", "variable")
    ordered = events if is_ordered(events, key) else events.sort(key)
    begins = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in ("ts", "device"))
    # Only the columns that are kept are filtered: with so many rows each one costs.
    words = ordered.select("ts", "device", spoken=pl.col("variable") == _OPENING, word="value_text").filter(
        "spoken"
    )
    return (
        ordered.select("ts", "device", "home", "room", "utc_date")
        .filter(begins)
        .join(words, on=["ts", "device"], how="left", maintain_order="left")
        .with_columns(pl.col("spoken").fill_null(False))
    )


def device_types(devices: pl.DataFrame) -> pl.DataFrame:
    """Build DEVICE_TYPES: one row per device type, category and UTC date, from all devices of those dates."""
    return (
        devices.group_by("device_type", "category", "utc_date")
        .agg(devices=pl.len().cast(pl.Int64))
        .join(_KNOWN_CATEGORIES.drop("device_type"), on="category", how="left")
        .with_columns(pl.col("sensor_type").fill_null("unknown sensor"))
        .select(DEVICE_TYPES.schema.names())
        .sort(DEVICE_TYPES.schema.names())
    )


def variables(events: pl.DataFrame) -> pl.DataFrame:
    """Build VARIABLES: one row per variable and UTC date, from all events of those dates.

    A variable that `schemas` does not declare is of kind `unknown`.
    """
    return _described(_readings(events))


def variables_changed(held: pl.DataFrame, before: Naming, after: Naming) -> pl.DataFrame:
    """Update the VARIABLES rows of some dates, now that the events of `after` replace those of `before`."""
    gone = before.readings.with_columns(-pl.col("readings"))
    parts = [held.select(after.readings.columns), gone, after.readings]
    changed = pl.concat(parts).group_by("variable", "utc_date").agg(pl.col("readings").sum())
    return _described(changed.filter(pl.col("readings") > 0))


def _readings(events: pl.DataFrame) -> pl.DataFrame:
    """Count the events by variable and UTC date: variable, utc_date, readings."""
    return events.group_by("variable", "utc_date").agg(readings=pl.len().cast(pl.Int64))


def _described(counts: pl.DataFrame) -> pl.DataFrame:
    """Build VARIABLES rows from variable, utc_date and readings."""
    parts = pl.col("variable").str.splitn(".", 2)
    return (
        counts.join(_KNOWN_VARIABLES, on="variable", how="left")
        .with_columns(
            pl.col("kind").fill_null("unknown"),
            category=parts.struct.field("field_0"),
            field=parts.struct.field("field_1").fill_null(""),
        )
        .select(VARIABLES_TABLE.schema.names())
    )
