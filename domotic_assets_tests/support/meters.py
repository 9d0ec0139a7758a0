"""Random plugs whose true energy is known, read by counters with the faults of real ones.

A fault has a bound that was fixed before any judgement: how far the sum over a period may lie from the truth,
by a formula of the series alone. Nothing that makes a series knows how counters are judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from domotic_assets.domains.homes.gold.counters import Series, Step

DAY = 24 * 60
MINUTE_W = 10_000.0
"""The power that a step of one minute may have without a look at what the plug draws."""


@dataclass
class Plug:
    """A plug's true energy by minute, and what its counter says.

    loads: W by minute, each drawn for the minute before. true_wh: energy up to each minute. shown: minute to
    counter reading, where there is one. unsure: minutes whose reading is no true one. slack_wh: bound of the
    faults, by kind.
    """

    loads: list[float]
    true_wh: list[float]
    digits: int
    shown: dict[int, float] = field(default_factory=dict)
    unsure: set[int] = field(default_factory=set)
    slack_wh: dict[str, float] = field(default_factory=dict)

    @property
    def most_w(self) -> float:
        """The most that the plug ever draws."""
        return max(self.loads)

    def could_draw(self, minutes: int) -> float:
        """What the plug could draw in so many minutes, in Wh, if it drew its most."""
        return self.most_w * minutes / 60

    def add(self, kind: str, slack_wh: float) -> None:
        """Allow a kind of fault this much."""
        self.slack_wh[kind] = self.slack_wh.get(kind, 0.0) + slack_wh

    @property
    def rounding_wh(self) -> float:
        """What rounding may take or add, at the ends of a period and at each fault."""
        return float(0.1**self.digits) * (1 + len(self.slack_wh)) + 1e-6

    @property
    def bound_wh(self) -> float:
        """How far a sum may lie from the truth."""
        return sum(self.slack_wh.values()) + self.rounding_wh


def plug(rng: Random, minutes: int) -> Plug:
    """A plug: on standby, or with a fridge that cycles, a heater, a kettle or a machine now and then."""
    idle = rng.choice([0.0, 0.5, 2.0, 6.0, 40.0])
    most = rng.choice([5.0, 60.0, 120.0, 800.0, 2_000.0, 3_500.0])
    period, busy = rng.randint(3, 240), rng.random()
    loads = []
    running = 0
    for minute in range(minutes):
        if minute % period == 0:
            running = int(period * busy) if rng.random() < 0.7 else 0
        running = max(0, running - 1)
        base = most if running else idle
        loads.append(max(0.0, base * rng.uniform(0.9, 1.0)))
    start = rng.choice([0.0, rng.uniform(0, 50), rng.uniform(50, 5_000), rng.uniform(5_000, 900_000)])
    # The counter at a minute holds the energy up to it.
    energy = [start, *accumulate((load / 60 for load in loads[1:]), initial=start)][1:]
    made = Plug(loads, energy, rng.choice([0, 1, 2, 3]))
    made.shown = dict(enumerate(energy))
    return made


Fault = Callable[[Plug, Random, int, int], None]
"""Changes what a counter shows between two minutes, and adds its bound."""


def gap(made: Plug, _rng: Random, start: int, end: int) -> None:
    """No reading: its energy comes with the next, unless the plug drew more than it was ever seen to."""
    for minute in range(start, end):
        made.shown.pop(minute, None)
    drawn = made.true_wh[end] - made.true_wh[start - 1]
    seen = max(made.loads[minute] for minute in made.shown)
    is_seen = drawn <= max(1.1 * seen * (end - start + 1) / 60, MINUTE_W / 60)
    made.add("gap", 0.0 if is_seen else drawn)


def zeros(made: Plug, _rng: Random, start: int, end: int) -> None:
    """0 for a while: nothing may be lost or added."""
    _dip(made, start, end, lambda _: 0.0)
    made.add("zeros", 0.0)


def dip(made: Plug, rng: Random, start: int, end: int) -> None:
    """Lower by a fixed amount, or at a fixed level, for a while."""
    level = made.shown[start] * rng.uniform(0.1, 0.99)
    less = rng.uniform(0.5, max(0.6, made.shown[start] / 2))
    way = rng.choice([lambda _: level, lambda shown: max(0.0, shown - less)])
    _dip(made, start, end, way)
    made.add("dip", 0.0)


def sentinel(made: Plug, rng: Random, start: int, end: int) -> None:
    """A number of the firmware's, or a million too many, for some readings."""
    end = min(end, start + rng.randint(1, 5))
    value = rng.choice([2**31 - 1, 2**32 - 1, 65_535.0 * 1000, made.shown[start] + 1e6])
    _dip(made, start, end, lambda _: value)
    made.add("sentinel", 0.0)


