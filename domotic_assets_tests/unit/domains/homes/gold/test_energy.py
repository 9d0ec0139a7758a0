"""Energy: hand-computed steps of counters and minutes of meters, and the law that a cut changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domotic_assets.domains.homes.gold.energy import (
    VARIABLES,
    anchors,
    counter_steps,
    energy_minutes,
    energy_steps,
    lacking_context,
    plug_readings,
)
from domotic_assets.schemas.homes.gold import FACT_ENERGY_MINUTE
from domotic_assets.schemas.table import UTC_TIME, surrogate_key
from domotic_assets.star.arithmetic import divided
from domotic_assets_tests.support.builders import registry

# 6,000 W are 100 Wh in a minute.
BOUND_W = 6_000.0
WH_PER_MINUTE = 100

# Monday 4 September 2023, noon on the home's clock.
NOON = datetime(2023, 9, 4, 10, 0, tzinfo=UTC)
HIGH, LOW = 0.30, 0.20
OFFICE, HOUSE = "jimmy/office/plugs/1", "jimmy/house/consumptions/1"

FLAGGED = (0.0, False)


def sound(energy_wh: float) -> tuple[float, bool]:
    """A step that counts."""
    return energy_wh, True


# Steps of one counter -------------------------------------------------------------------------------


@pytest.mark.rule(1)
@pytest.mark.parametrize(
    ("minutes", "counters", "expected"),
    [
        pytest.param([0, 1, 2], [500, 510, 530], [sound(0), sound(10), sound(20)], id="difference"),
        pytest.param([0, 1, 2], [500, 500, 500], [sound(0), sound(0), sound(0)], id="idle"),
        pytest.param([0, 1, 31], [500, 510, 540], [sound(0), sound(10), sound(30)], id="gap included"),
        pytest.param(
            [0, 1, 2, 3],
            [500, 510, 7, 12],
            [sound(0), sound(10), sound(7), sound(5)],
            id="restart adds its own value",
        ),
        pytest.param(
            [0, 1, 2, 3, 4],
            [500, 510, 7, 3, 4],
            [sound(0), sound(10), sound(7), sound(3), sound(1)],
            id="two restarts in a row",
        ),
        pytest.param([0, 1], [500, 7], [sound(0), sound(7)], id="restart at the end of the data"),
        pytest.param(
            [0, 1, 2, 3],
            [500, 510, 0, 530],
            [sound(0), sound(10), FLAGGED, sound(20)],
            id="glitch down adds nothing, its energy comes with the next",
        ),
        pytest.param(
            [0, 1, 2],
            [500, 0, 500],
            [sound(0), FLAGGED, sound(0)],
            id="back at exactly the old level is a glitch too",
        ),
        pytest.param(
            [0, 1, 2],
            [500, 80, 499],
            [sound(0), sound(80), FLAGGED],
            id="not quite back at the old level is a restart",
        ),
        pytest.param(
            [0, 1, 2, 3],
            [500, 9_000, 520, 525],
            [sound(0), FLAGGED, sound(20), sound(5)],
            id="glitch up adds nothing, the level stays",
        ),
        pytest.param(
            [0, 1, 2, 3],
            [500, 9_000, 9_030, 9_040],
            [sound(0), FLAGGED, sound(30), sound(10)],
            id="impossible rise that the next reading goes on from is the level",
        ),
        pytest.param([0, 1], [500, 9_000], [sound(0), FLAGGED], id="impossible rise at the end of the data"),
        pytest.param(
            [0, 1, 2],
            [500, 9_000, 9_100],
            [sound(0), FLAGGED, sound(100)],
            id="impossible rise that goes on by exactly the bound",
        ),
        pytest.param(
            [0, 1, 2, 3],
            [500, 9_000, 9_101, 9_050],
            [sound(0), FLAGGED, FLAGGED, FLAGGED],
            id="impossible rise that goes on by more than the bound is no level",
        ),
        pytest.param(
            [0, 1, 2, 3],
            [500, 9_000, 8_999.984375, 9_010],
            [sound(0), FLAGGED, FLAGGED, sound(10.015625)],
            id="impossible rise is no level for the least fall after it",
        ),
        pytest.param(
            [0, 1, 2, 3],
            [5_000, 400, 420, 430],
            [sound(0), FLAGGED, sound(20), sound(10)],
            id="impossible value of a restart that goes on",
        ),
        pytest.param(
            [0, 1, 2, 3],
            [5_000, 400, 100, 130],
            [sound(0), FLAGGED, sound(100), sound(30)],
            id="impossible value of a restart that does not go on",
        ),
        pytest.param([0, 1], [500, 600], [sound(0), sound(100)], id="exactly the bound"),
        pytest.param([0, 1], [500, 600.5], [sound(0), FLAGGED], id="just above the bound"),
        pytest.param([0, 3], [500, 800], [sound(0), sound(300)], id="the bound grows with the gap"),
        pytest.param([0, 3], [500, 801], [sound(0), FLAGGED], id="the bound of a gap"),
        pytest.param([5], [81_983], [sound(0)], id="the first reading ever"),
        pytest.param([], [], [], id="no reading"),
    ],
)
def test_steps_of_a_counter(
    minutes: Sequence[int], counters: Sequence[float], expected: list[tuple[float, bool]]
) -> None:
    assert counter_steps(minutes, counters, BOUND_W) == expected


@pytest.mark.rule(1)
def test_the_level_before_is_gone_on_from() -> None:
    """With a level the first of the readings given is no first reading ever."""
    assert counter_steps([10, 11], [530, 540], BOUND_W, level=(7, 500.0)) == [sound(30), sound(10)]


# Minutes of plugs and meters ------------------------------------------------------------------------


def plug(
    minute: int,
    total: float | None,
    power: float | None = 0.0,
    *,
    is_valid: bool | None = True,
    is_outlier: bool = False,
    device: str = OFFICE,
) -> list[dict[str, Any]]:
    """Events of a plug so many minutes after noon; a None is a reading that the file lacks."""
    valid = None if is_valid is None else float(is_valid)
    return [
        *_event(minute, device, "plugs.total", total),
        *_event(minute, device, "plugs.power", power, is_outlier=is_outlier),
        *_event(minute, device, "plugs.is_valid", valid),
    ]


def house(
    minute: int,
    total: float | None,
    phases: Sequence[float | None] = (),
    *,
    valid: Sequence[bool] = (True, True, True),
    outliers: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Events of the house meter so many minutes after noon."""
    events = _event(minute, HOUSE, "consumptions.total_power", total, is_outlier="total" in outliers)
    for number, power in enumerate(phases, 1):
        is_outlier = f"power{number}" in outliers
        events += _event(minute, HOUSE, f"consumptions.power{number}", power, is_outlier=is_outlier)
    for number, is_valid in enumerate(valid, 1):
        events += _event(minute, HOUSE, f"consumptions.is_valid{number}", float(is_valid))
    return events


