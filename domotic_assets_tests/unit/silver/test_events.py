"""Which events make up a minute, and the definitions that are read off them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domotic_assets.schemas.silver import DEVICE_TYPES, DEVICES, SENSOR_EVENTS, VARIABLES
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.silver.events import device_types, devices, merge, variables

TS = datetime(2023, 8, 31, 19, 44, tzinfo=UTC)
SCHEMA = {**SENSOR_EVENTS.schema, "arrived_at": UTC_TIME, "name": pl.String()}


def event(
    device: str = "jimmy/office/plugs/1", variable: str = "plugs.power", **overrides: Any
) -> dict[str, Any]:
    home, room, *_ = device.split("/")
    ts = overrides.get("ts", TS)
    return {
        "ts": ts, "home": home, "room": f"{home}/{room}", "device": device, "variable": variable,
        "value": 1.0, "value_text": None, "value_text_length": None, "unit": None, "is_outlier": False,
        "file_id": "f", "utc_date": ts.date(), "arrived_at": ts + timedelta(seconds=5), "name": "n",
    } | overrides  # fmt: skip


def frame(*events: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(events), schema=SCHEMA)


@pytest.mark.rule(6)
def test_of_two_files_of_a_minute_the_later_arrival_counts_for_each_variable() -> None:
    early = event(value=1.0, arrived_at=TS + timedelta(seconds=5), name="z")
    late = event(value=2.0, arrived_at=TS + timedelta(seconds=6), name="a")
    other = event(variable="plugs.total", value=3.0, arrived_at=TS, name="y")
    for order in ((early, late, other), (other, late, early)):
        merged = merge(frame(*order))
        assert dict(merged.select("variable", "value").iter_rows()) == {
            "plugs.power": 2.0,
            "plugs.total": 3.0,
        }
        assert merged.schema == SENSOR_EVENTS.schema


@pytest.mark.rule(6)
def test_of_two_files_that_arrived_together_the_greater_name_counts() -> None:
    for order in ((1, 0), (0, 1)):
        both = [event(value=1.0, name="a"), event(value=2.0, name="b")]
        assert merge(frame(*(both[n] for n in order)))["value"].to_list() == [2.0]


def test_other_minutes_and_devices_are_kept() -> None:
    events = frame(event(), event(ts=TS + timedelta(minutes=1)), event("jimmy/office/plugs/2"))
    assert merge(events).height == 3


def test_a_device_is_described_by_what_it_is_and_when_it_was_seen() -> None:
    events = frame(
        event(),
        event(variable="plugs.total"),
        event(ts=TS + timedelta(minutes=3)),
        event(ts=TS + timedelta(days=1)),
    )
    found = devices(events).sort("utc_date")
    assert found.schema == DEVICES.schema
    first = found.row(0, named=True)
    assert (first["device_type"], first["category"], first["room"]) == ("plug", "plugs", "jimmy/office")
    assert (first["first_ts"], first["last_ts"], first["minutes"]) == (TS, TS + timedelta(minutes=3), 2)
    assert found["utc_date"].to_list() == [date(2023, 8, 31), date(2023, 9, 1)]


@pytest.mark.rule(3)
def test_a_door_or_window_is_what_its_last_reading_says() -> None:
    device = "jimmy/bedroom/doorsWindows/2"
    said = [
        event(device, "doorsWindows.type", ts=TS + timedelta(minutes=minute), value=None, value_text=text)
        for minute, text in ((5, "Window"), (0, "Door"))
    ]
    assert devices(frame(*said))["device_type"].to_list() == ["window"]
    assert devices(frame(event(device, "doorsWindows.switch")))["device_type"].to_list() == ["opening"]
    odd = event(device, "doorsWindows.type", value=None, value_text="Hatch")
    assert devices(frame(odd))["device_type"].to_list() == ["opening"]


@pytest.mark.rule(8)
def test_an_unknown_category_and_field_register_as_unknown() -> None:
    events = frame(event("jimmy/attic/waters/1", "waters.flow"), event(variable="plugs.tilt"), event())
    found = devices(events)
    assert dict(found.select("device", "device_type").iter_rows()) == {
        "jimmy/attic/waters/1": "unknown",
        "jimmy/office/plugs/1": "plug",
    }
    types = device_types(found)
    assert types.schema == DEVICE_TYPES.schema
    assert set(types.select("device_type", "category", "sensor_type", "devices").iter_rows()) == {
        ("unknown", "waters", "unknown sensor", 1),
        ("plug", "plugs", "smart plug", 1),
    }
    described = variables(events)
    assert described.schema == VARIABLES.schema
    assert set(described.select("variable", "category", "field", "kind", "unit").iter_rows()) == {
        ("waters.flow", "waters", "flow", "unknown", None),
        ("plugs.tilt", "plugs", "tilt", "unknown", None),
        ("plugs.power", "plugs", "power", "number", "W"),
    }


def test_nothing_gives_empty_tables() -> None:
    assert merge(frame()).schema == SENSOR_EVENTS.schema
    assert devices(frame()).schema == DEVICES.schema
    assert device_types(devices(frame())).schema == DEVICE_TYPES.schema
    assert variables(frame()).schema == VARIABLES.schema
