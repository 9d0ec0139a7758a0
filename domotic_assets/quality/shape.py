"""Observes the shape of sources: of a day's frames, a forecast file and a register's catalogue.

Names, kinds and counts, never a value. A part is optional here if it was seen too rarely to be missed. The
comparison with the contract belongs in `drift`.
"""

import csv
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from domotic_assets.ingest.decoding import decode
from domotic_assets.quality.contract import Groups, Part
from domotic_assets.schemas.homes.variables import VARIABLES
from domotic_assets.schemas.register import NEVER_READ, REGISTER

RARE = 0.5
"""A part is optional below this share of the most frequent one: a field's readings among those of its
category, a device's minutes among those of its home."""

HEADER_BYTES = 4096

NO_UNIT = "none"
"""Unit of a measurement whose lines state none."""

_KINDS = {"counter": "number", "unix_time": "number"}
"""Kinds of variables that look like another kind in the feed."""


@dataclass(frozen=True)
class FeedShape:
    """The shape of a day of sensor files.

    feed: category to field to kind. lists: categories with several devices in a room. rooms: home to room.
    bare: category to kind, if a value was found where rooms belong. mute: categories whose devices were named
    but gave no reading. readings: number by `category.field`. resting: variables that homes silent on this
    day sent when last heard; their absence is not an error.
    """

    feed: Groups
    lists: frozenset[str] = frozenset()
    rooms: Groups = field(default_factory=dict)
    bare: Mapping[str, str] = field(default_factory=dict)
    mute: frozenset[str] = frozenset()
    readings: Mapping[str, int] = field(default_factory=dict)
    resting: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ForecastShape:
    """The shape of a forecast file. measurements: None if its rows could not be read."""

    columns: tuple[str, ...]
    measurements: Groups | None = None


@dataclass(frozen=True)
class Shape:
    """The shape of each source; None if it was not observed."""

    feed: FeedShape | None = None
    forecast: ForecastShape | None = None
    register: Groups | None = None


def feed_shape(
    variables: pl.DataFrame,
    devices: pl.DataFrame,
    rejects: pl.DataFrame,
    unknown: pl.DataFrame,
    silent: Collection[str] = (),
    resting: Collection[str] = (),
) -> FeedShape:
    """Build the shape of one UTC date's sensor files.

    variables, devices, rejects: the date's rows of the Silver tables. unknown: variable, value and value_text
    of events whose variable is not declared. silent: devices named without a reading. resting: as in
    `FeedShape`.
    """
    counts = _counts(variables, rejects, unknown)
    kinds = {variable: _majority(of_kind) for variable, of_kind in counts.items()}
    readings = {variable: sum(of_kind.values()) for variable, of_kind in counts.items()}
    fields: dict[str, dict[str, int]] = {}
    for variable, number in readings.items():
        category, dot, name = variable.partition(".")
        if dot:
            fields.setdefault(category, {})[name] = number
    seen = _presence(devices, rejects, silent)
    rare = seen.group_by("category").agg(pl.col("is_rare").all()).filter("is_rare")["category"].to_list()
    return FeedShape(
        feed={
            category: {
                name: Part(
                    kinds[f"{category}.{name}"], category in rare or number < RARE * max(numbers.values())
                )
                for name, number in numbers.items()
            }
            for category, numbers in fields.items()
        },
        lists=frozenset(seen.filter(pl.col("place") > 1)["category"]),
        rooms=_rooms(seen),
        bare={name: kind for name, kind in kinds.items() if "." not in name and name not in fields},
        mute=frozenset(seen["category"]) - fields.keys() - kinds.keys(),
        readings=readings,
        resting=frozenset(resting),
    )


def _counts(
    variables: pl.DataFrame, rejects: pl.DataFrame, unknown: pl.DataFrame
) -> dict[str, dict[str, int]]:
    """Count readings by variable and kind, refused ones included."""
    counts: dict[str, dict[str, int]] = {}
    for variable, readings in variables.select("variable", "readings").iter_rows():
        if variable in VARIABLES:
            kind = VARIABLES[variable].kind
            counts[variable] = {_KINDS.get(kind, kind): readings}
    for row in _unknown_kinds(unknown).iter_rows(named=True):
        counts[row["variable"]] = {kind: number for kind, number in row.items() if kind != "variable"}
    refused = (
        rejects.filter(pl.col("source") == "sensor_files")
        .with_columns(kind=_REFUSED_KIND)
        .group_by("variable", "kind")
        .len()
    )
    for variable, kind, number in refused.iter_rows():
        held = counts.setdefault(variable, {})
        held[kind] = held.get(kind, 0) + number
    return counts


_RAW = pl.col("raw_text").str.strip_chars()
_REFUSED_KIND = (
    # NaN and infinity are no other kind: the feed sends them in place of a number.
    pl.when(pl.col("reason") == "not_finite")
    .then(pl.lit("number"))
    .when(_RAW.is_in(["true", "false"]))
    .then(pl.lit("flag"))
    .when(_RAW.str.starts_with("{"))
    .then(pl.lit("object"))
    .when(_RAW.str.starts_with("["))
    .then(pl.lit("list"))
    # A value refused as no number although it parses as one was in quotes: it is a text.
    .when((pl.col("reason") != "not_a_number") & _RAW.cast(pl.Float64, strict=False).is_not_null())
    .then(pl.lit("number"))
    .otherwise(pl.lit("text"))
)


