"""What readings of a counter add: each kind of fault by hand, and random plugs whose true energy is known."""

from collections.abc import Sequence
from random import Random

import pytest

from domotic_assets.domains.homes.gold.counters import Series, is_calm
from domotic_assets_tests.support import meters

# 6,000 W are 100 Wh in a minute.
BOUND_W = 6_000.0
DAY = 24 * 60

Reading = tuple[int, float] | tuple[int, float, float]
"""Minute, Wh and, where the plug states it, W."""


def judged(*readings: Reading) -> list[tuple[float, str | None]]:
    """Wh and note of each reading but the first."""
    minutes = [reading[0] for reading in readings]
    powers = [reading[2] if len(reading) == 3 else None for reading in readings]
    series = Series(minutes, [reading[1] for reading in readings], powers, BOUND_W, DAY)
    return [(round(step.energy_wh, 6), step.note) for step in series.steps()]


@pytest.mark.rule(1)
@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        pytest.param([(0, 500), (1, 510), (2, 530)], [(10, None), (20, None)], id="difference"),
        pytest.param([(0, 500), (1, 500)], [(0, None)], id="idle"),
        pytest.param([(0, 500), (30, 540)], [(40, None)], id="gap"),
        pytest.param([(0, 500), (1, 600)], [(100, None)], id="most of a minute"),
        pytest.param(
            [(0, 500, 9.0), (1, 600.5, 9.0)],
            [(0, "jump")],
            id="more than a minute's, and 9 W do not explain it",
        ),
        pytest.param(
            [(0, 500, 400.0), (60, 880, 400.0)], [(380, "large_step")], id="an hour at 400 W explains 380 Wh"
        ),
        pytest.param(
            [(0, 500, 6.0), (60, 880, 6.0)], [(0, "jump")], id="an hour at 6 W does not: another plug"
        ),
        pytest.param(
            [(0, 400, 2_000.0), (1, 433, 2_000.0), (2, 433, 0.0), (62, 1_433, 0.0)],
            [(33, None), (0, None), (1_000, "large_step")],
            id="its own past explains what ran while nothing was read",
        ),
        pytest.param(
            [(0, 7_000, 500.0), (60, 7_000, 500.0), (120, 7_000, 500.0), (121, 8_000, 500.0)],
            [(0, None), (0, None), (1_000, "large_step")],
            id="a counter of whole kWh stands still for two hours at 500 W",
        ),
        pytest.param(
            [(0, 500, 420.0), (1, 507, 420.0), (2, 6, 420.0), (3, 13, 420.0)],
            [(7, None), (6, "restart"), (7, None)],
            id="restart: 6 Wh in a minute at 420 W",
        ),
        pytest.param(
            [(0, 500, 420.0), (1, 507, 420.0), (2, 60, 420.0), (3, 67, 420.0)],
            [(7, None), (0, "set_back"), (7, None)],
            id="60 Wh are no restart at 420 W",
        ),
        pytest.param(
            [(0, 500, 60.0), (60, 55, 60.0)], [(55, "restart")], id="restart some time in an hour at 60 W"
        ),
        pytest.param(
            [(0, 12, 600.0), (1, 22, 600.0), (2, 0, 600.0), (3, 10, 600.0), (4, 20, 600.0), (5, 30, 600.0)],
            [(10, None), (0, "restart"), (10, None), (10, None), (10, None)],
            id="a young counter restarts, and passes its old level by counting",
        ),
        pytest.param(
            [(0, 12, 6.0), (1, 12.1, 6.0), (2, 0, 6.0), (3, 0, 6.0), (4, 12.4, 6.0)],
            [(0.1, None), (0, "dip"), (0, "dip"), (0.3, "return")],
            id="a young counter shows 0 for a while",
        ),
        pytest.param(
            [(0, 500), (1, 510), (2, 0), (3, 530)],
            [(10, None), (0, "dip"), (20, "return")],
            id="a single 0, its energy comes with the next",
        ),
        pytest.param(
            [(0, 500), (1, 0), (2, 500)], [(0, "dip"), (0, "return")], id="back at exactly the old level"
        ),
        pytest.param(
            [(0, 90_000, 60.0), (1, 0, 60.0), (DAY + 1, 91_440, 60.0)],
            [(0, "dip"), (1_440, "return")],
            id="back a day later to the minute",
        ),
        pytest.param(
            [(0, 90_000, 60.0), (1, 0, 60.0), (DAY + 2, 91_441, 60.0)],
            [(0, "restart"), (0, "jump")],
            id="back a minute too late",
        ),
        pytest.param(
            [(0, 215_700, 50.0), (1, 215_600, 50.0), (30, 215_600, 50.0), (31, 215_700, 50.0)],
            [(0, "dip"), (0, "dip"), (0, "return")],
            id="one unit lower for a while",
        ),
        pytest.param(
            [(0, 500, 6.0), (1, 0, 6.0), (2, 2**31 - 1, 6.0), (3, 0, 6.0), (4, 500.4, 6.0)],
            [(0, "dip"), (0, "dip"), (0, "dip"), (0.4, "return")],
            id="a number of the firmware's amid zeros is no return",
        ),
        pytest.param(
            [(0, 500, 6.0), (1, 2**32 - 1, 6.0), (2, 2**32 - 1, 6.0), (3, 500.3, 6.0)],
            [(0, "spike"), (0, "spike"), (0.3, "return")],
            id="a number of the firmware's, twice",
        ),
        pytest.param(
            [(0, 500, 6.0), (1, 1_000_500.1, 6.0), (2, 500.2, 6.0)],
            [(0, "spike"), (0.2, "return")],
            id="a reading a million too high",
        ),
        pytest.param(
            [(0, 500, 600.0), (1, 9_000, 600.0), (2, 9_010, 600.0), (900, 18_000, 600.0)],
            [(0, "jump"), (10, None), (8_990, "large_step")],
            id="a higher level that stays is not left because time goes on",
        ),
        pytest.param(
            [(0, 65_530, 600.0), (1, 4, 600.0), (2, 14, 600.0)],
            [(10, "overflow"), (10, None)],
            id="overflow at 2^16 Wh",
        ),
        pytest.param(
            [(0, 71_582_780, 600.0), (1, 2, 600.0)],
            [(10.266667, "overflow")],
            id="overflow at 2^32 watt-minutes",
        ),
        pytest.param(
            [(0, 44_790.66, 5.0), (480, 44_790.13, 5.0), (481, 44_790.21, 5.0)],
            [(0, "set_back"), (0.08, None)],
            id="an older total comes back after a power cut",
        ),
        pytest.param(
            [(0, 45_000), (15, 45_175), (30, 45_350), (45, 45_525)],
            [(175, "large_step")] * 3,
            id="read every quarter of an hour, 700 W, no power stated",
        ),
        pytest.param(
            [
                (0, 400, 2_000.0),
                (5, 600, 2_000.0),
                (10, 700, 2_000.0),
                (15, 900, 2_000.0),
                (20, 1_000, 2_000.0),
            ],
            [(200, "large_step"), (100, None), (200, "large_step"), (100, None)],
            id="a counter of 100 Wh at 2 kW shows one or two at once",
        ),
        pytest.param(
            [(0, 5_000), (30, 6_000), (60, 7_000), (90, 7_000), (120, 8_000)],
            [(1_000, "large_step"), (1_000, "large_step"), (0, None), (1_000, "large_step")],
            id="a counter of whole kWh, no power stated",
        ),
        pytest.param(
            [(0, 104, 60.0), (1, 180, 60.0), (2, 106, 60.0), (3, 107, 60.0)],
            [(0, "spike"), (2, "return"), (1, None)],
            id="76 Wh too high in a minute at 60 W",
        ),
        pytest.param(
            [(0, 7_966, 2_000.0), (1, 8_000, 2_000.0), (481, 7_900, 2_000.0), (482, 7_933, 2_000.0)],
            [(34, None), (0, "set_back"), (33, None)],
            id="not near zero, whatever the plug can draw in eight hours",
        ),
        pytest.param(
            [(0, 397_090, 0.0), (5, 397_113, 0.0), (10, 0, 0.0), (725, 0, 0.0), (730, 398_500, 0.0)],
            [(23, None), (0, "dip"), (0, "dip"), (1_387, "return")],
            id="a plug that always states 0 W states nothing",
        ),
        pytest.param(
            [(0, 5_000), (60, 5_400)], [(400, "large_step")], id="nothing is known: a household's socket"
        ),
        pytest.param(
            [(0, 45_000), (5, 45_292), (10, 45_580), (15, 45_876)],
            [(292, "large_step"), (288, "large_step"), (296, "large_step")],
            id="read every five minutes, some 3.5 kW, no power stated",
        ),
        pytest.param([(0, 5_000), (60, 9_000)], [(0, "jump")], id="more than a household's socket gives"),
        pytest.param([(5, 81_983)], [], id="the first reading ever"),
        pytest.param([(0, 500), (1, 9_000)], [(0, "jump")], id="a high reading at the end of the data"),
        pytest.param([(0, 9_000), (1, 500)], [(0, "set_back")], id="a low reading at the end of the data"),
    ],
)
def test_what_a_reading_adds_and_what_it_was(
    readings: Sequence[Reading], expected: list[tuple[float, str | None]]
) -> None:
    assert judged(*readings) == expected


