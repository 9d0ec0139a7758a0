"""Device health by local day: expected, missing, uptime, errors and battery by hand; and what to refresh."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domotic_assets.domains.homes.gold.health import (
    days_to_refresh,
    expected_days,
    health_days,
    local_days_of,
    seen_in,
    seen_together,
    utc_dates_of,
)
from domotic_assets.schemas.homes.gold import FACT_DEVICE_HEALTH_DAY
from domotic_assets.schemas.homes.silver import DEVICES
from domotic_assets.schemas.table import UTC_TIME, surrogate_key
from domotic_assets_tests.support.builders import registry

STATION, PLUG, METER = "jimmy/office/meteos/1", "jimmy/office/plugs/1", "jeremie/house/consumptions/1"

# Local days of September begin at 22:00 UTC.
MONDAY, TUESDAY, WEDNESDAY = date(2023, 9, 4), date(2023, 9, 5), date(2023, 9, 6)


def utc(text: str) -> datetime:
    """A UTC moment, `2023-09-04T12:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reading(
    at: datetime, device: str, variable: str, value: float, is_outlier: bool = False
) -> dict[str, Any]:
    """A silver event."""
    row = {"ts": at, "home": device.split("/")[0], "device": device, "variable": variable, "value": value}
    return row | {"is_outlier": is_outlier}


def readings(first: str, minutes: int, device: str = STATION) -> list[dict[str, Any]]:
    """A reading a minute."""
    category = device.split("/")[2]
    variable = {"meteos": "meteos.CO2", "plugs": "plugs.power"}.get(category, "consumptions.total_power")
    return [reading(utc(first) + timedelta(minutes=n), device, variable, 600.0) for n in range(minutes)]


def as_events(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    text = pl.String()
    schema: dict[str, pl.DataType] = {"ts": UTC_TIME, "home": text, "device": text, "variable": text}
    return pl.DataFrame(list(rows), schema=schema | {"value": pl.Float64(), "is_outlier": pl.Boolean()})


def as_rejects(*rows: tuple[str | None, datetime | None]) -> pl.DataFrame:
    """Refused values of (device, minute)."""
    schema = {"home": pl.String(), "minute": UTC_TIME, "device": pl.String()}
    return pl.DataFrame([("jimmy", minute, device) for device, minute in rows], schema=schema, orient="row")


def seen(*spans: tuple[str, str, str]) -> pl.DataFrame:
    """silver/devices of (device, first reading, last reading) within one UTC date each."""
    rows = []
    for device, first, last in spans:
        home, room, category, _ = device.split("/")
        rows.append(
            {
                "device": device,
                "home": home,
                "room": f"{home}/{room}",
                "category": category,
                "device_type": "any",
                "first_ts": utc(first),
                "last_ts": utc(last),
                "minutes": 1,
                "utc_date": utc(first).date(),
            }
        )
    return pl.DataFrame(rows, schema=DEVICES.schema)


def health(
    devices: pl.DataFrame,
    events: Iterable[dict[str, Any]],
    days: Iterable[date],
    rejects: pl.DataFrame | None = None,
) -> dict[tuple[str, date], dict[str, Any]]:
    """Rows of fact_device_health_day by device and day."""
    refused = as_rejects() if rejects is None else rejects
    found = as_events(events)
    # As long stretches come: in parts of minutes, in any order. What came adds up.
    minute = pl.col("ts").dt.minute()
    shuffled = found.sample(fraction=1.0, shuffle=True, seed=1)
    parts = [seen_in(shuffled.filter(minute % 3 == rest), registry()) for rest in (2, 0, 1)]
    rows = health_days(seen_together(parts), refused, devices, list(days), registry())
    whole = health_days(seen_in(found, registry()), refused, devices, list(days), registry())
    order = ["local_date", "device_key"]
    assert_frame_equal(whole.sort(order), rows.sort(order), check_exact=True)
    assert rows.schema == FACT_DEVICE_HEALTH_DAY.schema
    names = {surrogate_key(device): device for device in devices["device"].unique()}
    return {(names[row["device_key"]], row["local_date"]): row for row in rows.to_dicts()}


def counted(row: dict[str, Any]) -> tuple[int, float | None]:
    """Missing readings and uptime."""
    return row["missing_readings"], row["uptime_pct"]


def test_a_health_row_with_all_its_columns() -> None:
    """Heard in 3 of 4 minutes; the newest minute of all data counts as expected."""
    devices = seen((STATION, "2023-09-04T10:00", "2023-09-04T10:03"))
    events = [
        reading(utc("2023-09-04T10:00"), STATION, "meteos.battery_percent", 80.0),
        reading(utc("2023-09-04T10:01"), STATION, "meteos.battery_percent", 78.0),
        reading(utc("2023-09-04T10:03"), STATION, "meteos.battery_percent", 76.0),
    ]
    assert health(devices, events, [MONDAY])[STATION, MONDAY] == {
        "date_key": 20230904,
        "device_key": surrogate_key(STATION),
        "room_key": surrogate_key("jimmy/office"),
        "apartment_key": surrogate_key("jimmy"),
        "error_count": 0,
        "missing_readings": 1,
        "uptime_pct": 75.0,
        "battery_min_pct": 76.0,
        "battery_avg_pct": 78.0,
        "local_date": MONDAY,
    }


def test_a_device_that_starts_at_noon_is_expected_from_then_on() -> None:
    """From 12:00 local to midnight are 720 minutes, all of the next day 1,440."""
    devices = seen(
        (STATION, "2023-09-04T10:00", "2023-09-04T23:59"), (STATION, "2023-09-05T00:00", "2023-09-05T21:59")
    )
    events = [*readings("2023-09-04T10:00", 540), *readings("2023-09-04T22:00", 1_440)]
    rows = health(devices, events, [MONDAY, TUESDAY])
    assert counted(rows[STATION, MONDAY]) == (180, 75.0)
    assert counted(rows[STATION, TUESDAY]) == (0, 100.0)


def test_the_running_day_is_expected_up_to_the_newest_data_of_any_home() -> None:
    """The other home has data to 10:09, so ten minutes are expected of this one, which has six."""
    devices = seen(
        (STATION, "2023-09-04T10:00", "2023-09-04T10:05"), (METER, "2023-09-04T10:00", "2023-09-04T10:09")
    )
    events = [*readings("2023-09-04T10:00", 6), *readings("2023-09-04T10:00", 10, METER)]
    rows = health(devices, events, [MONDAY])
    assert counted(rows[STATION, MONDAY]) == (4, 60.0)
    assert counted(rows[METER, MONDAY]) == (0, 100.0)


def test_days_belong_to_the_homes_clock() -> None:
    """21:59 UTC is Monday's last minute, 22:00 UTC is Tuesday's first."""
    devices = seen((STATION, "2023-09-04T21:58", "2023-09-04T22:02"))
    rows = health(devices, readings("2023-09-04T21:58", 5), [MONDAY, TUESDAY])
    assert counted(rows[STATION, MONDAY]) == (0, 100.0)
    assert counted(rows[STATION, TUESDAY]) == (0, 100.0)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("day", "start", "minutes"),
    [
        pytest.param(date(2023, 10, 29), "2023-10-28T22:00", 1_500, id="autumn"),
        pytest.param(date(2023, 3, 26), "2023-03-25T23:00", 1_380, id="spring"),
    ],
)
def test_a_clock_change_day_has_its_own_length(day: date, start: str, minutes: int) -> None:
    """25 and 23 hours; every minute but the last of them was heard."""
    before = f"{utc(start) - timedelta(days=1):%Y-%m-%dT%H:%M}"
    after = f"{utc(start) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M}"
    devices = seen((STATION, before, before), (STATION, after, after))
    rows = health(devices, readings(start, minutes - 1), [day])
    assert counted(rows[STATION, day]) == (1, pytest.approx((minutes - 1) / minutes * 100))


def test_a_device_fallen_silent_is_missing_until_its_homes_last_day() -> None:
    """The station stops on Monday, the plug goes on to Wednesday 09:59 local."""
    devices = seen(
        (STATION, "2023-09-03T22:00", "2023-09-03T23:59"),
        (STATION, "2023-09-04T00:00", "2023-09-04T09:59"),
        (PLUG, "2023-09-03T22:00", "2023-09-03T23:59"),
        (PLUG, "2023-09-06T07:00", "2023-09-06T07:59"),
    )
    days = [MONDAY, TUESDAY, WEDNESDAY]
    rows = health(devices, readings("2023-09-03T22:00", 720), days)
    assert [counted(rows[STATION, day]) for day in days] == [(720, 50.0), (1_440, 0.0), (600, 0.0)]


def test_a_home_fallen_silent_has_no_rows_after_its_last_day() -> None:
    """Its last day is judged against the newest data of all homes, which runs through."""
    devices = seen(
        (STATION, "2023-09-03T22:00", "2023-09-03T23:59"),
        (STATION, "2023-09-04T00:00", "2023-09-04T03:59"),
        (METER, "2023-09-03T22:00", "2023-09-03T22:00"),
        (METER, "2023-09-06T21:59", "2023-09-06T21:59"),
    )
    rows = health(devices, readings("2023-09-03T22:00", 360), [MONDAY, TUESDAY, WEDNESDAY])
    assert {day for device, day in rows if device == STATION} == {MONDAY}
    assert counted(rows[STATION, MONDAY]) == (1_080, 25.0)
    assert {day for device, day in rows if device == METER} == {MONDAY, TUESDAY, WEDNESDAY}


def test_no_row_before_the_first_reading() -> None:
    devices = seen(
        (STATION, "2023-09-05T10:00", "2023-09-05T10:00"), (PLUG, "2023-09-04T10:00", "2023-09-04T10:00")
    )
    rows = health(devices, [], [MONDAY, TUESDAY])
    assert set(rows) == {(PLUG, MONDAY), (PLUG, TUESDAY), (STATION, TUESDAY)}


@pytest.mark.rule(5)
@pytest.mark.rule(7)
def test_errors_are_rejected_invalid_and_out_of_bounds_readings() -> None:
    """A reject that names no device, or no minute, counts nowhere; a switch that is off is no error."""
    devices = seen(
        (STATION, "2023-09-04T10:00", "2023-09-04T10:09"), (PLUG, "2023-09-04T10:00", "2023-09-04T10:09")
    )
    ten, later = utc("2023-09-04T10:00"), utc("2023-09-04T10:01")
    events = [
        reading(ten, STATION, "meteos.CO2", 65_535.0, is_outlier=True),
        reading(ten, STATION, "meteos.Noise", 182.0, is_outlier=True),
        reading(ten, STATION, "meteos.Humidity", 44.0),
        reading(ten, PLUG, "plugs.is_valid", 0.0),
        reading(later, PLUG, "plugs.is_valid", 1.0),
        reading(later, PLUG, "plugs.switch", 0.0),
    ]
    rejects = as_rejects((STATION, ten), (STATION, later), (PLUG, later), (None, ten), (STATION, None))
    rows = health(devices, events, [MONDAY], rejects)
    assert rows[STATION, MONDAY]["error_count"] == 4
    assert rows[PLUG, MONDAY]["error_count"] == 2


def test_each_invalid_phase_is_an_error() -> None:
    devices = seen((METER, "2023-09-04T10:00", "2023-09-04T10:00"))
    at = utc("2023-09-04T10:00")
    events = [reading(at, METER, f"consumptions.is_valid{n}", float(n == 2)) for n in (1, 2, 3)]
    assert health(devices, events, [MONDAY])[METER, MONDAY]["error_count"] == 2


@pytest.mark.rule(5)
def test_a_minute_whose_every_reading_was_rejected_is_missing_and_an_error() -> None:
    devices = seen((STATION, "2023-09-04T10:00", "2023-09-04T10:01"))
    at = utc("2023-09-04T10:01")
    row = health(devices, readings("2023-09-04T10:00", 1), [MONDAY], as_rejects((STATION, at)))[
        STATION, MONDAY
    ]
    assert (row["missing_readings"], row["uptime_pct"], row["error_count"]) == (1, 50.0, 1)


@pytest.mark.rule(7)
def test_a_battery_out_of_bounds_is_left_out() -> None:
    """255 % is an error and no battery level; a device without battery has none."""
    devices = seen(
        (STATION, "2023-09-04T10:00", "2023-09-04T10:01"), (PLUG, "2023-09-04T10:00", "2023-09-04T10:01")
    )
    events = [
        reading(utc("2023-09-04T10:00"), STATION, "meteos.battery_percent", 255.0, is_outlier=True),
        reading(utc("2023-09-04T10:01"), STATION, "meteos.battery_percent", 60.0),
        *readings("2023-09-04T10:00", 2, PLUG),
    ]
    rows = health(devices, events, [MONDAY])
    station, plug = rows[STATION, MONDAY], rows[PLUG, MONDAY]
    assert (station["battery_min_pct"], station["battery_avg_pct"]) == (60.0, 60.0)
    assert (plug["battery_min_pct"], plug["battery_avg_pct"]) == (None, None)


def test_the_days_that_health_must_have() -> None:
    devices = seen(
        (STATION, "2023-09-04T22:30", "2023-09-04T22:30"),
        (PLUG, "2023-09-04T10:00", "2023-09-04T10:00"),
        (METER, "2023-09-04T10:00", "2023-09-04T10:00"),
    )
    days = expected_days(devices, registry()).select("device", "local_date").rows()
    assert sorted(days) == [(METER, MONDAY), (STATION, TUESDAY), (PLUG, MONDAY), (PLUG, TUESDAY)]


def held(*rows: tuple[str, date]) -> pl.DataFrame:
    """Device and local date of the health rows that exist."""
    keyed = [(day, surrogate_key(device)) for device, day in rows]
    return pl.DataFrame(keyed, schema={"local_date": pl.Date(), "device_key": pl.Int64()}, orient="row")


@pytest.mark.parametrize(
    ("existing", "touched", "expected"),
    [
        pytest.param([], [], [MONDAY, TUESDAY, WEDNESDAY], id="nothing held yet"),
        pytest.param([MONDAY, TUESDAY, WEDNESDAY], [], [], id="nothing new"),
        pytest.param(
            [MONDAY, TUESDAY, WEDNESDAY],
            [MONDAY],
            [MONDAY, WEDNESDAY],
            id="a late file, and the day that was not over",
        ),
        pytest.param([MONDAY, TUESDAY], [WEDNESDAY], [TUESDAY, WEDNESDAY], id="a new day"),
        pytest.param([MONDAY, WEDNESDAY], [], [TUESDAY], id="a day that lacks a device"),
    ],
)
def test_days_to_refresh(existing: list[date], touched: list[date], expected: list[date]) -> None:
    devices = seen(
        (STATION, "2023-09-04T10:00", "2023-09-04T10:00"), (STATION, "2023-09-06T10:00", "2023-09-06T10:00")
    )
    present = held(*((STATION, day) for day in existing))
    assert days_to_refresh(devices, present, touched, registry()) == expected


def test_a_row_of_a_device_that_began_later_than_thought_is_refreshed() -> None:
    """A resend took its early readings back; its new first day now expects less."""
    devices = seen((STATION, "2023-09-05T10:00", "2023-09-06T10:00"))
    present = held((STATION, MONDAY), (STATION, TUESDAY), (STATION, WEDNESDAY))
    assert days_to_refresh(devices, present, [], registry()) == [MONDAY, TUESDAY]


def test_local_days_of_minutes_and_the_utc_dates_around_them() -> None:
    minutes = pl.DataFrame(
        {"home": ["jimmy", "jimmy"], "minute": [utc("2023-09-04T21:59"), utc("2023-09-04T22:00")]},
        schema={"home": pl.String(), "minute": UTC_TIME},
    )
    assert local_days_of(minutes, registry()) == [MONDAY, TUESDAY]
    assert local_days_of(minutes.clear(), registry()) == []
    assert utc_dates_of([TUESDAY]) == [MONDAY, TUESDAY, WEDNESDAY]
