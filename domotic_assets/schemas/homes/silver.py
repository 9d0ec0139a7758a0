"""Silver of the homes: events, files, and the definitions read off them."""

import polars as pl

from domotic_assets.schemas.table import UTC_DATE, Column, Table, count, flag, level, moment, text, whole

SENSOR_EVENTS = Table(
    layer="silver",
    name="sensor_events",
    grain="one row per device, variable and minute",
    columns=(
        moment("ts", "minute of the reading", nullable=False),
        text("home", "home id", nullable=False),
        text("room", "room id, home/room", nullable=False),
        text("device", "device id, home/room/category/place", nullable=False),
        text("variable", "category.field", nullable=False),
        Column("value", pl.Float64(), "the reading; flags 0/1, open = 1"),
        text("value_text", "text readings and unknown nested ones, cut at 500 characters"),
        whole("value_text_length", "length of the text in the file; nested ones as JSON", "characters"),
        text("unit", "unit of the value"),
        flag("is_outlier", "the value lies outside its variable's bounds", nullable=False),
        text("file_id", "file it came from", nullable=False),
        UTC_DATE,
    ),
    primary_key=("ts", "device", "variable"),
    partition="utc_date",
    sort=("ts", "device", "variable"),
)

SENSOR_FILES = Table(
    layer="silver",
    name="sensor_files",
    grain="one row per file version",
    columns=(
        text("file_id", "file version", nullable=False),
        text("home", "home id; null where unknown"),
        moment("window", "UTC minute of the window that the file belongs to", nullable=False),
        moment("minute", "UTC minute of its readings; null where unreadable"),
        moment("arrived_at", "last write on the source", nullable=False),
        text("status", "loaded, partial (some values rejected), superseded or quarantined", nullable=False),
        text("reason", "why it is quarantined"),
        text("time_source", "where the minute was read: inside or name"),
        text("time_note", "skipped_by_spring, repeated_in_autumn, unreadable_inside or missing_inside"),
        count("events", "readings taken"),
        count("rejects", "readings refused"),
        count("nulls", "JSON nulls, neither reading nor reject"),
        Column("silent_devices", pl.List(pl.String()), "devices it names without an accepted reading"),
        UTC_DATE,
    ),
    primary_key=("file_id", "window"),
    partition="utc_date",
    sort=("window", "file_id"),
)

DEVICES = Table(
    layer="silver",
    name="devices",
    grain="one row per device and UTC date on which it was seen",
    columns=(
        text("device", "device id", nullable=False),
        text("home", "home id", nullable=False),
        text("room", "room id", nullable=False),
        text("category", "category of the feed", nullable=False),
        text("device_type", "plug, house_meter, door, window, …; unknown for a new category", nullable=False),
        moment("first_ts", "first reading of the date", nullable=False),
        moment("last_ts", "last reading of the date", nullable=False),
        count("minutes", "minutes with a reading"),
        UTC_DATE,
    ),
    primary_key=("device", "utc_date"),
    partition="utc_date",
    sort=("device",),
)

VARIABLES = Table(
    layer="silver",
    name="variables",
    grain="one row per variable and UTC date on which it was seen",
    columns=(
        text("variable", "category.field", nullable=False),
        text("category", "category of the feed", nullable=False),
        text("field", "field of the feed", nullable=False),
        text("kind", "value kind; unknown for a new field", nullable=False),
        text("unit", "unit"),
        Column("minimum", pl.Float64(), "lower bound"),
        Column("maximum", pl.Float64(), "upper bound"),
        count("readings", "readings of the date"),
        UTC_DATE,
    ),
    primary_key=("variable", "utc_date"),
    partition="utc_date",
    sort=("variable",),
)

DEVICE_TYPES = Table(
    layer="silver",
    name="device_types",
    grain="one row per device type and UTC date on which it was seen",
    columns=(
        text("device_type", "device type", nullable=False),
        text("category", "category of the feed", nullable=False),
        text("sensor_type", "what it is, in words", nullable=False),
        count("devices", "devices of the type"),
        UTC_DATE,
    ),
    primary_key=("device_type", "category", "utc_date"),
    partition="utc_date",
    sort=("device_type",),
)

READING_DAYS = Table(
    layer="silver",
    name="reading_days",
    grain="one row per device, variable and UTC date, of dates that were over when they were looked at",
    columns=(
        text("home", "home id", nullable=False),
        text("device", "device id", nullable=False),
        text("variable", "category.field of a bounded number", nullable=False),
        count("readings", "readings of the date"),
        count("outliers", "readings out of bounds"),
        level("low", "10 % of the sizes, of readings that are neither 0 nor out of bounds", "as in unit"),
        level("middle", "50 % of them", "as in unit"),
        level("high", "90 % of them", "as in unit"),
        whole("longest_flat", "most readings in a row of one exact value", nullable=False),
        UTC_DATE,
    ),
    primary_key=("device", "variable", "utc_date"),
    partition="utc_date",
    sort=("device", "variable"),
    note="What later days are compared with by checks; the newest dates only.",
)
