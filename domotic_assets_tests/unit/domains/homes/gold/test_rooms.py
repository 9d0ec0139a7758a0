"""Rooms: which sensor speaks for a room, what an outlier leaves, doors and windows, motion and its hold."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.homes.gold.rooms import environment_minutes, presence_minutes, reach_of_presence
from domotic_assets.schemas.homes.gold import FACT_ENVIRONMENT_MINUTE, FACT_PRESENCE_MINUTE
from domotic_assets.schemas.table import UTC_TIME, surrogate_key
from domotic_assets_tests.support.builders import registry

NOON = datetime(2023, 9, 4, 10, 0, tzinfo=UTC)
ROOM = "jimmy/office"
CLIMATE = ("temperature_c", "humidity_pct", "co2_ppm", "noise_db", "pressure_hpa", "is_anomaly")

Event = dict[str, Any]


def event(
    variable: str,
    value: float | str,
    *,
    minute: int = 0,
    place: int = 1,
    room: str = ROOM,
    is_outlier: bool = False,
) -> Event:
    """A silver event so many minutes after noon; its device follows from room, category and place."""
    category, _ = variable.split(".")
    return {
        "ts": NOON + timedelta(minutes=minute),
        "home": room.split("/")[0],
        "room": room,
        "device": f"{room}/{category}/{place}",
        "variable": variable,
        "value": None if isinstance(value, str) else value,
        "value_text": value if isinstance(value, str) else None,
        "is_outlier": is_outlier,
    }


def opening(kind: str, is_open: bool | None, place: int = 1, **where: Any) -> list[Event]:
    """A door or window; its state is missing where None."""
    events = [event("doorsWindows.type", kind, place=place, **where)]
    if is_open is not None:
        events.append(event("doorsWindows.switch", float(is_open), place=place, **where))
    return events


def motion(minute: int, seen: bool, **where: Any) -> Event:
    return event("motions.motion", float(seen), minute=minute, **where)


def frame(events: Iterable[Event]) -> pl.DataFrame:
    text = pl.String()
    schema: dict[str, pl.DataType] = {
        "ts": UTC_TIME,
        "home": text,
        "room": text,
        "device": text,
        "variable": text,
    }
    schema |= {"value": pl.Float64(), "value_text": text, "is_outlier": pl.Boolean()}
    return pl.DataFrame(list(events), schema=schema)


def silent_devices(*devices: str, minute: int = 0) -> pl.DataFrame:
    """Devices that a file of that minute names without a reading."""
    rows = [
        (NOON + timedelta(minutes=minute), device.split("/")[0], device.rsplit("/", 2)[0], device)
        for device in devices
    ]
    schema = {"ts": UTC_TIME, "home": pl.String(), "room": pl.String(), "device": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def environment(events: Iterable[Event], *silent: str) -> list[dict[str, Any]]:
    """fact_environment_minute of the events, by minute and room."""
    rows = environment_minutes(frame(events), silent_devices(*silent), registry())
    assert rows.schema == FACT_ENVIRONMENT_MINUTE.schema
    return rows.sort("datetime_key", "room_key").to_dicts()


def climate(events: Iterable[Event], *silent: str) -> tuple[Any, ...]:
    """The climate columns of the one row that the events make."""
    [row] = environment(events, *silent)
    return tuple(row[name] for name in CLIMATE)


def presence(events: Iterable[Event], minutes: Iterable[int], *columns: str) -> dict[int, Any]:
    """Minute after noon to a column (or columns) of fact_presence_minute, for the given minutes."""
    chosen = pl.Series([NOON + timedelta(minutes=n) for n in minutes], dtype=UTC_TIME)
    rows = presence_minutes(frame(events), chosen, registry())
    assert rows.schema == FACT_PRESENCE_MINUTE.schema
    moments = rows["datetime_key"].cast(pl.String).str.to_datetime("%Y%m%d%H%M", time_zone="UTC")
    values = [row[0] if len(columns) == 1 else row for row in rows.select(columns).iter_rows()]
    return {(at - NOON) // timedelta(minutes=1): value for at, value in zip(moments, values, strict=True)}


STATION = [event("meteos.Temperature", 24.8), event("meteos.Humidity", 44.0), event("meteos.CO2", 1_256.0)]
HUMIDITY = [event("humidities.temperature", 25.3), event("humidities.humidity", 59.9)]
MOTION = [event("motions.temperature", 24.1), event("motions.light", 144.0)]


# Who speaks for a room -------------------------------------------------------------------------------


def test_an_environment_minute_with_all_its_columns() -> None:
    """Half past midnight on the home's clock: the UTC date is the day before."""
    late: dict[str, Any] = {"minute": 750, "room": "jimmy/livingroom"}
    readings = {"Temperature": 25.9, "Humidity": 45.0, "CO2": 980.0, "Noise": 31.0, "Pressure": 1016.6}
    events = [event(f"meteos.{name}", value, **late) for name, value in readings.items()]
    events += [event("meteos.AbsolutePressure", 957.3, **late), event("meteos.battery_percent", 88.0, **late)]
    events += [*opening("Window", True, **late), *opening("Door", False, 2, **late)]
    assert environment(events) == [
        {
            "datetime_key": 202309042230,
            "date_key": 20230905,
            "room_key": surrogate_key("jimmy/livingroom"),
            "apartment_key": surrogate_key("jimmy"),
            "temperature_c": 25.9,
            "humidity_pct": 45.0,
            "co2_ppm": 980.0,
            "noise_db": 31.0,
            "pressure_hpa": 1016.6,
            "window_open_flag": True,
            "door_open_flag": False,
            "is_anomaly": False,
            "utc_date": datetime(2023, 9, 4).date(),
        }
    ]