def _event(
    minute: int, device: str, variable: str, value: float | None, *, is_outlier: bool = False
) -> list[dict[str, Any]]:
    if value is None:
        return []
    home, room, _ = device.split("/", 2)
    return [
        {
            "ts": NOON + timedelta(minutes=minute),
            "home": home,
            "room": f"{home}/{room}",
            "device": device,
            "variable": variable,
            "value": value,
            "is_outlier": is_outlier,
        }
    ]


def frame(*readings: list[dict[str, Any]]) -> pl.DataFrame:
    """Readings as silver events."""
    text, number = pl.String(), pl.Float64()
    schema = {"ts": UTC_TIME, "home": text, "room": text, "device": text, "variable": text, "value": number}
    rows = [event for reading in readings for event in reading]
    assert {row["variable"] for row in rows} <= set(VARIABLES)
    return pl.DataFrame(rows, schema={**schema, "is_outlier": pl.Boolean()})


def rebuilt(events: pl.DataFrame, minutes: Iterable[int] | None = None) -> pl.DataFrame:
    """The fact rows when these minutes after noon (all of the events by default) are rebuilt."""
    if minutes is None:
        chosen = events["ts"].unique().sort()
    else:
        chosen = pl.Series([NOON + timedelta(minutes=n) for n in minutes], dtype=UTC_TIME)
    first, last = chosen.min(), chosen.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    rows = energy_minutes(events, plug_readings(events), chosen, first, last, registry())
    assert rows.schema == FACT_ENERGY_MINUTE.schema
    return rows.sort("datetime_key", "device_key")


