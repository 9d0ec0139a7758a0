"""Declares Bronze of the homes: sensor files exactly as received."""

from domotic_assets.schemas.received import FILE_COLUMNS
from domotic_assets.schemas.table import UTC_DATE, Cadence, Place, Subject, Table, moment, text

SENSOR_FILES = Table(
    layer="bronze",
    name="sensor_files",
    grain="one row per version of a sensor file, and per later sighting of the same bytes",
    columns=(
        *FILE_COLUMNS,
        text("home", "home that its user belongs to; null where neither name nor content names one"),
        moment("window", "UTC minute of the name (pass told apart), else of the last write", nullable=False),
        text("window_source", "where the window was read: name, arrival or inside", nullable=False),
        UTC_DATE,
    ),
    primary_key=("name", "window", "arrived_at"),
    subject=Subject.HOME,
    cadence=Cadence.MINUTE,
    place=Place("window"),
    partition="utc_date",
    sort=("window", "name", "arrived_at"),
)
