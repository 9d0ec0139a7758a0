"""Judges the readings of one energy counter: what each of them adds, and what a fall or a jump was.

Nearly every reading goes on from the one before by a little. Where one does not, the readings around tell
what happened: whether the counter comes back to its level, and what the device's own power says of the time
between. A judgement needs the readings of `settles` minutes on both sides, and the power of OWN_PAST before.
It never depends on how the feed was cut into runs.

Why: docs/decisions/0035-counters-by-their-neighbours.md. With pictures: docs/energy.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from domotic_assets.schemas.homes.counter_notes import Note

OWN_PAST = 7 * 24 * 60
"""Minutes before a step in which the device's own power tells what it can draw: a weekly wash lies within."""

SHORT = 15
"""Minutes over which the power read at both ends tells what a device drew; in longer ones it may have run."""

MARGIN, RESOLUTION_WH, COARSEST_WH = 1.1, 1.0, 1_000.0
"""Power meter and counter differ by some per cent; many counters show whole Wh, the coarsest whole kWh."""

UNKNOWN_W = 2_300.0
"""What a plug may draw of which nothing is known: a household's socket."""

MANY, FEW = 20, 5
"""Readings of which one may state a wrong power, and readings of a spike that power alone denies."""

OFTEN = 3
"""A counter with more falls than this within `settles` is noisy: it is not set back at each of them."""

OVERFLOWS_WH = (2.0**16, *(2.0**bits / unit for bits in (24, 31, 32) for unit in (1, 60)))
"""Numbers after which counters of Wh, and wide ones of watt-minutes, begin again, in Wh."""


class Step(NamedTuple):
    """What a reading adds.

    energy_wh: since the reading at place `since`; 0 where it adds nothing. note: None if it simply goes on.
    """

    energy_wh: float
    since: int
    note: Note | None = None


def is_calm(rise_wh: float, bound_w: float) -> bool:
    """Tell whether a step between two readings needs no look at others: no fall, and no more than a minute's.

    rise_wh: the later reading less the earlier. bound_w: most power that a device can draw.
    """
    return 0 <= rise_wh * 60 <= bound_w