@pytest.mark.parametrize(
    ("events", "temperature_c", "humidity_pct"),
    [
        pytest.param([*MOTION, *HUMIDITY, *STATION], 24.8, 44.0, id="a station before all others"),
        pytest.param([*MOTION, *HUMIDITY], 25.3, 59.9, id="a humidity sensor before a motion sensor"),
        pytest.param(MOTION, 24.1, None, id="a motion sensor alone, which knows no humidity"),
    ],
)
def test_the_first_climate_source_of_the_minute_speaks(
    events: list[Event], temperature_c: float, humidity_pct: float | None
) -> None:
    assert climate(events)[:2] == (temperature_c, humidity_pct)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([STATION[1], *HUMIDITY, *MOTION], id="null or rejected in the station"),
        pytest.param(
            [event("meteos.Temperature", 85.3, is_outlier=True), STATION[1], *HUMIDITY, *MOTION],
            id="out of bounds in the station",
        ),
    ],
)
def test_sensors_are_not_mixed(events: list[Event]) -> None:
    """The station speaks, so its missing temperature is nobody else's."""
    assert climate(events)[:2] == (None, 44.0)


def test_a_station_that_says_nothing_at_all_still_speaks() -> None:
    """Every reading of it was null or refused: no other sensor stands in for it."""
    events = [*MOTION, *opening("Window", False)]
    [row] = environment(events, f"{ROOM}/meteos/1")
    assert (row["temperature_c"], row["humidity_pct"], row["is_anomaly"]) == (None, None, False)
    assert environment(events, "jimmy/kitchen/meteos/1")[0]["temperature_c"] == 24.1


def test_each_minute_and_room_has_its_own_source() -> None:
    """The station drops out for a minute, and the humidity sensor speaks then; the kitchen is not asked."""
    events = [*STATION, *HUMIDITY, event("humidities.temperature", 25.5, minute=1)]
    events.append(event("meteos.Temperature", 19.0, minute=1, room="jimmy/kitchen"))
    rows = environment(events)
    assert {(row["datetime_key"], row["room_key"]): row["temperature_c"] for row in rows} == {
        (202309041000, surrogate_key(ROOM)): 24.8,
        (202309041001, surrogate_key(ROOM)): 25.5,
        (202309041001, surrogate_key("jimmy/kitchen")): 19.0,
    }


def test_a_plug_never_speaks_for_a_room() -> None:
    """It is warm inside a plug."""
    assert environment([event("plugs.temperature", 31.2)]) == []
    assert climate([event("plugs.temperature", 31.2), *HUMIDITY])[0] == 25.3


def test_no_row_without_a_reading() -> None:
    assert environment([]) == []
    assert environment([], f"{ROOM}/meteos/1") == []


# Outliers --------------------------------------------------------------------------------------------


@pytest.mark.rule(7)
def test_an_outlier_is_left_out_and_makes_the_row_an_anomaly() -> None:
    events = [*STATION[:2], event("meteos.CO2", 65_535.0, is_outlier=True), event("meteos.Noise", 31.0)]
    assert climate(events) == (24.8, 44.0, None, 31.0, None, True)


