"""Bronze tables: exact bytes and rows as received."""

import polars as pl

from domotic_assets.schemas.table import UTC_DATE, Column, Table, day, moment, text, whole

_FILE_COLUMNS = (
    text("file_id", "hash of source, name and bytes", nullable=False),
    text("name", "file name as on the source; holds a user name", nullable=False),
    moment("arrived_at", "last write, never before an earlier version of the name", nullable=False),
    moment("modified_at", "last write as the source stated it when the file was read", nullable=False),
    whole("size_bytes", "size as the source stated it when the file was read", "B", nullable=False),
    Column("content", pl.Binary(), "the bytes, unchanged; null where an earlier row of the file_id has them"),
)

SENSOR_FILES = Table(
    layer="bronze",
    name="sensor_files",
    grain="one row per version of a sensor file, and per later sighting of the same bytes",
    columns=(
        *_FILE_COLUMNS,
        text("home", "home that its user belongs to; null where neither name nor content names one"),
        moment("window", "UTC minute of the name (pass told apart), else of arrival", nullable=False),
        text("window_source", "where the window was read: name or arrival", nullable=False),
        UTC_DATE,
    ),
    primary_key=("name", "window", "arrived_at"),
    partition="utc_date",
    sort=("window", "name", "arrived_at"),
)

WEATHER_FILES = Table(
    layer="bronze",
    name="weather_files",
    grain="one row per version of a forecast file, and per later sighting of the same bytes",
    columns=(*_FILE_COLUMNS, day("utc_date", "date of issue (of the name); physical partition")),
    primary_key=("name", "arrived_at"),
    partition="utc_date",
    sort=("name", "arrived_at"),
)

REGISTER_ROWS = Table(
    layer="bronze",
    name="register_rows",
    grain="one row per change of a register row",
    columns=(
        text("source", "the register's kind", nullable=False),
        text("table", "register table, lower case", nullable=False),
        text("key", "primary key of the row as text", nullable=False),
        text("op", "insert, update or delete", nullable=False),
        whole("sequence", "number of the change within the source, from 1", nullable=False),
        moment("ts", "when the change was seen", nullable=False),
        text("before", "the row before, as JSON; allowed columns only"),
        text("after", "the row after, as JSON; allowed columns only"),
    ),
    primary_key=("source", "sequence"),
    sort=("sequence",),
)

TABLES = (SENSOR_FILES, WEATHER_FILES, REGISTER_ROWS)
