"""Where and when events are, as whole numbers.

What lies in the same room or device and minute is put together again and again. A number is sorted, grouped
and joined in a fraction of the time that a time and texts take.
"""

from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.table import UTC_TIME, surrogate_key

_MINUTE_US = 60_000_000
_MINUTES_EVER = 2**32


@dataclass(frozen=True)
class Placed:
    """Events by number of place and minute: that of the minute in µs, plus that of the room or device.

    events: without ts and device, but with `room_minute` and `device_minute`. seen: room_minute
    and feed category of every device and minute, of silent devices too; some may repeat. rooms: room ids in
    order of their numbers.
    """

    events: pl.DataFrame
    seen: pl.DataFrame
    rooms: pl.Series

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with ts, home and the keys of both places instead of their room_minute."""
        minute = pl.col("room_minute") // _MINUTE_US * _MINUTE_US
        number = pl.col("room_minute") % _MINUTE_US
        homes = [room.split("/")[0] for room in self.rooms]
        # Of the few rooms, not of each row.
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
    """A number that orders rows by room, then minute. A minute more is 1, another room more than any hold."""
    return pl.col("room_minute") % _MINUTE_US * _MINUTES_EVER + pl.col("room_minute") // _MINUTE_US


def placed(events: pl.DataFrame, silent: pl.DataFrame | None = None) -> Placed:
    """Events (ts, device and more) and silent devices (ts, device), by number of place and minute."""
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
    """Of each event whether the one before it is of another device or minute.

    Readings of a device and minute mostly stand together: to tell where and when something was seen, the
    first of each run says as much as all.
    """
    differs = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in ("device", "ts"))
    return events.select(differs.fill_null(True)).to_series()
