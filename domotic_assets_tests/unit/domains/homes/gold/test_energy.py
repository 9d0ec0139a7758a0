"""Energy: hand-computed minutes of plugs and meters, their power, energy and cost."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.homes.gold.energy import (
    VARIABLES,
    energy_minutes,
    plug_readings,
)
from domotic_assets.domains.homes.gold.plug_energy import Reach, counted
from domotic_assets.schemas.homes.gold import FACT_ENERGY_MINUTE
from domotic_assets.schemas.table import UTC_TIME, surrogate_key
from domotic_assets.star.arithmetic import divided
from domotic_assets_tests.support.builders import registry

# Monday 4 September 2023, noon on the home's clock.
NOON = datetime(2023, 9, 4, 10, 0, tzinfo=UTC)
HIGH, LOW = 0.30, 0.20
OFFICE, HOUSE = "jimmy/office/plugs/1", "jimmy/house/consumptions/1"

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


def rebuilt(
    events: pl.DataFrame, minutes: Iterable[int] | None = None, unsettled: Sequence[str] | None = None
) -> pl.DataFrame:
    """The fact rows when these minutes after noon (all of the events by default) are rebuilt.

    unsettled: plugs to judge reading by reading; all by default.
    """
    if minutes is None:
        chosen = events["ts"].unique().sort()
    else:
        chosen = pl.Series([NOON + timedelta(minutes=n) for n in minutes], dtype=UTC_TIME)
    first, last = chosen.min(), chosen.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    plugs = plug_readings(events)
    reach = Reach(first, last, plugs["device"].unique().to_list() if unsettled is None else unsettled)
    marked = counted(plugs, registry().settings.plug_power_bound_w)
    rows = energy_minutes(events, plugs, marked, chosen, reach, registry())
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
            "energy_import_kwh": 0.012,
            "energy_export_kwh": 0.0,
            "cost_chf": pytest.approx(0.012 * LOW),
            "counter_total": 81_995.0,
            "is_valid": True,
            "energy_source": "counter",
            "counter_note": None,
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
def test_what_a_counter_did_stands_in_the_fact_and_what_is_not_believed_is_not_valid() -> None:
    """600 W are 10 Wh a minute."""
    said = ((0, 5_000), (1, 0), (2, 5_020), (3, 90_000), (4, 5_040), (5, 8), (6, 4_000), (7, 4_010))
    rows = rebuilt(frame(*(plug(minute, counter, 600.0) for minute, counter in said)))
    assert of_minutes(rows, "energy_wh", "is_valid", "counter_note") == {
        0: (0.0, True, None),
        1: (0.0, False, "dip"),
        2: (20.0, True, "return"),
        3: (0.0, False, "spike"),
        4: (20.0, True, "return"),
        5: (8.0, True, "restart"),
        6: (0.0, False, "jump"),
        7: (10.0, True, None),
    }


@pytest.mark.rule(1)
def test_a_plug_without_a_counter_has_the_energy_of_its_power() -> None:
    """Of minutes far from a counter reading; the counter's next step adds what these did not tell."""
    lone = (plug(minute, None, 600.0) for minute in range(1, 40))
    rows = rebuilt(frame(plug(0, 1_000, 600.0), *lone, plug(40, 1_400, 600.0)))
    found = of_minutes(rows, "energy_wh", "energy_source")
    assert [found[minute] for minute in (0, 7, 8, 32, 33)] == [
        (0.0, "counter"),
        (None, None),
        (10.0, "power"),
        (10.0, "power"),
        (None, None),
    ]
    assert found[40] == (400.0 - 25 * 10, "counter")
    never = rebuilt(frame(*(plug(minute, None, 90.0) for minute in range(3))))
    assert of_minutes(never, "energy_wh", "energy_source") == dict.fromkeys(range(3), (1.5, "power"))


