"""Builds the dimensions of homes, rooms and devices: current state, one row each.

What exists comes from sites.yaml and the feed. The register only adds what is certain: a row joins if exactly
one matches on both sides. Tariffs belong in `tariffs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from domotic_assets.registry.registry import Registry
from domotic_assets.same_name import name_key
from domotic_assets.schemas.homes.gold import DIM_APARTMENT, DIM_DEVICE, DIM_ROOM
from domotic_assets.schemas.homes.variables import CATEGORIES
from domotic_assets.schemas.register import SILVER_REGISTER
from domotic_assets.schemas.table import NO_KEY, surrogate_key
from domotic_assets.star.keys import key_of

RegisterFrames = Mapping[str, pl.DataFrame]
"""Register table to its Silver frame; a missing table counts as empty."""

UNKNOWN_ROOM_TYPE = "unknown"
PLUG = "plug"
HOUSE_METER, SUB_METER = "house_meter", "sub_meter"

# The register's words for sensors to the feed's device types.
DEVICE_TYPE_OF_SENSOR = {
    "plug": "plug",
    "door": "door",
    "window": "window",
    "motion": "motion_sensor",
    "climate": "climate_station",
    "humidity": "humidity_sensor",
    "meter": HOUSE_METER,
}
DEVICE_NOUN = {
    "motion_sensor": "motion sensor",
    "climate_station": "climate station",
    "humidity_sensor": "humidity sensor",
    HOUSE_METER: "meter",
    SUB_METER: "meter",
}


@dataclass(frozen=True)
class Matches:
    """How many register rows and feed devices matched each other, and how many did not."""

    matched: int
    register_unmatched: int
    feed_unmatched: int


@dataclass(frozen=True)
class DeviceDimension:
    """`DIM_DEVICE`, and how many register sensors and appliances matched the feed's devices and plugs."""

    devices: pl.DataFrame
    sensors: Matches
    appliances: Matches


def dim_apartment(registry: Registry, register: RegisterFrames, devices: pl.DataFrame) -> pl.DataFrame:
    """Build `DIM_APARTMENT`: one row per home of sites.yaml, or that has left it but still has data.

    devices: Silver `DEVICES`.
    """
    buildings = _register_table(register, "buildings")
    of_home: dict[str, list[int]] = {}
    for home_id, building in buildings.select("home", "id_building").drop_nulls().iter_rows():
        of_home.setdefault(home_id, []).append(building)
    rows, sites = [], registry.site_names()
    for home in registry.homes:
        found = of_home.get(home.id, [])
        rows.append(
            (
                surrogate_key(home.id),
                home.id,
                home.name,
                registry.owner_of(home.id),
                found[0] if len(found) == 1 else None,
                home.building_name or None,
                home.floor,
                NO_KEY if home.weather_site is None else surrogate_key(sites[name_key(home.weather_site)]),
            )
        )
    listed = {home.id for home in registry.homes}
    rows += [
        (surrogate_key(home_id), home_id, home_id, None, None, None, None, NO_KEY)
        for home_id in devices["home"].unique().to_list()
        if home_id not in listed
    ]
    return pl.DataFrame(rows, schema=DIM_APARTMENT.schema, orient="row").sort(DIM_APARTMENT.sort)


def dim_room(registry: Registry, devices: pl.DataFrame) -> pl.DataFrame:
    """Build `DIM_ROOM`: one row per room of sites.yaml or of the feed.

    devices: Silver `DEVICES`.
    """
    rooms = {
        (home.id, f"{home.id}/{room.id}"): (room.name, room.type)
        for home in registry.homes
        for room in home.rooms.values()
    }
    for home_id, room_id in devices.select("home", "room").unique().iter_rows():
        if (home_id, room_id) not in rooms:
            name = room_id.removeprefix(f"{home_id}/").capitalize()
            rooms[home_id, room_id] = (name, UNKNOWN_ROOM_TYPE)
    rows = [
        (surrogate_key(room_id), room_id, name, room_type, surrogate_key(home_id))
        for (home_id, room_id), (name, room_type) in rooms.items()
    ]
    return pl.DataFrame(rows, schema=DIM_ROOM.schema, orient="row").sort(DIM_ROOM.sort)