@pytest.mark.rule(7)
def test_is_anomaly_speaks_of_the_readings_of_the_row() -> None:
    """Not of a sensor that does not speak for the room, nor of a battery, nor of another minute."""
    silenced = event("motions.temperature", -127.0, is_outlier=True)
    battery = event("meteos.battery_percent", 255.0, is_outlier=True)
    assert climate([*STATION, silenced, battery])[-1] is False
    assert climate([silenced]) == (None, None, None, None, None, True)
    later = event("meteos.CO2", 65_535.0, minute=1, is_outlier=True)
    assert [row["is_anomaly"] for row in environment([*STATION, later])] == [False, True]


# Doors and windows -----------------------------------------------------------------------------------


@pytest.mark.rule(3)
@pytest.mark.parametrize(
    ("first", "second", "is_open"),
    [(True, False, True), (False, True, True), (True, True, True), (False, False, False)],
)
def test_a_room_with_two_windows_is_open_while_any_is(first: bool, second: bool, is_open: bool) -> None:
    [row] = environment([*opening("Window", first), *opening("Window", second, 2)])
    assert (row["window_open_flag"], row["door_open_flag"]) == (is_open, None)


@pytest.mark.rule(3)
def test_doors_and_windows_of_a_room_are_told_apart() -> None:
    [row] = environment([*opening("Door", True), *opening("Window", False, 2), *opening("Window", False, 3)])
    assert (row["window_open_flag"], row["door_open_flag"]) == (False, True)


def test_open_flags_are_null_where_no_such_sensor_reported() -> None:
    """A window whose state was refused did not report; the door beside it did."""
    [row] = environment([*opening("Window", None), *opening("Door", False, 2)])
    assert (row["window_open_flag"], row["door_open_flag"]) == (None, False)
    assert environment(opening("Window", None)) == []
    [row] = environment(STATION)
    assert (row["window_open_flag"], row["door_open_flag"]) == (None, None)


# Motion and presence ---------------------------------------------------------------------------------


def test_presence_holds_for_the_minute_of_motion_and_nine_more() -> None:
    """Motion at noon alone: present from minute 0 to 9, gone at minute 10."""
    events = [motion(minute, minute == 0) for minute in range(12)]
    flags = presence(events, range(12), "presence_flag")
    assert flags == {minute: minute <= 9 for minute in range(12)}


def test_the_hold_is_time_and_not_readings() -> None:
    """Minutes 1 to 7 are missing: minute 9 is within the hold, minute 10 is not."""
    events = [motion(0, True), motion(8, False), motion(9, False), motion(10, False)]
    assert presence(events, range(11), "motion_count", "presence_flag") == {
        0: (1, True),
        8: (0, True),
        9: (0, True),
        10: (0, False),
    }


def test_presence_is_unknown_where_no_motion_sensor_reported_in_the_hold() -> None:
    """The door reports alone until the motion sensor comes back; its own minutes have no count."""
    events = [row for minute in range(15) for row in opening("Door", minute == 3, minute=minute)]
    events += [motion(4, False), motion(14, True)]
    found = presence(events, range(15), "motion_count", "presence_flag", "door_open_flag")
    assert found == {
        minute: (
            {4: 0, 14: 1}.get(minute),
            None if minute < 4 else minute == 14,
            minute == 3,
        )
        for minute in range(15)
    }


def test_motion_count_is_the_number_of_sensors_that_see_somebody() -> None:
    events = [motion(0, True), motion(0, False, place=2), motion(0, True, place=3)]
    assert presence(events, [0], "motion_count", "presence_flag", "presence_prob") == {0: (2, True, None)}


@pytest.mark.parametrize("other", ["jimmy/kitchen", "jeremie/office"])
def test_rooms_do_not_share_their_presence(other: str) -> None:
    events = [motion(0, True), motion(1, False, room=other)]
    assert presence(events, [1], "presence_flag") == {1: False}


def test_only_the_minutes_asked_for_are_given_and_the_hold_before_them_is_heard() -> None:
    events = [motion(minute, minute == 0) for minute in range(12)]
    assert presence(events, [9, 10], "presence_flag") == {9: True, 10: False}


def test_no_presence_row_for_windows_alone() -> None:
    assert presence(opening("Window", True), [0], "presence_flag") == {}