def of_minutes(rows: pl.DataFrame, *columns: str) -> dict[int, Any]:
    """Minute after noon to the value (or values) of columns."""
    moments = rows["datetime_key"].cast(pl.String).str.to_datetime("%Y%m%d%H%M", time_zone="UTC")
    minutes = [(at - NOON) // timedelta(minutes=1) for at in moments]
    values = [row[0] if len(columns) == 1 else row for row in rows.select(columns).iter_rows()]
    return dict(zip(minutes, values, strict=True))


def test_a_plug_minute_with_all_its_columns() -> None:
    """12 Wh since the reading before, a minute past local midnight: keys by UTC minute and local date."""
    rows = rebuilt(frame(plug(720, 81_983, 17.62), plug(721, 81_995, 17.62)))
    assert rows.filter(pl.col("datetime_key") == 202309042201).to_dicts() == [
        {
            "datetime_key": 202309042201,
            "date_key": 20230905,
            "device_key": surrogate_key("jimmy/office/plugs/1"),
            "room_key": surrogate_key("jimmy/office"),
            "apartment_key": surrogate_key("jimmy"),
            "power_w": 17.62,
            "energy_wh": 12.0,
            "energy_kwh": 0.012,
            "cost_chf": pytest.approx(0.012 * LOW),
            "counter_total": 81_995.0,
            "is_valid": True,
            "utc_date": datetime(2023, 9, 4).date(),
        }
    ]


@pytest.mark.rule(1)
def test_energy_is_the_difference_and_not_the_power_nor_the_counter() -> None:
    rows = rebuilt(frame(plug(0, 81_983, 900.0), plug(1, 81_990, 900.0), plug(5, 82_000, 900.0)))
    assert of_minutes(rows, "energy_wh") == {0: 0.0, 1: 7.0, 5: 10.0}


@pytest.mark.rule(1)
@pytest.mark.rule(7)
def test_an_invalid_plug_reading_is_skipped_and_its_energy_falls_to_the_next_valid_one() -> None:
    """Its garbage counter of 0 is neither restart nor level, its power is no power."""
    rows = rebuilt(frame(plug(0, 100, 50.0), plug(1, 0, 9_876.5, is_valid=False), plug(2, 130, 60.0)))
    assert of_minutes(rows, "energy_wh", "power_w", "counter_total", "is_valid") == {
        0: (0.0, 50.0, 100.0, True),
        1: (None, None, None, False),
        2: (30.0, 60.0, 130.0, True),
    }


@pytest.mark.rule(7)
def test_a_power_out_of_bounds_is_left_out_and_the_counter_still_counts() -> None:
    rows = rebuilt(frame(plug(0, 100), plug(1, 110, 12_000.0, is_outlier=True)))
    assert of_minutes(rows, "energy_wh", "power_w", "is_valid")[1] == (10.0, None, False)


@pytest.mark.rule(1)
@pytest.mark.parametrize("below", [-5.0, -0.5])
def test_a_counter_below_zero_is_no_reading_of_a_meter(below: float) -> None:
    """It is neither a restart nor a level; the power beside it stands."""
    rows = rebuilt(frame(plug(0, 100), plug(1, below, 40.0), plug(2, 130)))
    assert of_minutes(rows, "energy_wh", "power_w", "counter_total", "is_valid") == {
        0: (0.0, 0.0, 100.0, True),
        1: (None, 40.0, None, False),
        2: (30.0, 0.0, 130.0, True),
    }


@pytest.mark.rule(5)
def test_a_plug_without_counter_power_or_validity_keeps_what_it_has() -> None:
    """A rejected counter leaves the power; a rejected is_valid is no reason to doubt the reading."""
    some = (plug(1, None, 40.0), plug(2, 120, 30.0, is_valid=None), plug(3, 125, None))
    rows = rebuilt(frame(plug(0, 100), *some))
    assert of_minutes(rows, "energy_wh", "power_w", "is_valid") == {
        0: (0.0, 0.0, True),
        1: (None, 40.0, True),
        2: (20.0, 30.0, True),
        3: (5.0, None, True),
    }


def test_a_minute_that_says_neither_power_nor_energy_has_no_row() -> None:
    """All that a rejected reading leaves is whether it is valid."""
    rows = rebuilt(frame(plug(0, 100), plug(1, None, None), house(1, None), house(2, 60.0)))
    assert of_minutes(rows, "power_w") == {0: 0.0, 2: 60.0}


def test_a_meter_that_says_nothing_of_its_phases_is_believed() -> None:
    rows = rebuilt(frame(house(0, 60.0, (32.0, 0.0, 28.0), valid=())))
    assert of_minutes(rows, "power_w", "is_valid") == {0: (60.0, True)}


@pytest.mark.rule(1)
def test_glitches_and_impossible_steps_are_flagged_in_the_fact() -> None:
    """10,000 W, the bound that ships, are 166.7 Wh in a minute."""
    readings = (plug(0, 5_000), plug(1, 0), plug(2, 5_010), plug(3, 9_000), plug(4, 5_020), plug(5, 30))
    rows = rebuilt(frame(*readings))
    assert of_minutes(rows, "energy_wh", "is_valid") == {
        0: (0.0, True),
        1: (0.0, False),
        2: (10.0, True),
        3: (0.0, False),
        4: (10.0, True),
        5: (30.0, True),
    }
    assert rows["energy_wh"].sum() == 50.0


@pytest.mark.rule(1)
def test_a_rebuilt_minute_brings_the_rows_that_it_reaches() -> None:
    """A late reading at minute 2 halves the step after it; rows before its anchor are left alone."""
    before = (plug(-2, 80), plug(-1, 90), plug(0, 100), plug(1, 110))
    readings = (plug(2, 115), plug(3, 120), plug(60, 150), plug(61, 160))
    rows = rebuilt(frame(*before, *readings), [2])
    assert of_minutes(rows, "energy_wh") == {2: 5.0, 3: 5.0, 60: 30.0}


@pytest.mark.rule(1)
def test_a_minute_that_lost_the_first_reading_makes_the_next_one_the_first() -> None:
    rows = rebuilt(frame(plug(1, 110), plug(2, 115), plug(3, 120)), [0])
    assert of_minutes(rows, "energy_wh") == {1: 0.0, 2: 5.0}


def test_only_the_asked_minutes_of_a_house_meter_are_rebuilt() -> None:
    rows = rebuilt(frame(house(1, 60.0), house(2, 120.0), house(3, 180.0)), [2])
    assert of_minutes(rows, "energy_wh") == {2: 2.0}


@pytest.mark.rule(1)
def test_a_late_reading_tells_a_restart_from_a_glitch_one_reading_earlier() -> None:
    """Minute 1 looked like a restart until minute 2 came in."""
    first = (plug(0, 5_000), plug(1, 20))
    assert of_minutes(rebuilt(frame(*first)), "energy_wh", "is_valid")[1] == (20.0, True)
    rows = rebuilt(frame(*first, plug(2, 5_010)), [2])
    assert of_minutes(rows, "energy_wh", "is_valid")[1] == (0.0, False)


def test_plugs_are_judged_each_for_itself() -> None:
    kitchen = "jimmy/kitchen/plugs/1"
    readings = (plug(0, 100), plug(0, 7_000, device=kitchen), plug(1, 105), plug(1, 7_050, device=kitchen))
    rows = rebuilt(frame(*readings)).filter(pl.col("energy_wh") > 0)
    assert dict(rows.select("device_key", "energy_wh").iter_rows()) == {
        surrogate_key(OFFICE): 5.0,
        surrogate_key(kitchen): 50.0,
    }


@pytest.mark.rule(1)
def test_the_house_meter_adds_its_power_and_a_missing_minute_adds_nothing() -> None:
    """60.7 W for a minute; minutes 1 to 9 are missing."""
    rows = rebuilt(frame(house(0, 60.7), house(10, 120.0)))
    assert of_minutes(rows, "energy_wh", "counter_total", "is_valid") == {
        0: (pytest.approx(60.7 / 60), None, True),
        10: (2.0, None, True),
    }


def test_the_last_bit_does_not_tell_how_many_rows_were_worked_on_together() -> None:
    """62.26 W ÷ 60 and times the inverse of 60 differ in it; Polars does either, by the number of rows."""
    together = pl.DataFrame({"power_w": [62.26, 112.96, None, 0.1]})
    alone = [together[n : n + 1].select(divided(pl.col("power_w"), 60))["power_w"][0] for n in range(4)]
    assert together.select(divided(pl.col("power_w"), 60))["power_w"].to_list() == alone
    assert alone[2] is None
    assert [alone[0], alone[1], alone[3]] == pytest.approx([62.26 / 60, 112.96 / 60, 0.1 / 60], rel=1e-15)
    assert (
        together.select(pl.col("power_w") / 60)["power_w"][0]
        != together[:1].select(pl.col("power_w") / 60)["power_w"][0]
    ), "Polars divides alike now: `divided` may go"


def test_a_phase_out_of_bounds_leaves_the_total_that_the_meter_stands_by() -> None:
    rows = rebuilt(frame(house(0, 60.0, (32.0, 40_000.0, 28.0), outliers=["power2"])))
    assert of_minutes(rows, "power_w", "is_valid") == {0: (60.0, True)}


def test_a_home_that_feeds_in_has_negative_energy() -> None:
    """Solar power on the roof: the meter runs backwards, and earns at the tariff."""
    rows = rebuilt(frame(house(0, -3_000.0)))
    assert of_minutes(rows, "energy_wh", "is_valid")[0] == (-50.0, True)
    assert rows["cost_chf"].item() == pytest.approx(-0.05 * HIGH)


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("reading", "power_w"),
    [
        pytest.param(
            house(0, 6_614.0, (32.0, 6_553.5, 28.0), valid=(True, False, True)), 60.0, id="one invalid phase"
        ),
        pytest.param(
            house(0, 9_999.0, (32.0, 1.0, 2.0), valid=(True, False, False)), 32.0, id="two invalid phases"
        ),
        pytest.param(house(0, 99.0, (1.0, 2.0, 3.0), valid=(False, False, False)), None, id="none is valid"),
        pytest.param(
            house(0, 60.0, (32.0, None, 28.0), valid=(False, True, True)), None, id="a valid phase is missing"
        ),
        pytest.param(
            house(0, 60.0, (32.0, 40_000.0, 28.0), valid=(False, True, True), outliers=["power2"]),
            None,
            id="a valid phase is out of bounds",
        ),
        pytest.param(house(0, 40_000.0, outliers=["total"]), None, id="the total is out of bounds"),
        pytest.param(house(0, None, (32.0, 1.0, 2.0)), None, id="no total"),
    ],
)
def test_a_house_minute_that_is_not_sound(reading: list[dict[str, Any]], power_w: float | None) -> None:
    """The sum of the valid phases stands in for the total; a part of the house does not."""
    rows = rebuilt(frame(reading))
    energy_wh = None if power_w is None else pytest.approx(power_w / 60)
    assert of_minutes(rows, "power_w", "energy_wh", "is_valid") == {0: (power_w, energy_wh, False)}


