"""Meters that run backwards, power that its meter denies, plugs that take more than the house."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.checks.counters import balance, counters, power_against_meter
from domotic_assets.quality.verdict import Verdict

START = datetime(2023, 9, 4, tzinfo=UTC)

Said = tuple[float | None, str | None] | float | None
"""A reading in Wh, and what Gold notes of it."""


def readings(**devices: list[Said]) -> pl.DataFrame:
    """A reading a minute of each device of one home, with what Gold notes of it."""
    rows = []
    for device, values in devices.items():
        for minute, said in enumerate(values):
            value, note = said if isinstance(said, tuple) else (said, None)
            rows.append((START + timedelta(minutes=minute), "jimmy", device, value, note))
    schema = {
        "ts": pl.Datetime("us", "UTC"),
        "home": pl.String(),
        "device": pl.String(),
        "value": pl.Float64(),
        "counter_note": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def found(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(breach.subject, breach.reason, breach.severity) for breach in verdict.breaches]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5000, 5001, 5001, (5168, "large_step")], []),
        ([5000, None, 5001], []),
        ([5000, (0, "dip"), (5001, "return"), 5002], [("a", "counter_dipped", "WARN")]),
        ([5000, (9e6, "spike"), (5001, "return")], [("a", "counter_spiked", "WARN")]),
        ([5000, (0, "restart"), 3, 5], [("a", "counter_restarted", "WARN")]),
        ([65_530, (3, "overflow")], [("a", "counter_overflowed", "WARN")]),
        ([5000, (4999, "set_back"), 4999], [("a", "counter_set_back", "WARN")]),
        ([5000, (9000, "jump"), 9001], [("a", "counter_jumped", "WARN")]),
        ([5000, -5000, -5001], [("a", "counter_negative", "ERROR")]),
        ([-1], [("a", "counter_negative", "ERROR")]),
        ([], []),
    ],
)
def test_what_a_counter_did_is_told(values: list[Said], expected: list[tuple[str, str, str]]) -> None:
    assert found(counters(readings(a=values))) == expected


def test_two_meters_that_go_on_from_each_other_are_swapped_rooms() -> None:
    verdict = counters(readings(a=[90_000, 90_001, (7_002, "set_back")], b=[7_000, 7_001, (90_002, "jump")]))
    assert found(verdict) == [("a", "rooms_swapped", "ERROR")]
    assert verdict.breaches[0].figures["meaning"] == "two meters go on from each other's level: b"


@pytest.mark.parametrize(
    ("other", "also"),
    [
        ([7_000, 7_001, (98_000, "jump")], [("b", "counter_jumped", "WARN")]),
        ([8_000, 8_001, (90_002, "jump")], [("b", "counter_jumped", "WARN")]),
        ([7_000, 7_001, 7_002], []),
    ],
)
def test_two_meters_that_do_not_are_not(other: list[Said], also: list[tuple[str, str, str]]) -> None:
    """It goes on elsewhere, comes from elsewhere, or did not jump at all."""
    verdict = counters(readings(a=[90_000, 90_001, (7_002, "set_back")], b=other))
    assert found(verdict) == [("a", "counter_set_back", "WARN"), *also]


def test_what_a_device_did_is_one_breach_with_its_number_and_meaning() -> None:
    verdict = counters(readings(a=[5000, (0, "dip"), (5001, "return"), (0, "dip"), (5002, "return")]))
    assert found(verdict) == [("a", "counter_dipped", "WARN")]
    assert verdict.breaches[0].figures == {
        "times": 2,
        "first at": "2023-09-04 00:01 UTC",
        "before": 5000.0,
        "reading": 0.0,
        "meaning": "lower for a while; adds nothing",
    }
    assert verdict.figures == {"readings": 5, "not counting on": 2}


def _key(minute: int) -> int:
    return int(f"{START + timedelta(minutes=minute):%Y%m%d%H%M}")


def energy(*devices: tuple[str, str, float | None, float | None, int]) -> pl.DataFrame:
    """(device, category, power in W, Wh a minute, minutes) of one home."""
    rows = [
        (_key(minute), "jimmy", f"jimmy/{name}", name, category, power, wh, source, None)
        for name, category, power, wh, minutes in devices
        for source in ["counter" if category == "plugs" else "power"]
        for minute in range(minutes)
    ]
    schema = {
        "datetime_key": pl.Int64(),
        "home": pl.String(),
        "room": pl.String(),
        "device": pl.String(),
        "category": pl.String(),
        "power_w": pl.Float64(),
        "energy_wh": pl.Float64(),
        "energy_source": pl.String(),
        "counter_note": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("power", "wh", "minutes", "expected"),
    [
        # 600 W for ten hours are 6,000 Wh.
        (600.0, 10.0, 600, []),
        (600.0, 1.01, 600, []),
        (600.0, 1.0, 600, [("a", "power_denied_by_meter", "ERROR")]),
        (0.6, 10.0, 600, [("a", "power_denied_by_meter", "ERROR")]),
        (600.0, 0.0, 600, [("a", "power_denied_by_meter", "ERROR")]),
        # 49 Wh are too few to say so, 50 are not; the first minute tells of none before it.
        (2940.0, 0.0, 2, []),
        (3000.0, 0.0, 2, [("a", "power_denied_by_meter", "ERROR")]),
        (3000.0, 0.0, 1, []),
        (None, 10.0, 600, []),
    ],
)
def test_power_and_meter(
    power: float | None, wh: float, minutes: int, expected: list[tuple[str, str, str]]
) -> None:
    assert found(power_against_meter(energy(("a", "plugs", power, wh, minutes)))) == expected


def test_no_power_tells_of_a_gap_or_of_what_a_counter_did() -> None:
    """1,000 W before and after ten hours of which nothing is known: the plug may have been off or on."""
    for wh in (0.0, 10_000.0, 90_000.0):
        ends = energy(("a", "plugs", 1_000.0, 0.0, 1), ("a", "plugs", 1_000.0, wh, 601))
        assert found(power_against_meter(ends[[0, 601]])) == []
    noted = energy(("a", "plugs", 1_000.0, 0.0, 60)).with_columns(counter_note=pl.lit("dip"))
    assert found(power_against_meter(noted)) == []


def test_plugs_of_a_home_that_feeds_in_may_take_more_than_its_meter_shows() -> None:
    rows = energy(("h", "consumptions", -3_000.0, -50.0, 1440), ("a", "plugs", 1_200.0, 20.0, 1440))
    assert balance(rows, HOUSES, 1440) == Verdict([], {"homes compared": 0})


def test_a_house_meter_has_no_counter_to_deny_its_power() -> None:
    assert found(power_against_meter(energy(("h", "consumptions", 600.0, 0.0, 600)))) == []


HOUSES = ("jimmy/h",)


def test_a_meter_of_another_room_is_not_the_house() -> None:
    rows = energy(("laundry", "consumptions", 1.0, 1.0, 1440), ("a", "plugs", 1.0, 10.0, 1440))
    assert balance(rows, HOUSES, 1440) == Verdict([], {"homes compared": 0})


@pytest.mark.parametrize(
    ("house", "plugs", "expected"),
    [
        (10.0, 10.0, []),
        (10.0, 11.1, []),
        (10.0, 11.2, [("jimmy", "plugs_over_house", "WARN")]),
        (10.0, 20.1, [("jimmy", "plugs_over_house", "WARN")]),
        (10.0, 20.2, [("jimmy", "plugs_over_house", "ERROR")]),
        # A meter that only ever says 0: 34.6 Wh of the plugs are too few to say so, 72 are not.
        (0.0, 0.024, []),
        (0.0, 0.05, [("jimmy", "house_meter_says_zero", "WARN")]),
    ],
)
def test_plugs_over_their_house(house: float, plugs: float, expected: list[tuple[str, str, str]]) -> None:
    """Of 1,440 minutes, 200 Wh are let pass: 0.139 Wh a minute."""
    rows = energy(("h", "consumptions", 1.0, house, 1440), ("a", "plugs", 1.0, plugs, 1440))
    assert found(balance(rows, HOUSES, 1440)) == expected


def test_a_house_meter_with_gaps_is_not_compared() -> None:
    rows = energy(("h", "consumptions", 1.0, 1.0, 1367), ("a", "plugs", 1.0, 10.0, 1440))
    assert balance(rows, HOUSES, 1440) == Verdict([], {"homes compared": 0})
    enough = energy(("h", "consumptions", 1.0, 1.0, 1368), ("a", "plugs", 1.0, 10.0, 1440))
    assert found(balance(enough, HOUSES, 1440)) == [("jimmy", "plugs_over_house", "ERROR")]