def dim_device(
    registry: Registry, devices: pl.DataFrame, register: RegisterFrames, newest_window: datetime | None
) -> DeviceDimension:
    """Build `DIM_DEVICE`: one row per device of the feed, with what the register adds.

    devices: Silver `DEVICES`; a device's type is that of its newest date, as a sensor may be moved from a
    door to a window. newest_window: start of the data's newest minute, from which activity is counted back;
    None makes every device inactive.
    """
    current = (
        devices.sort("utc_date")
        .group_by("device", maintain_order=True)
        .agg(pl.col("home", "room", "category", "device_type").last(), pl.col("last_ts").max())
        .sort("device")
        .with_columns(
            # A meter of any other room measures a part of what the house meter does.
            device_type=pl.when(
                pl.col("device_type") == HOUSE_METER,
                ~pl.col("room").is_in([home.house for home in registry.homes]),
            )
            .then(pl.lit(SUB_METER))
            .otherwise("device_type")
        )
    )
    sensors = _rooms_of(_register_table(register, "sensors"), register, registry).with_columns(
        device_type=pl.col("type").str.to_lowercase().replace_strict(DEVICE_TYPE_OF_SENSOR, default=None)
    )
    appliances = _rooms_of(_register_table(register, "devices"), register, registry)
    plugs = current.filter(pl.col("device_type") == PLUG)
    named_plugs = _pairs(plugs, appliances, ["room"])
    sensor_pairs = _pairs(current, sensors, ["room", "device_type"])
    active_since = (
        None if newest_window is None else newest_window - timedelta(days=registry.settings.active_days)
    )
    rows = _named(current, dim_room(registry, devices)).join(
        named_plugs.select("device", appliance="name"), on="device", how="left"
    )
    frame = rows.select(
        device_key=key_of("device"),
        device_id="device",
        room_key=key_of("room"),
        device_name=pl.coalesce("appliance", "device_name"),
        device_type="device_type",
        sensor_type=pl.col("category").replace(
            {category.name: category.sensor_type for category in CATEGORIES.values()}
        ),
        is_active=pl.lit(False) if active_since is None else pl.col("last_ts") > active_since,
    )
    return DeviceDimension(
        frame.select(list(DIM_DEVICE.schema)).sort(DIM_DEVICE.sort),
        sensors=_matches(sensor_pairs, sensors, current),
        appliances=_matches(named_plugs, appliances, plugs),
    )


def _named(devices: pl.DataFrame, rooms: pl.DataFrame) -> pl.DataFrame:
    """Add device_name to devices: "Kitchen plug"; "Office window 2" if a room has several of the category.

    rooms: `DIM_ROOM`.
    """
    noun = pl.col("device_type").replace(DEVICE_NOUN)
    place = pl.col("device").str.extract(r"([^/]*)$")
    several = pl.len().over("room", "category") > 1
    return devices.join(rooms.select("room_name", room="room_id"), on="room", how="left").with_columns(
        device_name=pl.when(several)
        .then(pl.format("{} {} {}", "room_name", noun, place))
        .otherwise(pl.format("{} {}", "room_name", noun))
    )


def _register_table(register: RegisterFrames, name: str) -> pl.DataFrame:
    """Return the Silver frame of a register table; an empty frame if there is none."""
    return register.get(name, SILVER_REGISTER[name].empty())


def _rooms_of(rows: pl.DataFrame, register: RegisterFrames, registry: Registry) -> pl.DataFrame:
    """Add `room`, the id `home/room`, to register rows with id_room; null if no home has the room."""
    ids = {home.id: home.room_ids() for home in registry.homes}
    homes = dict(_register_table(register, "buildings").select("id_building", "home").iter_rows())
    rooms = {}
    for id_room, id_building, name in (
        _register_table(register, "rooms").select("id_room", "id_building", "name").iter_rows()
    ):
        home = homes.get(id_building)
        if home is not None and name is not None:
            key = name_key(name)
            rooms[id_room] = f"{home}/{ids.get(home, {}).get(key, key)}"
    return rows.with_columns(
        room=pl.col("id_room").replace_strict(rooms, default=None, return_dtype=pl.String)
    )


def _pairs(feed: pl.DataFrame, register_rows: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Join feed rows to register rows if exactly one of each has the same values in `on`."""
    only_feed = feed.filter(pl.len().over(on) == 1)
    only_register = register_rows.drop_nulls(on).filter(pl.len().over(on) == 1)
    return only_feed.join(only_register, on=on)


def _matches(pairs: pl.DataFrame, register_rows: pl.DataFrame, feed: pl.DataFrame) -> Matches:
    """Count the pairs, and the register rows and feed rows that are in no pair."""
    return Matches(pairs.height, register_rows.height - pairs.height, feed.height - pairs.height)
