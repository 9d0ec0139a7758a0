"""Plans what the people of a home do on a local day: sleep, leave, cook, wash, sit and go to bed.

A day's plan depends only on seed, home and local date. Minutes are those of the local clock, so a day with a
clock change repeats or skips a part of the plan.
"""

from dataclasses import dataclass
from datetime import date
from random import Random

from domotic_assets.simulator.household import ROOMS, Household

MINUTES = 1440
AWAY = -1
ASLEEP = len(ROOMS)
"""Codes of a person's place, besides the indices into ROOMS; a person asleep is in the bedroom."""

BATHROOM, BEDROOM, LIVING, OFFICE, KITCHEN, LAUNDRY = range(len(ROOMS))
_IDLE_PLACES = (LIVING, KITCHEN, BEDROOM, OFFICE, LAUNDRY)
_IDLE_WEIGHTS = (58, 16, 12, 11, 3)


@dataclass(frozen=True, slots=True)
class Use:
    """An appliance switched on at a local minute, and for how many minutes it is used."""

    appliance: str
    start: int
    minutes: int


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Where each person is at every local minute, what they use, and when the entrance door opens."""

    places: tuple[list[int], ...]
    uses: tuple[Use, ...]
    door_minutes: frozenset[int]
    airing_from: int
    airing_minutes: int


def plan_day(seed: int, household: Household, day: date) -> DayPlan:
    """Plan one local day."""
    rng = Random(f"{seed}/{household.home_id}/{day.isoformat()}/people")
    weekend = day.weekday() >= 5
    holiday = rng.random() < 0.02
    places = tuple(
        [AWAY] * MINUTES if holiday else _person(rng, household, weekend, works=person < household.workers)
        for person in range(household.people)
    )
    doors = {
        minute
        for place in places
        for minute in range(1, MINUTES)
        if (place[minute] == AWAY) != (place[minute - 1] == AWAY)
    }
    rise = min((up for place in places if (up := _first_up(place)) is not None), default=420)
    uses = () if holiday else tuple(_uses(rng, household, places, rise, weekend))
    return DayPlan(places, uses, frozenset(doors), rise + rng.randint(5, 40), rng.randint(5, 18))


def _person(rng: Random, household: Household, weekend: bool, works: bool) -> list[int]:
    """Plan where one person is on a day: an index into ROOMS, AWAY or ASLEEP for each local minute.

    weekend: whether the day is a Saturday or Sunday. works: whether the person works on weekdays, away or at
    home.
    """
    wake = round(min(max(rng.gauss(500 if weekend else 402, 28), 300), 660))
    bed = round(min(max(rng.gauss(1375, 25), 1290), 1434))
    place = [ASLEEP] * wake
    while len(place) < bed:
        room = rng.choices(_IDLE_PLACES, _IDLE_WEIGHTS)[0]
        place += [room] * rng.randint(10, 75)
        if rng.random() < 0.3:
            place += [BATHROOM] * rng.randint(3, 8)
    place[bed:] = [ASLEEP] * (MINUTES - bed)
    _put(place, BATHROOM, wake, wake + rng.randint(12, 24))
    _put(place, BATHROOM, bed - rng.randint(8, 14), bed)
    if weekend:
        if rng.random() < 0.65:
            leave = rng.randint(600, 900)
            _put(place, AWAY, leave, leave + rng.randint(60, 320))
    elif works and rng.random() < household.home_office_share:
        _put(place, OFFICE, 510 + rng.randint(-20, 20), 722)
        _put(place, OFFICE, 785 + rng.randint(-15, 15), 1045 + rng.randint(-30, 30))
    else:
        leave = max(wake + rng.randint(35, 75), 430)
        _put(place, AWAY, leave, rng.randint(960, 1110) if works else rng.randint(700, 990))
    if rng.random() < 0.08:
        _put(place, AWAY, 1150 + rng.randint(0, 30), bed - 20)
    return place


def _put(place: list[int], code: int, start: int, end: int) -> None:
    """Set the codes in `place` from minute `start` to before minute `end`, at most to the day's end.

    Does nothing if `end` is not after `start`.
    """
    end = min(end, MINUTES)
    if start < end:
        place[start:end] = [code] * (end - start)


def _uses(
    rng: Random, household: Household, places: tuple[list[int], ...], rise: int, weekend: bool
) -> list[Use]:
    """List what is switched on; move whoever cooks to the kitchen."""
    uses = [Use("boiler", rng.randint(5, 150), round(rng.uniform(20, 32) * (1 + household.people / 2)))]

    def somebody(minute: int) -> bool:
        return any(place[minute] not in (AWAY, ASLEEP) for place in places)

    for place in places:
        up = _first_up(place)
        if up is not None and rng.random() < 0.85:
            uses.append(Use("shower", up + 2, rng.randint(6, 12)))
    meals = ((rise + 20, "kettle", 4), (728, "stove", 25), (1118, "stove", 42))
    for around, appliance, minutes in meals:
        start = max(1, around + rng.randint(-10, 25))
        if somebody(start):
            uses.append(Use(appliance, start, max(3, minutes + rng.randint(-8, 12))))
            cook = next(place for place in places if place[start] not in (AWAY, ASLEEP))
            for minute in range(start, min(MINUTES, start + minutes)):
                if cook[minute] not in (AWAY, ASLEEP):
                    cook[minute] = KITCHEN
    if rng.random() < (0.55 if weekend else 0.28) and somebody(start := rng.randint(570, 1200)):
        uses.append(Use("washer", start, 0))
    if rng.random() < 0.25 + 0.12 * household.people and somebody(1215):
        uses.append(Use("dishwasher", rng.randint(1200, 1290), 0))
    return uses


def _first_up(place: list[int]) -> int | None:
    """Return the first local minute at which a person is awake at home; None if there is none."""
    return next((minute for minute, code in enumerate(place) if code not in (AWAY, ASLEEP)), None)