@pytest.mark.rule(1)
def test_a_rebuilt_minute_brings_the_rows_that_it_reaches() -> None:
    """A late reading at minute 2 halves the step after it; a calm counter's other rows are left alone."""
    before = (plug(-2, 80), plug(-1, 90), plug(0, 100), plug(1, 110))
    readings = (plug(2, 115), plug(3, 120), plug(60, 150), plug(61, 160))
    rows = rebuilt(frame(*before, *readings), [2], unsettled=())
    assert of_minutes(rows, "energy_wh") == {2: 5.0, 3: 5.0}


@pytest.mark.rule(1)
def test_a_minute_that_lost_the_first_reading_makes_the_next_one_the_first() -> None:
    rows = rebuilt(frame(plug(1, 110), plug(2, 115), plug(3, 120)), [0], unsettled=())
    assert of_minutes(rows, "energy_wh") == {1: 0.0}


def test_only_the_asked_minutes_of_a_house_meter_are_rebuilt() -> None:
    rows = rebuilt(frame(house(1, 60.0), house(2, 120.0), house(3, 180.0)), [2])
    assert of_minutes(rows, "energy_wh") == {2: 2.0}


@pytest.mark.rule(1)
def test_a_late_reading_tells_a_restart_from_a_glitch_one_reading_earlier() -> None:
    """Minute 1 looked like a restart until minute 2 came in."""
    first = (plug(0, 5_000, 1_200.0), plug(1, 20, 1_200.0))
    assert of_minutes(rebuilt(frame(*first)), "energy_wh", "is_valid")[1] == (20.0, True)
    rows = rebuilt(frame(*first, plug(2, 5_040, 1_200.0)), [2])
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


def test_a_meter_without_a_total_has_the_sum_of_its_phases() -> None:
    rows = rebuilt(frame(house(0, None, (32.0, 1.0, 2.0))))
    assert of_minutes(rows, "power_w", "is_valid") == {0: (35.0, True)}


@pytest.mark.parametrize(("phases", "power_w"), [((900.0,), 900.0), ((450.0, 450.0), 900.0)])
def test_a_meter_of_one_or_two_phases_has_their_sum(phases: tuple[float, ...], power_w: float) -> None:
    said = house(0, None, phases, valid=[True] * len(phases))
    assert of_minutes(rebuilt(frame(said)), "power_w", "is_valid") == {0: (power_w, True)}


def test_a_phase_out_of_bounds_leaves_the_total_that_the_meter_stands_by() -> None:
    rows = rebuilt(frame(house(0, 60.0, (32.0, 40_000.0, 28.0), outliers=["power2"])))
    assert of_minutes(rows, "power_w", "is_valid") == {0: (60.0, True)}


def test_a_home_that_feeds_in_has_negative_energy_that_costs_nothing() -> None:
    """Solar power on the roof: import and export are told apart, and no feed-in price is given."""
    rows = rebuilt(frame(house(0, -3_000.0)))
    assert of_minutes(rows, "energy_wh", "is_valid")[0] == (-50.0, True)
    assert rows.select("energy_import_kwh", "energy_export_kwh", "cost_chf").row(0) == (0.0, 0.05, 0.0)


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
        pytest.param(
            house(0, 40_000.0, (32.0, 1.0, 2.0), outliers=["total"]),
            35.0,
            id="its phases are not out of bounds",
        ),
        pytest.param(house(0, None, (32.0, None, 2.0)), None, id="neither a total nor all phases"),
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


def test_energy_of_a_gap_costs_what_its_minutes_cost_on_average() -> None:
    """From 21:50 (high) to 22:05 (low): nine minutes of one price and six of the other."""
    rows = rebuilt(frame(plug(590, 1_000, 4_000.0), plug(605, 2_000, 4_000.0)))
    energy, cost = of_minutes(rows, "energy_kwh", "cost_chf")[605]
    assert (energy, cost) == (1.0, pytest.approx((9 * HIGH + 6 * LOW) / 15))