def test_one_wrong_power_of_many_explains_no_other_plug() -> None:
    """Half an hour at 6 W with one reading of 9,900 W, and nine hours later a level 44 kWh higher."""
    readings = [(minute, 3_000 + 0.1 * minute, 9_900.0 if minute == 7 else 6.0) for minute in range(30)]
    assert judged(*readings, (570, 47_000.0, 6.0))[-1] == (0, "jump")


def test_a_counter_that_restarts_each_hour_adds_each_hour() -> None:
    """Six hours at 600 W, 10 Wh a minute: each restart shows what was counted since."""
    readings = [(minute, 10.0 * (minute % 60), 600.0) for minute in range(360)]
    assert sum(energy for energy, _ in judged(*readings)) == 6 * 590


def test_a_noisy_counter_is_not_set_back_again_and_again() -> None:
    """Half a Wh up and down around 0.1 Wh a minute: 59 minutes add 5.9 Wh, not 30."""
    readings = [(minute, 500 + 0.1 * minute + 0.5 * (minute % 2), 6.0) for minute in range(60)]
    assert sum(energy for energy, _ in judged(*readings)) == pytest.approx(5.9, abs=1.0)


@pytest.mark.parametrize(("rise_wh", "calm"), [(0, True), (100, True), (100.01, False), (-1e-9, False)])
def test_a_step_is_calm_that_any_plug_can_make_in_a_minute(rise_wh: float, calm: bool) -> None:
    assert is_calm(rise_wh, BOUND_W) is calm


@pytest.mark.rule(1)
@pytest.mark.parametrize("kind", ["none", *meters.FAULTS])
def test_sums_agree_with_what_plugs_truly_used(kind: str) -> None:
    """Over any period between two readings that the counter truly showed, within the bound of the fault."""
    for seed in range(60):
        made = meters.faulty_plug(Random(f"{kind} {seed}"), [] if kind == "none" else [kind])
        assert meters.error_wh(made) <= made.bound_wh, seed