def test_a_changed_minute_reaches_the_hold_after_it() -> None:
    minutes = pl.Series([NOON, NOON + timedelta(minutes=3)], dtype=UTC_TIME)
    reached = reach_of_presence(minutes, 10)
    assert reached.to_list() == [NOON + timedelta(minutes=n) for n in range(13)]


# Many at once -----------------------------------------------------------------------------------------


SOURCES = {"meteos": ("Temperature", "Humidity"), "humidities": ("temperature", "humidity")}
SOURCES["motions"] = ("temperature",)


def some_events(rng: Random) -> list[Event]:
    """Half an hour of rooms with up to two sensors of a kind, with gaps, in any order."""
    events: list[Event] = []
    # One room is called like a category, one begins with the name of another.
    for room in ("jimmy/office", "jimmy/office-2", "jimmy/meteos", "jeremie/office"):
        for minute in range(30):
            where: dict[str, Any] = {"room": room, "minute": minute}
            for place in (1, 2):
                for category, fields in {**SOURCES, "plugs": ("temperature",)}.items():
                    for field in fields:
                        if rng.random() < 0.3:
                            value, is_outlier = float(rng.randrange(90)), rng.random() < 0.2
                            variable = f"{category}.{field}"
                            events.append(event(variable, value, place=place, is_outlier=is_outlier, **where))
                if rng.random() < 0.2:
                    events.append(motion(minute, rng.random() < 0.2, place=place, room=room))
                if rng.random() < 0.3:
                    kind, is_open = rng.choice(["Door", "Window", "Hatch"]), rng.choice([True, False, None])
                    events += opening(kind, is_open, place, **where)
    rng.shuffle(events)
    return events


def by_hand(events: list[Event], room: str, minute: int) -> dict[str, Any]:
    """What a room was like in a minute, found by looking at every event."""
    here = [e for e in events if e["room"] == room and e["ts"] == NOON + timedelta(minutes=minute)]
    categories = {e["device"].split("/")[2] for e in here}
    source = next((category for category in SOURCES if category in categories), "")
    spoken = [f"{source}.{field}" for field in SOURCES.get(source, ())]
    found: dict[str, Any] = {}
    for name, variable in zip(("temperature_c", "humidity_pct"), spoken, strict=False):
        good = [e["value"] for e in here if e["variable"] == variable and not e["is_outlier"]]
        found[name] = good[0] if good else None
    kinds = {e["device"]: e["value_text"] for e in here if e["variable"] == "doorsWindows.type"}
    states = {e["device"]: e["value"] == 1.0 for e in here if e["variable"] == "doorsWindows.switch"}
    for name, kind in (("window_open_flag", "Window"), ("door_open_flag", "Door")):
        flags = [is_open for device, is_open in states.items() if kinds[device] == kind]
        found[name] = any(flags) if flags else None
    counted = [e for e in here if e["variable"] in spoken]
    if not counted and not states:
        return {}
    return found | {"is_anomaly": any(e["is_outlier"] for e in counted)}


@pytest.mark.parametrize("seed", range(3))
def test_many_rooms_and_minutes_are_what_each_is_by_itself(seed: int) -> None:
    events = some_events(Random(seed))
    rooms = {surrogate_key(e["room"]): e["room"] for e in events}
    columns = ("temperature_c", "humidity_pct", "window_open_flag", "door_open_flag", "is_anomaly")
    found = {
        (rooms[row["room_key"]], row["datetime_key"] % 100): {name: row[name] for name in columns}
        for row in environment(events)
    }
    nothing = dict.fromkeys(columns)
    expected = {
        (room, minute): nothing | one
        for room in rooms.values()
        for minute in range(30)
        if (one := by_hand(events, room, minute))
    }
    assert found == expected


@pytest.mark.parametrize("seed", range(3))
def test_presence_of_many_minutes_is_what_the_ten_minutes_of_each_held(seed: int) -> None:
    every = some_events(Random(seed))
    for room in ("jimmy/office", "jimmy/office-2"):
        events = [e for e in every if e["room"] == room]
        heard = [
            ((e["ts"] - NOON) // timedelta(minutes=1), e["value"] == 1.0)
            for e in events
            if e["variable"] == "motions.motion"
        ]
        found = presence(events, range(30), "motion_count", "presence_flag")
        assert len(found) > 5
        for minute, (count, is_present) in found.items():
            now = [seen for at, seen in heard if at == minute]
            held = [seen for at, seen in heard if minute - 10 < at <= minute]
            assert count == (sum(now) if now else None)
            assert is_present == (any(held) if held else None)