@pytest.mark.parametrize(
    ("moment", "chf_per_kwh"),
    [
        ("2023-09-04T03:59", LOW),
        ("2023-09-04T04:00", HIGH),
        ("2023-09-04T19:59", HIGH),
        ("2023-09-04T20:00", LOW),
        ("2023-09-08T21:59", LOW),
        ("2023-09-09T10:00", LOW),
        ("2023-12-31T22:59", LOW),
        ("2023-12-31T23:00", None),
    ],
)
def test_cost_is_that_of_the_tariff_at_the_minute(moment: str, chf_per_kwh: float | None) -> None:
    """High on weekdays from 06:00 to 22:00 local, until the tariff ends with the local year."""
    minute = (datetime.fromisoformat(moment).replace(tzinfo=UTC) - NOON) // timedelta(minutes=1)
    rows = rebuilt(frame(house(minute, 60_000.0)))
    expected = None if chf_per_kwh is None else pytest.approx(1.0 * chf_per_kwh)
    assert rows.select("energy_kwh", "cost_chf").row(0) == (1.0, expected)


def test_energy_of_a_gap_costs_what_its_later_minute_costs() -> None:
    """From 21:50 (high) to 22:00 (low): counted, and priced, at 22:00."""
    rows = rebuilt(frame(plug(590, 1_000), plug(600, 2_000)))
    assert of_minutes(rows, "energy_kwh", "cost_chf")[600] == (1.0, pytest.approx(LOW))