class Series:
    """The counter readings of one device, in order of time.

    minutes: minute of each, strictly rising. counters: Wh. powers: W; None where unknown. bound_w: most power
    that any device draws. settles: minutes within which a counter comes back from a dip or spike.
    """

    def __init__(
        self,
        minutes: Sequence[int],
        counters: Sequence[float],
        powers: Sequence[float | None],
        bound_w: float,
        settles: int,
    ) -> None:
        self._minutes, self._counters, self._powers = minutes, counters, powers
        self._bound_w, self._settles = bound_w, settles
        self._power_around: dict[int, float] = {}
        self._usual_power: dict[int, float] = {}
        self._ticks: dict[int, float] = {}

    def steps(self) -> list[Step]:
        """Judge every reading but the first, which is the level that the others go on from."""
        rises = [here - before for before, here in pairwise(self._counters)]
        found = self.notable(place for place, rise in enumerate(rises, 1) if not is_calm(rise, self._bound_w))
        return [found.get(place, Step(rise, place - 1)) for place, rise in enumerate(rises, 1)]

    def notable(self, breaks: Iterable[int]) -> dict[int, Step]:
        """Judge the readings whose step is not calm, and those until the counter is back from it, by place.

        Every other reading simply goes on from the one before. breaks: places of the steps that are not calm,
        in order, after a reading whose level is certain.
        """
        found: dict[int, Step] = {}
        judged = 0
        for place in breaks:
            if place > judged:
                rises = self._counters[place] > self._counters[place - 1]
                begin = place if rises else self._spike_before(place, judged)
                if begin < place:
                    steps = self._excursion(begin - 1, place, "spike")
                else:
                    steps = self._rise(place) if rises else self._fall(place)
                found.update(enumerate(steps, begin))
                judged = begin + len(steps) - 1
        return found

    def _rise(self, place: int) -> list[Step]:
        """Judge a large rise at `place`, and the readings until the counter is back from it."""
        level = place - 1
        rise = self._counters[place] - self._counters[level]
        explained = max(self._possible(level, place), self._since_last_change(level, place))
        if rise <= explained or self._rises_alike(level, place):
            return [Step(rise, level, "large_step")]
        for back in self._later(place):
            before, here = self._counters[back - 1], self._counters[back]
            # A level that stays high is not back when time alone brings it within reach.
            falls_back = here < before and here < self._counters[place]
            comes_up = before < self._counters[level] and self._makes_up(level, back)
            if (falls_back or comes_up) and self._goes_on(level, back):
                return self._excursion(level, back, "spike")
        return [Step(0.0, level, "jump")]

    def _spike_before(self, place: int, judged: int) -> int:
        """Find where a spike began that a fall at `place` ends; `place` if none did.

        A spike may be no larger than a step that any plug can make: only the power read at both of its ends
        denies it. judged: the last place that is judged already.
        """
        for begin in range(place - 1, max(judged, place - 1 - FEW), -1):
            level = begin - 1
            across = self._counters[place] - self._counters[level]
            powers = [power for power in self._powers[level : place + 1] if power is not None]
            if level < 0 or len(powers) <= place - level or across < 0:
                continue
            rise = self._counters[begin] - self._counters[level]
            is_denied = rise > self._most(max(powers), level, begin)
            if is_denied and across <= MARGIN * self._expected(level, place) + self._tick(level):
                return begin
        return place

    def _fall(self, place: int) -> list[Step]:
        """Judge a fall at `place`, and the readings until the counter is back from it."""
        level = place - 1
        counter = self._counters[place]
        at_once = self._possible_at_once(level, place)
        # A counter that restarts often is not noisy.
        is_noisy = counter > at_once and self._falls_near(place) > OFTEN
        back = self._back_from_dip(level, is_noisy=is_noisy)
        for most in OVERFLOWS_WH:
            rest = most - self._counters[level] + counter
            # The largest number itself may come again, as a number of the firmware's.
            overflows = counter < most / 2 < self._counters[level] <= most and rest <= at_once
            if overflows and (back is None or self._counters[back] >= most - 1):
                return [Step(rest, level, "overflow")]
        if back is not None:
            return self._excursion(level, back, "dip")
        if counter <= at_once and counter < self._counters[level] / 2:
            return [Step(counter, level, "restart")]
        return [Step(0.0, level, "set_back")]

    def _excursion(self, level: int, back: int, note: Note) -> list[Step]:
        """Return the steps of readings after `level`, which add nothing, up to that at `back`, which does."""
        across = self._counters[back] - self._counters[level]
        return [*(Step(0.0, level, note) for _ in range(level + 1, back)), Step(across, level, "return")]

    def _later(self, place: int) -> range:
        """Return the places after `place` within `settles`."""
        return range(place + 1, bisect_right(self._minutes, self._minutes[place] + self._settles))

    def _rises_alike(self, level: int, place: int) -> bool:
        """Tell whether the step before or after a large rise has half to twice its power.

        So rises a counter that is read seldom and draws much; another plug's level is reached only once.
        """
        power = self._rate(level, place)
        around = [
            pair
            for pair in ((level - 1, level), (place, place + 1))
            if pair[0] >= 0 and pair[1] < len(self._minutes)
        ]
        return any(power / 2 <= self._rate(*pair) <= power * 2 for pair in around)

    def _rate(self, level: int, place: int) -> float:
        """Compute the mean power between two readings by the counter, in W."""
        minutes = self._minutes[place] - self._minutes[level]
        return 60 * (self._counters[place] - self._counters[level]) / minutes

    def _goes_on(self, level: int, place: int) -> bool:
        """Tell whether a reading goes on from a level, by what the device can draw in the time between."""
        rise = self._counters[place] - self._counters[level]
        return rise >= 0 and (is_calm(rise, self._bound_w) or rise <= self._possible(level, place))

    def _back_from_dip(self, level: int, *, is_noisy: bool) -> int | None:
        """Find the reading by which a counter that fell after `level` is back from a dip; None if none is.

        is_noisy: it is back wherever it goes on from its level.
        """
        inner: int | None = None
        for later in self._later(level + 1):
            if self._counters[later] < self._counters[later - 1]:
                inner = later - 1
            elif (
                self._goes_on(level, later)
                and (is_noisy or self._makes_up(level, later))
                # It is back from the last fall that it goes on from.
                and (inner is None or not self._goes_on(inner, later))
            ):
                return later
        return None

    def _makes_up(self, level: int, place: int) -> bool:
        """Tell whether the step to `place` makes up for what a counter that fell after `level` lacked.

        A counter that reaches its old level by counting makes only steps that its power explains.
        """
        before, here = self._counters[place - 1], self._counters[place]
        fell = self._counters[level] - self._counters[level + 1]
        # By its power it may lack more since; power is not exact enough to say that it lacks less.
        lacked = max(fell, self._counters[level] + self._expected(level, place - 1) - before)
        ends = [power for power in self._powers[place - 1 : place + 1] if power is not None]
        power = max(ends) if ends else self._usual(level)
        beyond = here - before - MARGIN * power * (self._minutes[place] - self._minutes[place - 1]) / 60
        return beyond > lacked / 2 and (not ends or beyond < lacked * 2)

    def _falls_near(self, place: int) -> int:
        """Count the falls within `settles` of a place, before and after."""
        at = self._minutes[place]
        first = bisect_left(self._falls, at - self._settles)
        return bisect_right(self._falls, at + self._settles) - first

    @cached_property
    def _falls(self) -> list[int]:
        """Minutes of readings lower than the one before, in order."""
        return [
            minute
            for minute, (before, here) in zip(self._minutes[1:], pairwise(self._counters), strict=True)
            if here < before
        ]

    def _possible(self, level: int, place: int) -> float:
        """Compute the most Wh that the device can have drawn between two readings, by its power around."""
        return self._most(self._around(level), level, place)

    def _around(self, level: int) -> float:
        """Find the plug's own power, as `_own_power`, from OWN_PAST before a reading to `settles` after."""
        if level not in self._power_around:
            first, last = self._span_around(level)
            # Of many readings one may be wrong.
            power = self._own_power(first, last, wrong=int(last - first > MANY))
            self._power_around[level] = UNKNOWN_W if power is None else power
        return self._power_around[level]

    def _possible_at_once(self, level: int, place: int) -> float:
        """Compute as `_possible`, over a short time by the power read in it and just before."""
        if self._minutes[place] - self._minutes[level] > SHORT:
            return self._possible(level, place)
        first = bisect_left(self._minutes, self._minutes[level] - SHORT)
        return self._most(self._own_power(first, place + 1) or 0.0, level, place)

    def _most(self, power_w: float, level: int, place: int) -> float:
        """Return the Wh of a power over the time between two readings, with margin and resolution."""
        drawn = MARGIN * power_w * (self._minutes[place] - self._minutes[level]) / 60
        return drawn + self._tick(level)

    def _tick(self, level: int) -> float:
        """Find what a counter shows at once, in Wh: its least rise around a reading if that comes again."""
        if level not in self._ticks:
            first, last = self._span_around(level)
            steps = (later - earlier for earlier, later in pairwise(self._counters[first:last]))
            rises = [step for step in steps if 0 < step <= COARSEST_WH]
            least = min(rises, default=0.0)
            again = sum(rise < 1.001 * least for rise in rises) > 1
            self._ticks[level] = least if again and least > RESOLUTION_WH else RESOLUTION_WH
        return self._ticks[level]

    def _span_around(self, level: int) -> tuple[int, int]:
        """Return the places from OWN_PAST before a reading to `settles` after the next one."""
        start, end = self._minutes[level] - OWN_PAST, self._minutes[level + 1] + self._settles
        return bisect_left(self._minutes, start), bisect_right(self._minutes, end)

    def _own_power(self, first: int, last: int, wrong: int = 0) -> float | None:
        """Find the greatest power of readings [first, last), or the counter's mean if it is greater.

        wrong: so many of the greatest are left out. Where no power was read, or only 0, it is the counter's
        greatest. Only calm steps of the counter are counted. None if nothing is known.
        """
        read = sorted(power for power in self._powers[first:last] if power is not None)
        if read and read[-1] > 0:
            return max(read[max(0, len(read) - 1 - wrong)], self._mean_rate(first, last) or 0.0)
        calm = (60 * rise / minutes for rise, minutes in self._calm(first, last))
        return max(calm, default=0.0 if read else None)

    def _calm(self, first: int, last: int) -> Iterator[tuple[float, int]]:
        """Yield rise (Wh) and length (minutes) of each calm step among readings [first, last)."""
        for place in range(first + 1, last):
            rise = self._counters[place] - self._counters[place - 1]
            if is_calm(rise, self._bound_w):
                yield rise, self._minutes[place] - self._minutes[place - 1]

    def _mean_rate(self, first: int, last: int) -> float | None:
        """Compute the mean power in W by the calm steps among readings [first, last); None without one."""
        calm = [*self._calm(first, last)]
        if not calm:
            return None
        return 60 * sum(rise for rise, _ in calm) / sum(minutes for _, minutes in calm)

    def _since_last_change(self, level: int, place: int) -> float:
        """Compute the Wh by power since the counter last changed: one of few digits stands still for long."""
        earliest = level
        while (
            earliest
            and self._counters[earliest - 1] == self._counters[level]
            and self._minutes[level] - self._minutes[earliest - 1] <= OWN_PAST
        ):
            earliest -= 1
        return MARGIN * self._expected(earliest, place) + self._tick(level)

    def _expected(self, level: int, place: int) -> float:
        """Compute the Wh drawn between two readings by the power read in that time.

        Where none was read, it is the counter's mean before the first.
        """
        told, untold = (of[place] - of[level] for of in self._told)
        return told + untold / 60 * self._usual(level) if untold else told

    def _usual(self, level: int) -> float:
        """Compute the counter's mean power in `settles` before a reading, in W; 0 if it is not known."""
        if level not in self._usual_power:
            first = bisect_left(self._minutes, self._minutes[level] - self._settles)
            self._usual_power[level] = self._mean_rate(first, level + 1) or 0.0
        return self._usual_power[level]

    @cached_property
    def _told(self) -> tuple[list[float], list[int]]:
        """Wh by power up to each reading, and the minutes before it between two readings without power.

        A reading's power stands for the minute before it; in a gap it is the mean of both ends.
        """
        told, untold = [0.0], [0]
        for place in range(1, len(self._minutes)):
            minutes = self._minutes[place] - self._minutes[place - 1]
            ends = self._powers[place - 1 : place + 1] if minutes > 1 else self._powers[place : place + 1]
            read = [power for power in ends if power is not None]
            told.append(told[-1] + (minutes * sum(read) / len(read) / 60 if read else 0.0))
            untold.append(untold[-1] + (0 if read else minutes))
        return told, untold
