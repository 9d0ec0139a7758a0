"""The sample domain's table: batteries, minute by minute."""

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
from domotic_assets.schemas.table import UTC_DATE, Cadence, Place, Subject, Table, level

FACT_BATTERY_MINUTE = Table(
    layer="gold",
    name="fact_battery_minute",
    grain="one row per device and minute with a battery reading within bounds",
    columns=(
        DATETIME_KEY,
        date_key_column(),
        key_column("device_key", "device"),
        ROOM_KEY,
        APARTMENT_KEY,
        level("battery_pct", "battery", "%", 0, 100),
        UTC_DATE,
    ),
    primary_key=("datetime_key", "device_key"),
    subject=Subject.HOME,
    cadence=Cadence.MINUTE,
    place=Place("datetime_key"),
    foreign_keys=(TO_DATETIME, TO_DATE, TO_DEVICE, TO_ROOM, TO_APARTMENT),
    partition="utc_date",
    sort=("datetime_key", "device_key"),
)