# A cut changes nothing ------------------------------------------------------------------------------

History = Mapping[int, int]
"""Minute to counter reading of one plug, in Wh."""

READINGS = st.sampled_from([0, 3, 50, 90, 140, 200, 250, 320, 400, 1_000, 1_060, 1_150, 9_000, 9_050])
MINUTES = st.integers(0, 40)
HISTORIES = st.dictionaries(MINUTES, READINGS, max_size=14)


def oracle(history: History) -> dict[int, tuple[float, bool]]:
    """The first rule word by word, over a whole history and in whole Wh."""
    times = sorted(history)
    steps: dict[int, tuple[float, bool]] = {}
    level: int | None = None
    for place, time in enumerate(times):
        value, after = history[time], times[place + 1 : place + 2]
        if level is None:
            steps[time], level = (0.0, True), time
            continue
        is_lower = value < history[level]
        # Lower, and the next reading is back at or above the old level: a glitch.
        if is_lower and any(history[then] >= history[level] for then in after):
            steps[time] = FLAGGED
            continue
        # A rise, or a restart's own value.
        needed = value if is_lower else value - history[level]
        if needed <= WH_PER_MINUTE * (time - level):
            steps[time], level = (float(needed), True), time
            continue
        steps[time] = FLAGGED
        if any(goes_on(history, time, then) for then in after):
            level = time
    return steps