def _dip(made: Plug, start: int, end: int, way: Callable[[float], float]) -> None:
    for minute in range(start, end):
        if minute in made.shown:
            made.shown[minute] = way(made.shown[minute])
            made.unsure.add(minute)


def restart(made: Plug, rng: Random, start: int, end: int) -> None:
    """Dark for a while, then on from 0: what was drawn in the dark may be lost, or less of it."""
    dark = _dark(made, rng, start, end)
    before = made.shown[min(later for later in made.shown if later >= dark)]
    zero = rng.uniform(0, made.true_wh[dark] - made.true_wh[dark - 1]) if dark else 0.0
    _from(made, dark, zero - before)
    made.add("restart", made.could_draw(dark - start + 1) + 1)


def replaced(made: Plug, rng: Random, start: int, end: int) -> None:
    """Another plug, at another level."""
    dark = _dark(made, rng, start, end)
    level = rng.choice([rng.uniform(0, 3_000), rng.uniform(0, 900_000)])
    before = made.shown[min(later for later in made.shown if later >= dark)]
    _from(made, dark, level - before)
    made.add("replaced", max(1.1 * made.could_draw(dark - start + 1) + 1, MINUTE_W / 60))


def set_back(made: Plug, rng: Random, start: int, end: int) -> None:
    """Dark for a while, then on from an older total."""
    dark = _dark(made, rng, start, end)
    less = min(rng.uniform(0.2, 20), made.shown[start] / 2)
    lost = made.shown[min(later for later in made.shown if later >= dark)] - made.shown[start]
    _from(made, dark, -less - lost)
    made.add("set_back", made.could_draw(dark - start + 1) + less)


def overflow(made: Plug, rng: Random, start: int, _end: int) -> None:
    """Begins again after the largest number that it can show."""
    most = 2.0 ** rng.choice([16, 24, 31, 32])
    middle = made.shown[min(later for later in made.shown if later >= start)]
    for minute in made.shown:
        moved = made.shown[minute] - middle + most
        made.shown[minute] = moved if moved < most else moved - most
    made.add("overflow", 0.0)


def _dark(made: Plug, rng: Random, start: int, end: int) -> int:
    """Take away the readings after `start` for a while; returns the minute of the next one."""
    dark = rng.choice([start + 1, rng.randint(start + 1, end)])
    for minute in range(start + 1, dark):
        made.shown.pop(minute, None)
    return dark


def _from(made: Plug, start: int, more: float) -> None:
    for minute in made.shown:
        if minute >= start:
            made.shown[minute] += more


FAULTS: dict[str, Fault] = {
    "gap": gap,
    "zeros": zeros,
    "dip": dip,
    "sentinel": sentinel,
    "restart": restart,
    "replaced": replaced,
    "set_back": set_back,
    "overflow": overflow,
}


def faulty_plug(rng: Random, kinds: Sequence[str]) -> Plug:
    """A plug whose counter has these faults, one after the other."""
    minutes = rng.choice([90, 300, 900, 2 * DAY])
    made = plug(rng, minutes)
    # An overflow moves all that came before it, so it comes first.
    kinds = sorted(kinds, key=lambda kind: kind != "overflow")
    edges = sorted(rng.sample(range(10, minutes - 10), 2 * len(kinds)))
    for kind, start, end in zip(kinds, edges[::2], edges[1::2], strict=True):
        FAULTS[kind](made, rng, start, min(end, start + DAY - 60))
    made.shown = {minute: round(value, made.digits) for minute, value in made.shown.items()}
    return made


def steps_of(made: Plug) -> dict[int, Step]:
    """What the product says of a plug: minute of each reading but the first to its step."""
    minutes = sorted(made.shown)
    counters, powers = [made.shown[at] for at in minutes], [made.loads[at] for at in minutes]
    return dict(zip(minutes[1:], Series(minutes, counters, powers, MINUTE_W, DAY).steps(), strict=True))


def error_wh(made: Plug) -> float:
    """The greatest distance from the truth of a sum between any two true readings."""
    steps = steps_of(made)
    first = min(made.shown)
    apart, total = [0.0], 0.0
    for at, step in steps.items():
        total += step.energy_wh
        if at not in made.unsure:
            apart.append(total - (made.true_wh[at] - made.true_wh[first]))
    return max(apart) - min(apart)
