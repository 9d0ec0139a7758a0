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


def to_utc(naive: datetime, zone_name: str, arrived_at: datetime, unix_hints: Sequence[float] = ()) -> Moment:
    """Convert a clock reading to UTC; in the repeated hour the hints decide, else the time of arrival."""
    found = candidates(naive, zone_name)
    if len(found) == 1:
        return found[0]
    return Moment(which_pass([moment.utc for moment in found], arrived_at, unix_hints), found[0].note)


def which_pass(
    passes: Sequence[datetime], arrived_at: datetime, unix_hints: Sequence[float] = ()
) -> datetime:
    """Choose the moment that a clock reading means; passes: the possible ones, earliest first.

    unix_hints: unix seconds measured with the reading (`timePlug`, `timeConsumption`). The newest one within
    half an hour of a pass decides, as an idle plug repeats an old time. Without one the time of arrival
    decides.
    """
    for hint in sorted(unix_hints, reverse=True):
        for moment in passes:
            if abs(hint - moment.timestamp()) <= 1800:
                return moment
    return passes[-1] if arrived_at >= passes[-1] - ARRIVAL_SLACK else passes[0]


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