def goes_on(history: History, time: int, then: int) -> bool:
    """Whether the reading `then` rises from the one at `time` by no more than the plug can draw."""
    return 0 <= history[then] - history[time] <= WH_PER_MINUTE * (then - time)


def least_context(history: History, first: int, last: int) -> dict[int, int]:
    """The readings that a recalculation of [first, last] may not do without, and no more.

    An anchor goes on from the reading before it. From the last anchor before `first`, with the reading
    that makes it one, to the first anchor behind `last` whose reading before lies behind `last` too.
    """
    times = sorted(history)
    anchors = [n for n in range(1, len(times)) if goes_on(history, times[n - 1], times[n])]
    begin = max((n - 1 for n in anchors if times[n] < first), default=0)
    end = min((n for n in anchors if times[n - 1] > last), default=len(times) - 1)
    return {time: history[time] for time in times[begin : end + 1]}


def as_readings(histories: Mapping[str, Mapping[int, float]]) -> pl.DataFrame:
    rows = [
        (device, NOON + timedelta(minutes=minute), float(counter))
        for device, history in histories.items()
        for minute, counter in history.items()
    ]
    schema = {"device": pl.String(), "ts": UTC_TIME, "counter_total": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.rule(1)
def test_an_anchor_goes_on_from_the_reading_before_it() -> None:
    """By at most 100 Wh a minute, by nothing, and never by the least fall; a first reading is none."""
    one = {0: 500.0, 1: 600.0, 2: 701.0, 3: 701.0, 4: 700.984375, 6: 900.984375}
    readings = as_readings({"a/c/plugs/1": {7: 901}, "a/b/plugs/1": one})
    assert anchors(readings, BOUND_W)["is_anchor"].to_list() == [False, True, False, True, False, True, False]


@pytest.mark.rule(1)
@pytest.mark.parametrize(("rise", "is_sound"), [(6_000, True), (6_001, False)])
def test_the_bound_of_an_hour_is_that_of_sixty_minutes(rise: int, is_sound: bool) -> None:
    readings = as_readings({OFFICE: {0: 500, 60: 500 + rise}})
    steps = energy_steps(readings, NOON, NOON + timedelta(hours=1), BOUND_W)
    assert steps["is_sound"].to_list() == [True, is_sound]


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, History], dict[str, History], int, int]:
    """Two plugs' histories before and after a change of any readings in [first, last]; first; last."""
    first = draw(MINUTES)
    last = draw(st.integers(first, 40))
    before, after = {}, {}
    for device in ("a/b/plugs/1", "a/c/plugs/1"):
        old, new = draw(HISTORIES), draw(HISTORIES)
        before[device] = old
        kept = {minute: wh for minute, wh in old.items() if not first <= minute <= last}
        after[device] = kept | {minute: wh for minute, wh in new.items() if first <= minute <= last}
    return before, after, first, last


