"""Converts local time to UTC and back, the only place where clock changes are resolved.

Everything is stored in UTC; local time is converted here on the way in and derived here on the way out.
Aware datetimes go in and come out in UTC; naive ones are a home clock's reading.
"""

from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

TimeNote = Literal["skipped_by_spring", "repeated_in_autumn"]

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of unix time."""

_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)

# A file of the repeated hour's second pass cannot arrive before its own minute starts; but the share's clock
# may be a little slow.
ARRIVAL_SLACK = timedelta(minutes=2)

PROMPT = timedelta(minutes=10)
"""Most that a file arrives after its minute if nothing held it up."""

PRECISE = timedelta(minutes=5)
"""Most that a device's unix time differs from the minute of its reading, unless the device is idle."""


MOST_US = 2**63 - 1
"""Microseconds that a column of moments can hold: 292,000 years before and after 1970."""


class FarMoment(datetime):
    """The first or last moment that a date can hold, for one beyond it, as of the year 10000.

    unix_us: that moment itself, in unix microseconds.
    """

    unix_us: int


def moment_of(unix_us: int) -> datetime:
    """Return the moment so many microseconds after 1970; a FarMoment if no date can hold it."""
    try:
        return EPOCH + timedelta(microseconds=unix_us)
    except OverflowError:
        edge = datetime.max if unix_us > 0 else datetime.min
        far = FarMoment(*edge.timetuple()[:6], edge.microsecond, UTC)
        far.unix_us = max(min(unix_us, MOST_US), -MOST_US)
        return far


def unix_us_of(moment: datetime) -> int:
    """Return how many microseconds after 1970 a moment is, also a FarMoment."""
    return moment.unix_us if isinstance(moment, FarMoment) else (moment - EPOCH) // MICROSECOND


class Moment(NamedTuple):
    """A local clock reading converted to UTC, with a note if a clock change makes it doubtful."""

    utc: datetime
    note: TimeNote | None = None


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """Return the IANA zone of that name; raises ZoneInfoNotFoundError or ValueError if there is none."""
    return ZoneInfo(name)


def floor_minute(moment: datetime) -> datetime:
    """Return the start of the minute that contains `moment`."""
    return moment.replace(second=0, microsecond=0)


def clock_reading(year: int, month: int, day: int, hour: int, minute: int) -> datetime | None:
    """Make a naive clock reading; None if the figures are no time, or one that UTC cannot express."""
    try:
        return datetime(year, month, day, hour, minute) if MINYEAR < year < MAXYEAR else None
    except ValueError:
        return None


def candidates(naive: datetime, zone_name: str) -> tuple[Moment, ...]:
    """Find every UTC moment at which a clock of that zone shows `naive`, earliest first.

    There is one on an ordinary day, and two in the repeated autumn hour. A reading that spring skips is never
    shown by a right clock: it is converted by the offset before the change, and has a note.
    """
    steady = offset_all_day(naive.date(), zone_name)
    if steady is not None:
        return (Moment(EPOCH + (naive - _NAIVE_EPOCH - steady)),)
    tz = zone(zone_name)
    first = naive.replace(tzinfo=tz, fold=0).astimezone(UTC)
    second = naive.replace(tzinfo=tz, fold=1).astimezone(UTC)
    if first == second:
        return (Moment(first),)
    if first.astimezone(tz).replace(tzinfo=None) != naive:
        return (Moment(first, "skipped_by_spring"),)
    return (Moment(first, "repeated_in_autumn"), Moment(second, "repeated_in_autumn"))


@lru_cache(maxsize=4096)
def offset_all_day(day: date, zone_name: str) -> timedelta | None:
    """Find how far a zone's clock is ahead of UTC on a local day; None if that changes during the day.

    Only both ends of the day are compared: nowhere did a clock change and change back within a day.
    """
    tz = zone(zone_name)
    ends = (datetime.combine(day, edge) for edge in (time.min, time.max))
    offsets = {end.replace(tzinfo=tz, fold=fold).utcoffset() for end in ends for fold in (0, 1)}
    return offsets.pop() if len(offsets) == 1 else None


def which_pass(
    passes: Sequence[datetime], arrived_at: datetime | None, unix_hints: Sequence[float] = ()
) -> datetime:
    """Choose the moment that a clock reading means; passes: the possible ones, earliest first.

    unix_hints: unix seconds measured with the reading (`timePlug`, `timeConsumption`). arrived_at: None if
    unknown. Each hint counts for the pass next to it, and most decide. Hints within PRECISE of a pass come
    first, as an idle plug repeats an old time. The arrival is one more hint if it is prompt, or if only some
    passes lie before it. Of passes with as many hints, one that does not lie after the arrival is chosen, of
    these the one of more unix times, and else the last.
    """
    if len(passes) == 1:
        return passes[0]
    votes = votes_of(passes, unix_hints, PRECISE)
    if not any(votes):
        votes = votes_of(passes, unix_hints, (passes[-1] - passes[0]) / 2)
    before = sum(arrived_at is not None and moment - ARRIVAL_SLACK <= arrived_at for moment in passes)
    spoken = [*votes]
    if (
        arrived_at is not None
        and before
        and (before < len(passes) or arrived_at - passes[before - 1] <= PROMPT)
    ):
        spoken[before - 1] += 1

    def claim(place: int) -> tuple[int, bool, int, int]:
        return spoken[place], place < before, votes[place], place if before else -place

    return passes[max(range(len(passes)), key=claim)]


def votes_of(moments: Sequence[datetime], unix_times: Sequence[float], within: timedelta) -> list[int]:
    """Count the unix times (seconds) that lie next to each moment, and within reach of it.

    One that is as near to another moment counts for none.
    """
    votes = [0] * len(moments)
    for seconds in unix_times:
        distances = [abs(seconds - moment.timestamp()) for moment in moments]
        nearest = min(distances)
        if nearest <= within.total_seconds() and distances.count(nearest) == 1:
            votes[distances.index(nearest)] += 1
    return votes


def local_date(moment: datetime, zone_name: str) -> date:
    """Return the calendar date that a clock of that zone shows at `moment`."""
    return moment.astimezone(zone(zone_name)).date()


def local_day_bounds(day: date, zone_name: str) -> tuple[datetime, datetime]:
    """Return start and end (exclusive) of a local day in UTC: 23, 24 or 25 hours apart."""
    tz = zone(zone_name)
    start = datetime(day.year, day.month, day.day, tzinfo=tz)
    following = day + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=tz)
    return start.astimezone(UTC), end.astimezone(UTC)
