"""Simulates what the machines of a home draw, minute by minute, and the meters that count it.

When people start a machine belongs in `people`.
"""

from dataclasses import dataclass
from random import Random

from domotic_assets.simulator.people import MINUTES, Use

WASHER_PROGRAM = ((4, 65.0), (17, 2050.0), (38, 145.0), (6, 310.0), (9, 70.0), (12, 380.0))
DISHWASHER_PROGRAM = ((6, 60.0), (16, 1900.0), (30, 75.0), (14, 1850.0), (10, 8.0))
"""Programs: minutes and mean watts of each phase."""

STANDBY_W = {"boiler": 0.0, "washer": 0.9, "television": 1.87, "desk": 3.4}
PHASE = {
    "fridge": 0, "desk": 0, "base": 0, "lights": 0, "dishwasher": 0,
    "washer": 1, "television": 1, "boiler": 1,
    "stove": 2, "kettle": 2,
}  # fmt: skip
"""Phase of the house meter, from 0, that each load is connected to."""


def profiles(uses: tuple[Use, ...], scale: float, rng: Random) -> dict[str, list[float]]:
    """Return the watts of each appliance used, by local minute of a day; a run is cut at the day's end."""
    watts: dict[str, list[float]] = {}
    for use in uses:
        if use.appliance == "shower":
            continue
        line = watts.setdefault(use.appliance, [0.0] * MINUTES)
        for minute, value in enumerate(_program(use, rng), start=use.start):
            if minute < MINUTES:
                line[minute] = value * scale
    return watts


def _program(use: Use, rng: Random) -> list[float]:
    """Return the power of one run of an appliance, in W by minute from its start.

    The washer and the dishwasher have a fixed program; others run for `use.minutes`. Raises KeyError for a
    shower.
    """
    if use.appliance == "washer":
        return [watts for minutes, watts in WASHER_PROGRAM for _ in range(minutes)]
    if use.appliance == "dishwasher":
        return [watts for minutes, watts in DISHWASHER_PROGRAM for _ in range(minutes)]
    if use.appliance == "stove":
        # Full heat first, then the thermostat cycles.
        return [2100.0 if m < 7 else (1800.0 if (m // 3) % 3 == 0 else 350.0) for m in range(use.minutes)]
    steady = {"kettle": 1900.0, "boiler": 1250.0}[use.appliance]
    return [steady * rng.uniform(0.98, 1.02) for _ in range(use.minutes)]


class Fridge:
    """A fridge whose compressor runs until it is cold inside and rests until it is not."""

    def __init__(self, rng: Random) -> None:
        self._inside_c = rng.uniform(4.0, 7.0)
        self._running = False
        self._watts = rng.uniform(62.0, 88.0)

    def step(self, room_c: float, opened: bool) -> float:
        """Advance by one minute and return the fridge's mean power in it, in W.

        room_c: temperature around the fridge. opened: whether its door is opened in this minute, which warms
        it.
        """
        self._inside_c += (room_c - self._inside_c) * 0.0035 + (0.25 if opened else 0.0)
        if self._running:
            self._inside_c -= 0.16
        if self._inside_c > 6.5:
            self._running = True
        elif self._inside_c < 4.0:
            self._running = False
        return self._watts if self._running else 0.6


@dataclass(slots=True)
class Plug:
    """A smart plug: it counts whole milliwatt-hours, so that sums of its minutes are exact."""

    total_mwh: int
    power_w: float = 0.0
    energy_mwh: int = 0
    read_at_unix: int = 0
    last_wmin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def step(self, power_w: float, unix: int) -> None:
        """Count one minute at this mean power."""
        power_w = round(power_w, 2)
        # A plug reports when its power changes, or after ten minutes: an idle one repeats an old time.
        if power_w != self.power_w or unix - self.read_at_unix >= 600:
            self.read_at_unix = unix
        self.power_w = power_w
        self.energy_mwh = round(power_w * 1000 / 60)
        self.total_mwh += self.energy_mwh
        self.last_wmin = (power_w, *self.last_wmin[:2])


@dataclass(slots=True)
class HouseMeter:
    """The three-phase meter: it measures power and has no counter."""

    power_w: tuple[float, float, float] = (0.0, 0.0, 0.0)
    voltage_v: tuple[float, float, float] = (234.0, 234.0, 234.0)
    power_factor: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def total_w(self) -> float:
        """Sum of the phases' power."""
        return round(sum(self.power_w), 2)

    def step(self, phases_w: list[float], rng: Random) -> None:
        """Measure one minute."""
        grid = 233.5 + rng.random()
        first, second, third = phases_w
        self.power_w = (round(first, 2), round(second, 2), round(third, 2))
        self.voltage_v = (round(grid - first / 900, 2), round(grid + 0.4 - second / 900, 2),
                          round(grid - 0.3 - third / 900, 2))  # fmt: skip
        self.power_factor = (0.91, 0.94, 0.99 if third > 50 else 0.88)
