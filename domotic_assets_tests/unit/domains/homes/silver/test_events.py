"""Which events make up a minute, and the definitions that are read off them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from domotic_assets.domains.homes.silver.events import (
    Naming,
    device_types,
    devices,
    devices_changed,
    merge,
    variables,
    variables_changed,
)
from domotic_assets.schemas.homes.silver import DEVICE_TYPES, DEVICES, SENSOR_EVENTS, VARIABLES
from domotic_assets.schemas.table import UTC_TIME

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


@pytest.mark.rule(6)
def test_within_a_file_the_later_field_counts() -> None:
    """Two spellings of one room; so many that a sort that does not keep their order shows."""
    twice = [
        event(f"jimmy/office/plugs/{n}", value=value, arrived_at=TS + timedelta(seconds=n % 7))
        for value in (1.0, 2.0)
        for n in range(500)
    ]
    assert merge(frame(*twice))["value"].to_list() == [2.0] * 500


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
    later = event(device, "doorsWindows.switch", ts=TS + timedelta(minutes=9), value_text="ajar")
    assert devices(frame(*said, later))["device_type"].to_list() == ["window"]
    odd = event(device, "doorsWindows.type", value=None, value_text="Hatch")
    assert devices(frame(odd))["device_type"].to_list() == ["opening"]


@pytest.mark.rule(8)
def test_an_unknown_category_and_field_register_as_unknown() -> None:
    attic = "jimmy/attic/waters/1"
    new = (event(attic, "waters.flow"), event(attic, "waters"), event(attic, "waters.flow.unit"))
    events = frame(*new, event(variable="plugs.tilt"), event())
    found = devices(events)
    assert dict(found.select("device", "device_type").iter_rows()) == {
        "jimmy/attic/waters/1": "unknown",
        "jimmy/office/plugs/1": "plug",
    }
    types = device_types(found)
    assert types.schema == DEVICE_TYPES.schema
    assert types.select("device_type", "category", "sensor_type", "devices").rows() == [
        ("plug", "plugs", "smart plug", 1),
        ("unknown", "waters", "unknown sensor", 1),
    ]
    described = variables(events)
    assert described.schema == VARIABLES.schema
    assert set(described.select("variable", "category", "field", "kind", "unit").iter_rows()) == {
        ("waters.flow", "waters", "flow", "unknown", None),
        ("waters", "waters", "", "unknown", None),
        ("waters.flow.unit", "waters", "flow.unit", "unknown", None),
        ("plugs.tilt", "plugs", "tilt", "unknown", None),
        ("plugs.power", "plugs", "power", "number", "W"),
    }


def test_nothing_gives_empty_tables() -> None:
    assert merge(frame()).schema == SENSOR_EVENTS.schema
    assert devices(frame()).schema == DEVICES.schema
    assert device_types(devices(frame())).schema == DEVICE_TYPES.schema
    assert variables(frame()).schema == VARIABLES.schema


DOOR = "jimmy/bedroom/doorsWindows/2"
READINGS = st.tuples(
    st.integers(0, 9),
    st.sampled_from(
        [
            ("jimmy/office/plugs/1", "plugs.power", None),
            ("jimmy/office/plugs/1", "plugs.total", None),
            ("jimmy/attic/waters/1", "waters.flow", None),
            *((DOOR, "doorsWindows.type", word) for word in ("Door", "Window", "Hatch", None)),
            (DOOR, "doorsWindows.switch", None),
        ]
    ),
)
# Ten minutes around midnight: readings of two dates.
FEEDS = st.lists(READINGS, unique_by=lambda reading: (reading[0], reading[1][:2]))


def feed(readings: list[tuple[int, tuple[str, str, str | None]]]) -> pl.DataFrame:
    start = datetime(2023, 8, 31, 23, 55, tzinfo=UTC)
    return frame(
        *(
            event(device, variable, ts=start + timedelta(minutes=minute), value_text=word)
            for minute, (device, variable, word) in readings
        )
    )


NOTHING = Naming.of(feed([]))


def assert_same_rows(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found, expected, check_row_order=False, check_exact=True)


@given(readings=FEEDS, later=FEEDS, changed=st.sets(st.integers(0, 9)))
def test_definitions_after_some_minutes_changed_are_those_of_all_events(
    readings: list[tuple[int, tuple[str, str, str | None]]],
    later: list[tuple[int, tuple[str, str, str | None]]],
    changed: set[int],
) -> None:
    others = feed([reading for reading in readings if reading[0] not in changed])
    before = feed([reading for reading in readings if reading[0] in changed])
    after = feed([reading for reading in later if reading[0] in changed])
    held, whole = pl.concat([others, before]), pl.concat([others, after])
    named = Naming.of(before), Naming.of(after)
    assert_same_rows(variables_changed(variables(held), *named), variables(whole))
    found, unsettled = devices_changed(devices(held), *named)
    settled = ~pl.col("device").is_in(unsettled)
    assert_same_rows(found.filter(settled), devices(whole).filter(settled))


@given(readings=FEEDS, cut=st.integers(0, 10))
def test_minutes_that_come_in_order_leave_nothing_unsettled(
    readings: list[tuple[int, tuple[str, str, str | None]]], cut: int
) -> None:
    before = feed([reading for reading in readings if reading[0] < cut])
    after = feed([reading for reading in readings if reading[0] >= cut])
    assert devices_changed(devices(before), NOTHING, Naming.of(after))[1] == []


@given(minute=st.integers(0, 9), readings=FEEDS)
def test_a_minute_between_those_held_leaves_only_doors_unsettled(
    minute: int, readings: list[tuple[int, tuple[str, str, str | None]]]
) -> None:
    held = feed([reading for reading in readings if reading[0] != minute])
    added = feed([reading for reading in readings if reading[0] == minute])
    assert set(devices_changed(devices(held), NOTHING, Naming.of(added))[1]) <= {DOOR}


@pytest.mark.parametrize(("word", "unsettled"), [("Window", []), ("Door", [DOOR])])
def test_an_earlier_word_of_a_door_counts_only_where_it_is_another_one(
    word: str, unsettled: list[str]
) -> None:
    held = devices(
        feed([(1, (DOOR, "doorsWindows.type", "Door")), (3, (DOOR, "doorsWindows.type", "Window"))])
    )
    said = Naming.of(feed([(2, (DOOR, "doorsWindows.type", word))]))
    found, asked = devices_changed(held, NOTHING, said)
    assert asked == unsettled
    assert unsettled or found.select("device_type", "minutes").rows() == [("window", 3)]


def test_a_device_that_lost_a_reading_is_unsettled() -> None:
    plug = [(minute, ("jimmy/office/plugs/1", "plugs.power", None)) for minute in (1, 2, 3)]
    found = devices_changed(devices(feed(plug)), Naming.of(feed(plug[1:2])), NOTHING)
    assert found[1] == ["jimmy/office/plugs/1"]


@pytest.mark.rule(3)
def test_a_later_minute_that_does_not_say_what_a_door_is_leaves_it_one() -> None:
    held = devices(feed([(1, (DOOR, "doorsWindows.type", "Door"))]))
    for said, expected in (("switch", "door"), ("type", "opening")):
        silent = Naming.of(feed([(2, (DOOR, f"doorsWindows.{said}", None))]))
        found, unsettled = devices_changed(held, NOTHING, silent)
        assert unsettled == []
        assert found.select("device_type", "minutes").rows() == [(expected, 2)]
