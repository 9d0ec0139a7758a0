"""Encodes the room, device and minute of events as whole numbers.

Events of one room or device and minute are brought together again and again. A number is sorted, grouped and
joined in a fraction of the time that a time and texts take.
"""

from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.table import UTC_TIME, surrogate_key

_MINUTE_US = 60_000_000
_MINUTES_EVER = 2**32


@dataclass(frozen=True)
class Placed:
    """Events with numbered places: the minute in µs plus the number of the room or device.

    events: with `room_minute` and `device_minute` instead of ts and device. seen: room_minute and feed
    category of every device and minute, silent devices included; rows may repeat. rooms: room ids in order of
    their numbers.
    """

    events: pl.DataFrame
    seen: pl.DataFrame
    rooms: pl.Series

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Replace room_minute by ts, home, room_key and apartment_key."""
        minute = pl.col("room_minute") // _MINUTE_US * _MINUTE_US
        number = pl.col("room_minute") % _MINUTE_US
        homes = [room.split("/")[0] for room in self.rooms]
        # Computed for the few rooms, not for each row.
        of_rooms = pl.DataFrame(
            {
                "home": homes,
                "room_key": list(map(surrogate_key, self.rooms)),
                "apartment_key": list(map(surrogate_key, homes)),
            },
            schema={"home": pl.String, "room_key": pl.Int64, "apartment_key": pl.Int64},
        )
        return rows.select(
            minute.cast(UTC_TIME).alias("ts"),
            *(pl.lit(column).gather(number).alias(column.name) for column in of_rooms),
            pl.exclude("room_minute"),
        )


def by_room() -> pl.Expr:
    """Build a number that orders rows by room, then minute: a minute adds 1, the next room 2³²."""
    return pl.col("room_minute") % _MINUTE_US * _MINUTES_EVER + pl.col("room_minute") // _MINUTE_US


def placed(events: pl.DataFrame, silent: pl.DataFrame | None = None) -> Placed:
    """Encode room, device and minute of events (ts, device and more) and of silent devices (ts, device)."""
    begins = begins_of_runs(events)
    runs = events.select("ts", "device").filter(begins)
    every = runs if silent is None else pl.concat([runs, silent.select("ts", "device")])
    devices = every["device"].unique().sort()
    parts = devices.str.split("/")
    room_of = parts.list.head(2).list.join("/")
    rooms = room_of.unique(maintain_order=True)
    room_numbers = room_of.cast(pl.Enum(rooms)).to_physical().cast(pl.Int64)
    categories = parts.list.get(2, null_on_oob=True)
    numbered = every.select(
        minute=pl.col("ts").to_physical(),
        number=pl.col("device").cast(pl.Enum(devices)).to_physical().cast(pl.Int64),
    ).select(
        device_minute=pl.col("minute") + pl.col("number"),
        room_minute=pl.col("minute") + pl.lit(room_numbers).gather("number"),
        category=pl.lit(categories).gather("number"),
    )
    of_run = numbered.select("room_minute", "device_minute")[begins.cum_sum() - 1]
    return Placed(
        events.drop("ts", "device").with_columns(of_run.get_columns()),
        numbered.select("room_minute", "category"),
        rooms,
    )


def begins_of_runs(events: pl.DataFrame) -> pl.Series:
    """Mark the events whose device or minute is not that of the row before.

    Readings of a device and minute are mostly adjacent. So the first of each run is enough to tell where and
    when something was seen.
    """
    differs = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in ("device", "ts"))
    return events.select(differs.fill_null(True)).to_series()
