"""Outliers, changed units, stuck sensors and refused values, against bounds and against the past."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.homes.checks.readings import flat_lines, outliers, reading_days, refused, scales
from domotic_assets.quality.verdict import Verdict

START = datetime(2023, 9, 4, tzinfo=UTC)
CO2, DEVICE = "meteos.CO2", "jimmy/office/meteos/1"


def found(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(breach.subject, breach.reason, breach.severity) for breach in verdict.breaches]


def events(values: list[float | None], outlying: tuple[int, ...] = (), variable: str = CO2) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": [START + timedelta(minutes=minute) for minute in range(len(values))],
            "home": "jimmy",
            "device": DEVICE,
            "variable": variable,
            "value": pl.Series(values, dtype=pl.Float64),
            "is_outlier": [place in outlying for place in range(len(values))],
        }
    )


def test_a_day_of_readings_in_figures() -> None:
    (row,) = reading_days(events([400, 400, None, 400, 500, 0, 600, 9999, 700], (7,))).iter_rows(named=True)
    # In the sizes stand 400 400 400 500 600 700; 0 is nothing and 9,999 out of bounds.
    assert row == {
        "home": "jimmy",
        "device": DEVICE,
        "variable": CO2,
        "readings": 8,
        "outliers": 1,
        "low": 400.0,
        "middle": 500.0,
        "high": 700.0,
        "longest_flat": 3,
    }


def test_devices_side_by_side_do_not_join_their_stretches() -> None:
    first = events([400, 400])
    second = first.with_columns(device=pl.lit("jimmy/bedroom/meteos/1"))
    assert reading_days(pl.concat([first, second]))["longest_flat"].to_list() == [2, 2]


def day(**figures: Any) -> pl.DataFrame:
    row = {
        "home": "jimmy",
        "device": DEVICE,
        "variable": CO2,
        "readings": 1000,
        "outliers": 0,
        "low": 400.0,
        "middle": 500.0,
        "high": 900.0,
        "longest_flat": 20,
    }
    return pl.DataFrame([row | figures])


def past(*days: dict[str, Any]) -> pl.DataFrame:
    return pl.concat([day(**figures) for figures in days])


@pytest.mark.parametrize(
    ("present", "before", "expected"),
    [
        (9, 0, []),
        (10, 0, [(CO2, "out_of_bounds", "WARN")]),
        (199, 0, [(CO2, "out_of_bounds", "WARN")]),
        (200, 0, [(CO2, "out_of_bounds", "ERROR")]),
        # Five times the share of before, or it is nothing new.
        (49, 10, []),
        (50, 10, [(CO2, "out_of_bounds", "WARN")]),
        (200, 1000, [(CO2, "out_of_bounds", "ERROR")]),
    ],
)
def test_the_share_out_of_bounds(present: int, before: int, expected: list[tuple[str, str, str]]) -> None:
    assert found(outliers(day(outliers=present), past({"outliers": before}))) == expected


def test_a_share_is_that_of_the_home_and_its_variable() -> None:
    two = pl.concat([day(outliers=30), day(device="jimmy/bedroom/meteos/1", readings=5000)])
    assert found(outliers(two, past({}))) == []
    other = day(home="jeremie", device="jeremie/office/meteos/1", outliers=30)
    verdict = outliers(pl.concat([two, other]), past({}))
    assert [breach.home for breach in verdict.breaches] == ["jeremie"]
    assert verdict.figures == {"readings": 7000, "out of bounds": 60}


def test_without_a_past_the_share_alone_decides() -> None:
    assert found(outliers(day(outliers=10), past({}).clear())) == [(CO2, "out_of_bounds", "WARN")]
    assert found(outliers(day(readings=59, outliers=59), past({}).clear())) == []


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ((1, 1, 1), []),
        ((10, 10, 10), [(f"{DEVICE} {CO2}", "unit_changed", "ERROR")]),
        ((0.1, 0.1, 0.1), [(f"{DEVICE} {CO2}", "unit_changed", "ERROR")]),
        ((0.001, 0.001, 0.001), [(f"{DEVICE} {CO2}", "unit_changed", "ERROR")]),
        ((9.9, 10, 10), []),
        ((10, 10, 9.9), []),
        ((10, 1, 10), []),
        ((10, 10, 0.1), []),
    ],
)
def test_readings_that_all_moved(factors: tuple[float, ...], expected: list[tuple[str, str, str]]) -> None:
    moved = {
        n: v * f for (n, v), f in zip({"low": 400, "middle": 500, "high": 900}.items(), factors, strict=True)
    }
    assert found(scales(day(**moved), past({}, {}))) == expected


@pytest.mark.parametrize(
    ("figures", "days"),
    [({"readings": 59}, 2), ({"variable": "motions.light"}, 2), ({}, 1)],
    ids=["too few readings", "a unit of which zero is no start", "too short a past"],
)
def test_what_is_not_compared(figures: dict[str, Any], days: int) -> None:
    present = day(low=4.0, middle=5.0, high=9.0, **figures)
    before = past(*[{name: value for name, value in figures.items() if name == "variable"}] * days)
    assert scales(present, before) == Verdict([], {"compared with their past": 0})


@pytest.mark.parametrize(
    ("flat", "before", "expected"),
    [
        (359, 1, []),
        (360, 36, [(f"{DEVICE} {CO2}", "stuck", "WARN")]),
        (360, 37, []),
        # All of a day of 1,000 readings: four times are enough.
        (979, 200, []),
        (980, 245, [(f"{DEVICE} {CO2}", "stuck", "WARN")]),
        (980, 246, []),
    ],
)
def test_a_value_that_stands(flat: int, before: int, expected: list[tuple[str, str, str]]) -> None:
    verdict = flat_lines(day(longest_flat=flat), past({"longest_flat": before}, {"longest_flat": 1}))
    assert found(verdict) == expected


def test_air_pressure_may_stand() -> None:
    present = day(variable="meteos.Pressure", longest_flat=1000)
    assert found(flat_lines(present, past(*[{"variable": "meteos.Pressure"}] * 2))) == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (10, []),
        (11, [(CO2, "refused_values", "WARN")]),
        (249, [(CO2, "refused_values", "WARN")]),
        (250, [(CO2, "refused_values", "ERROR")]),
    ],
)
def test_refused_values(number: int, expected: list[tuple[str, str, str]]) -> None:
    """Of 1,000 that were taken and these: 11 of 1,011 are 1.09 %, 250 of 1,250 a fifth."""
    rejects = pl.DataFrame({"home": ["jimmy"] * number, "variable": [CO2] * number})
    assert found(refused(day(), rejects)) == expected


def test_a_variable_of_which_everything_is_refused() -> None:
    rejects = pl.DataFrame({"home": ["jimmy", None] * 60, "variable": ["plugs.power", CO2] * 60})
    assert found(refused(day(), rejects)) == [("plugs.power", "refused_values", "ERROR")]
