"""Openings and motion sensors: words that are not known, sensors that stand still, lists that changed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.checks.openings import (
    KIND,
    MOTION,
    SWITCH,
    daily,
    kinds,
    may_be_still,
    places,
    still,
)
from domotic_assets.quality.verdict import Verdict

START = datetime(2023, 9, 4, tzinfo=UTC)
DAY = 1440
WINDOW, SECOND, OTHER = (f"jimmy/office/doorsWindows/{place}" for place in (1, 2, 3))
SENSOR, NEIGHBOUR = "jimmy/office/motions/1", "jimmy/bedroom/motions/1"


def found(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(breach.subject, breach.reason, breach.severity) for breach in verdict.breaches]


def said(device: str, variable: str, values: Sequence[float | str | None], first: int = 0) -> pl.DataFrame:
    """A reading a minute from minute `first` on; None is none."""
    return pl.DataFrame(
        [
            (START + timedelta(minutes=first + minute), "jimmy", device, variable)
            + ((None, value) if isinstance(value, str) else (value, None))
            for minute, value in enumerate(values)
            if value is not None
        ],
        schema={
            "ts": pl.Datetime("us", "UTC"), "home": pl.String, "device": pl.String, "variable": pl.String,
            "value": pl.Float64, "value_text": pl.String,
        },
        orient="row",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [(0, []), (9, []), (10, [(WINDOW, "kind_unknown", "WARN")]), (1000, [(WINDOW, "kind_unknown", "WARN")])],
)
def test_an_opening_without_a_word_is_told(unknown: int, expected: list[tuple[str, str, str]]) -> None:
    words = said(WINDOW, KIND, [None] * unknown + ["Window"] * (1000 - unknown))
    other = pl.concat([said(SECOND, SWITCH, [0.0] * 1000), said(SECOND, KIND, ["Door"] * 1000)])
    assert found(kinds(pl.concat([said(WINDOW, SWITCH, [1.0] * 1000), words, other]))) == expected


MOVING = [0.0, 1.0] * (DAY // 2)
NIGHT = [0.0] * 500 + [1.0] * 940
"""A day with a rest of eight hours."""


@pytest.mark.parametrize(
    ("days", "beside", "expected"),
    [
        ({SWITCH: [1.0] * DAY}, [], True),
        ({SWITCH: [1.0] * (DAY - 1) + [0.0]}, [], False),
        ({SWITCH: [1.0] * 1000}, [], False),
        ({SWITCH: [1.0, *[None] * (DAY - 2), 1.0]}, [], False),
        ({SWITCH: [0.0] * DAY}, MOVING, False),
        ({SWITCH: MOVING + [0.0] * DAY}, MOVING, True),
        ({SWITCH: MOVING + [0.0] * DAY}, [0.0] * DAY, False),
        ({SWITCH: [0.0, 1.0] * 500 + [0.0] * (DAY + 440)}, MOVING, False),
        ({MOTION: [0.0] * DAY}, [], True),
        ({MOTION: [1.0] * DAY}, [], True),
        ({MOTION: MOVING}, [], False),
        ({MOTION: [0.0] * DAY}, [0.0] * DAY, False),
        ({MOTION: [0.0] * DAY}, MOVING, True),
        ({MOTION: [1.0] * DAY}, [0.0] * DAY, True),
        # Three times eight hours are more than the day, as long as the night before counts.
        ({MOTION: [1.0, *NIGHT, 1.0, *[0.0] * DAY]}, MOVING, False),
        ({MOTION: [1.0, *NIGHT, 1.0, *[0.0] * (DAY + 61)]}, MOVING, True),
    ],
)
def test_a_sensor_that_stands_still_is_told(
    days: dict[str, list[float | None]], beside: list[float], expected: bool
) -> None:
    ((variable, values),) = days.items()
    device = WINDOW if variable == SWITCH else SENSOR
    series = said(device, variable, values)
    last = series.filter(pl.col("ts") > series["ts"].max() - timedelta(days=1))
    present = daily(pl.concat([last, said(NEIGHBOUR, MOTION, beside)]))
    resting = series.filter(pl.col("device").is_in(may_be_still(present)["device"].to_list()))
    verdict = still(present, resting)
    assert found(verdict) == ([(device, "stands_still", "WARN")] if expected else [])


LIST = ("jimmy/office/doorsWindows", "list_changed", "WARN")


@pytest.mark.parametrize(
    ("second", "first", "expected"),
    [
        (60, 0, []),
        (58, 0, []),
        (57, 0, [LIST]),
        (50, 10, [LIST]),
        (57, 3, [LIST]),
        (56, 2, []),
        (2, 20, []),
    ],
)
def test_a_list_that_lost_or_got_a_place_is_told(
    second: int, first: int, expected: list[tuple[str, str, str]]
) -> None:
    events = [said(WINDOW, SWITCH, [0.0] * 60), said(SECOND, SWITCH, [0.0] * second, first)]
    assert found(places(pl.concat(events))) == expected


@pytest.mark.parametrize("doors", [0, 2, 3])
def test_a_place_that_became_another_kind_is_told(doors: int) -> None:
    events = pl.concat(
        [said(WINDOW, SWITCH, [0.0] * 60), said(WINDOW, KIND, ["Door"] * doors + ["Window"] * 40)]
    )
    assert found(places(events)) == ([(WINDOW, "kind_changed", "WARN")] if doors == 3 else [])


def test_nothing_breaks_nothing() -> None:
    nothing = said(WINDOW, SWITCH, [])
    assert [found(v) for v in (kinds(nothing), places(nothing), still(daily(nothing), nothing))] == [[]] * 3