@pytest.mark.rule(1)
@settings(max_examples=400)
@given(changes(), st.booleans())
def test_a_recalculation_with_the_least_context_is_as_good_as_one_of_everything(
    change: tuple[dict[str, History], dict[str, History], int, int], is_least: bool
) -> None:
    """Rows recomputed for a changed window, laid over the old ones, are those of the whole new history."""
    before, after, first, last = change
    context = after
    if is_least:
        context = {device: least_context(history, first, last) for device, history in after.items()}
    window = (NOON + timedelta(minutes=first), NOON + timedelta(minutes=last))
    steps = energy_steps(as_readings(context), *window, BOUND_W)
    for device, history in after.items():
        laid_over = {
            minute: step for minute, step in oracle(before[device]).items() if not first <= minute <= last
        }
        for ts, energy_wh, is_sound in (
            steps.filter(pl.col("device") == device).select("ts", "energy_wh", "is_sound").iter_rows()
        ):
            laid_over[(ts - NOON) // timedelta(minutes=1)] = (energy_wh, is_sound)
        assert laid_over == oracle(history)


@given(HISTORIES, MINUTES, MINUTES)
def test_lacking_context_is_told(history: History, one: int, other: int) -> None:
    """A plug with an anchor on a side has enough on it; the least context is never called lacking."""
    first, last = sorted((one, other))
    window = (NOON + timedelta(minutes=first), NOON + timedelta(minutes=last))
    times = sorted(history)
    anchors = [n for n in range(1, len(times)) if goes_on(history, times[n - 1], times[n])]
    plugs = {"a/b/plugs/1"}
    early, late = lacking_context(as_readings({"a/b/plugs/1": history}), plugs, *window, BOUND_W)
    assert (early == set()) == any(times[n] < first for n in anchors)
    assert (late == set()) == any(times[n - 1] > last for n in anchors)
    context = least_context(history, first, last)
    assert lacking_context(as_readings({"a/b/plugs/1": context}), plugs, *window, BOUND_W) == (early, late)
