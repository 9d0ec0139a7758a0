"""Meters that run backwards, power that its meter denies, plugs that take more than the house."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.checks.counters import balance, counters, power_against_meter
from domotic_assets.quality.verdict import Verdict

START = datetime(2023, 9, 4, tzinfo=UTC)
BOUND_W = 10_000.0
"""A minute may add 166.7 Wh at most."""


def readings(**devices: list[float | None]) -> pl.DataFrame:
    """A reading a minute of each device of one home."""
    return pl.DataFrame(
        [
            {"ts": START + timedelta(minutes=minute), "home": "jimmy", "device": device, "value": value}
            for device, values in devices.items()
            for minute, value in enumerate(values)
        ],
        schema={"ts": pl.Datetime("us", "UTC"), "home": pl.String, "device": pl.String, "value": pl.Float64},
    )


def found(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(breach.subject, breach.reason, breach.severity) for breach in verdict.breaches]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5000, 5001, 5001, 5168], []),
        ([5000, None, 5001], []),
        ([5000, 0, 5001, 5002], [("a", "counter_glitch", "WARN")]),
        ([5000, 0, 3, 5], [("a", "counter_restarted", "WARN")]),
        ([5000, 166, 170], [("a", "counter_restarted", "WARN")]),
        ([5000, 167, 170], [("a", "counter_backwards", "ERROR")]),
        ([5000, 4999, 4999], [("a", "counter_backwards", "ERROR")]),
        ([5000, 4000], [("a", "counter_backwards", "ERROR")]),
        ([5000, -5000, -5001], [("a", "counter_negative", "ERROR")]),
        ([-1], [("a", "counter_negative", "ERROR")]),
        ([], []),
    ],
)
def test_what_a_lower_reading_is(values: list[float | None], expected: list[tuple[str, str, str]]) -> None:
    assert found(counters(readings(a=values), BOUND_W)) == expected


def test_a_gap_allows_a_restart_to_have_risen() -> None:
    # An hour without readings: 10 kW may add 10,000 Wh since the restart.
    late = readings(a=[20_000.0, 9_000.0, 9_001.0]).with_columns(
        pl.when(pl.col("value") < 20_000)
        .then(pl.col("ts") + timedelta(minutes=59))
        .otherwise("ts")
        .alias("ts")
    )
    assert found(counters(late, BOUND_W)) == [("a", "counter_restarted", "WARN")]


def test_two_meters_that_go_on_from_each_other_are_swapped_rooms() -> None:
    verdict = counters(readings(a=[90_000, 90_001, 7_002], b=[7_000, 7_001, 90_002]), BOUND_W)
    assert found(verdict) == [("a", "rooms_swapped", "ERROR")]
    assert verdict.breaches[0].figures["meaning"] == "two meters go on from each other's level: b"


@pytest.mark.parametrize("other", [[7_000, 7_001, 91_000], [8_000, 8_001, 90_002], [7_000, 7_001, 7_002]])
def test_two_meters_that_do_not_are_not(other: list[float | None]) -> None:
    """It goes on elsewhere, comes from elsewhere, or did not jump at all."""
    verdict = counters(readings(a=[90_000, 90_001, 7_002], b=other), BOUND_W)
    assert found(verdict) == [("a", "counter_backwards", "ERROR")]


def test_falls_of_a_device_are_one_breach_with_their_number() -> None:
    verdict = counters(readings(a=[5000, 0, 5001, 0, 5002]), BOUND_W)
    assert found(verdict) == [("a", "counter_glitch", "WARN")]
    assert verdict.breaches[0].figures["times"] == 2
    assert verdict.breaches[0].figures["first at"] == "2023-09-04 00:01 UTC"
    assert verdict.figures == {"readings": 5, "falls": 2}


def energy(*devices: tuple[str, str, float | None, float | None, int]) -> pl.DataFrame:
    """(device, category, power in W, Wh a minute, minutes) of one home."""
    return pl.DataFrame(
        [
            {"home": "jimmy", "device": name, "category": category, "power_w": power, "energy_wh": wh}
            for name, category, power, wh, minutes in devices
            for _ in range(minutes)
        ],
        schema={
            "home": pl.String,
            "device": pl.String,
            "category": pl.String,
            "power_w": pl.Float64,
            "energy_wh": pl.Float64,
        },
    )


@pytest.mark.parametrize(
    ("power", "wh", "minutes", "expected"),
    [
        # 600 W for ten hours are 6,000 Wh.
        (600.0, 10.0, 600, []),
        (600.0, 1.01, 600, []),
        (600.0, 1.0, 600, [("a", "power_denied_by_meter", "ERROR")]),
        (0.6, 10.0, 600, [("a", "power_denied_by_meter", "ERROR")]),
        (600.0, 0.0, 600, [("a", "power_denied_by_meter", "ERROR")]),
        # 49 Wh are too few to say so, 50 are not.
        (2940.0, 0.0, 1, []),
        (3000.0, 0.0, 1, [("a", "power_denied_by_meter", "ERROR")]),
        (None, 10.0, 600, []),
    ],
)
def test_power_and_meter(
    power: float | None, wh: float, minutes: int, expected: list[tuple[str, str, str]]
) -> None:
    assert found(power_against_meter(energy(("a", "plugs", power, wh, minutes)))) == expected


def test_a_house_meter_has_no_counter_to_deny_its_power() -> None:
    assert found(power_against_meter(energy(("h", "consumptions", 600.0, 0.0, 600)))) == []


@pytest.mark.parametrize(
    ("house", "plugs", "expected"),
    [
        (10.0, 10.0, []),
        (10.0, 11.1, []),
        (10.0, 11.2, [("jimmy", "plugs_over_house", "WARN")]),
        (10.0, 20.1, [("jimmy", "plugs_over_house", "WARN")]),
        (10.0, 20.2, [("jimmy", "plugs_over_house", "ERROR")]),
        (0.0, 0.1, []),
    ],
)
def test_plugs_over_their_house(house: float, plugs: float, expected: list[tuple[str, str, str]]) -> None:
    """Of 1,440 minutes, 200 Wh are let pass: 0.139 Wh a minute."""
    rows = energy(("h", "consumptions", 1.0, house, 1440), ("a", "plugs", 1.0, plugs, 1440))
    assert found(balance(rows, 1440)) == expected


def test_a_house_meter_with_gaps_is_not_compared() -> None:
    rows = energy(("h", "consumptions", 1.0, 1.0, 1367), ("a", "plugs", 1.0, 10.0, 1440))
    assert balance(rows, 1440) == Verdict([], {"homes compared": 0})
    enough = energy(("h", "consumptions", 1.0, 1.0, 1368), ("a", "plugs", 1.0, 10.0, 1440))
    assert found(balance(enough, 1440)) == [("jimmy", "plugs_over_house", "ERROR")]