def _unknown_kinds(unknown: pl.DataFrame) -> pl.DataFrame:
    """Count readings of undeclared variables, a column per kind.

    A variable with only 0 and 1 may be a flag, one with only on and off a state.
    """
    number, text = pl.col("value").drop_nulls(), pl.col("value_text").drop_nulls()
    numbers = unknown.group_by("variable").agg(
        values=number.len(), flags=number.is_in([0.0, 1.0]).all(),
        texts=text.len(), states=text.is_in(["on", "off"]).all(),
    )  # fmt: skip
    kinds = {
        "flag or number": ("values", pl.col("flags")),
        "number": ("values", ~pl.col("flags")),
        "state or text": ("texts", pl.col("states")),
        "text": ("texts", ~pl.col("states")),
    }
    return numbers.select(
        "variable",
        *(pl.when(alike).then(count).otherwise(0).alias(kind) for kind, (count, alike) in kinds.items()),
    )


def _majority(of_kind: Mapping[str, int]) -> str:
    """Return the kind of most readings; on a tie the one counted first, which is the declared kind."""
    return max(of_kind, key=lambda kind: of_kind[kind])


def _presence(devices: pl.DataFrame, rejects: pl.DataFrame, silent: Collection[str]) -> pl.DataFrame:
    """List every device that files named, one row each: home, room, category, place, minutes, is_rare."""
    mute = pl.concat([rejects["device"].drop_nulls(), pl.Series(silent, dtype=pl.String)]).unique()
    named = pl.concat([devices.select("device", "minutes"), pl.DataFrame({"device": mute})], how="diagonal")
    part = pl.col("device").str.split("/").list
    return (
        named.group_by("device")
        .agg(pl.col("minutes").max())
        .select(
            home=part.get(0),
            room=part.get(1),
            category=part.get(2),
            place=part.get(3).cast(pl.Int64),
            minutes="minutes",
        )
        # A device that was named but gave no reading is not rare: how often it was there is unknown.
        .with_columns(
            is_rare=(pl.col("minutes") < RARE * pl.col("minutes").max().over("home")).fill_null(False)
        )
    )


def _rooms(seen: pl.DataFrame) -> Groups:
    """Build home to room; a room is optional if all its devices are rare. seen: as `_presence` returns it."""
    rooms: dict[str, dict[str, Part]] = {}
    for home, room, rare in seen.group_by("home", "room").agg(pl.col("is_rare").all()).iter_rows():
        rooms.setdefault(home, {})[room] = Part("room", rare)
    return rooms


def header_of(content: bytes) -> tuple[str, ...]:
    """Parse the header of a CSV: the fields of its first line that is not blank."""
    lines = decode(content[:HEADER_BYTES]).splitlines()
    first = next((line for line in lines if line.strip()), "")
    return tuple(name.strip() for name in next(csv.reader([first], skipinitialspace=True), []))


def forecast_shape(content: bytes, forecasts: pl.DataFrame) -> ForecastShape:
    """Build the shape of a forecast file from its bytes and its rows of silver/weather_forecasts.

    Units are those that the file states, since Silver has every value in the unit of its measurement.
    """
    columns = header_of(content)
    stated = _stated_units(content, columns)
    measurements: dict[str, dict[str, Part]] = {}
    for measurement, variant in forecasts.select("measurement", "variant").unique().sort(pl.all()).rows():
        # A measurement without a variant is named alone.
        names = (f"{measurement}_{variant}".casefold(), measurement.casefold())
        units = stated.get(names[0]) or stated.get(names[1]) or Counter()
        # Damaged lines may have a unit of their own: the most frequent one counts.
        unit = min(units, key=lambda unit: (-units[unit], unit), default="")
        measurements.setdefault(measurement, {})[variant] = Part(unit or NO_UNIT)
    return ForecastShape(columns, measurements or None)


def _stated_units(content: bytes, columns: Sequence[str]) -> dict[str, Counter[str]]:
    """Count the lines of a forecast by measurement in small letters, and by unit; empty without a header."""
    names = [column.casefold() for column in columns]
    if not {"measurement", "unit"} <= set(names):
        return {}
    fields = pl.Series([decode(content).replace("\r", "\n")]).str.split("\n").explode().str.split(",").list
    # Counted from the end, as a site may have a comma.
    places = {name: names.index(name) - len(names) for name in ("measurement", "unit")}
    lines = pl.DataFrame(
        [
            fields.get(place, null_on_oob=True).str.strip_chars(_AROUND).alias(name)
            for name, place in places.items()
        ]
    )
    counts: dict[str, Counter[str]] = {}
    for measurement, unit, number in lines.drop_nulls().group_by("measurement", "unit").len().rows():
        counts.setdefault(measurement.casefold(), Counter())[unit] += number
    return counts


_AROUND = ' \t"'
"""What may stand around a field."""


def register_shape(catalogue: Mapping[str, Mapping[str, str]]) -> Groups:
    """Build the shape of a register: table to column to kind, without personal tables.

    A table that is never read counts by its name only. A column that is never read is optional.
    """
    shape: dict[str, dict[str, Part]] = {}
    for table, columns in catalogue.items():
        known = REGISTER.get(table.lower())
        if table.lower() in NEVER_READ:
            continue
        read = {column.name.lower() for column in known.columns} if known else set()
        shape[table] = (
            {name: Part(kind, name.lower() not in read) for name, kind in columns.items()} if known else {}
        )
    return shape
