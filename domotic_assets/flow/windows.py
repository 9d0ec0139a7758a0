"""Windows of the feed's time: keys, what they cover, and which keys cover what is new.

A key is ISO 8601 in UTC: a minute `2026-11-22T04:05`, an hour `2026-11-22T04`, a day `2026-11-21`.
Nothing here knows Dagster.

Why: docs/decisions/0002-windows-as-partitions.md
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest

from domotic_assets.errors import PartitionError
from domotic_assets.localtime import MINUTE

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)

_FORMATS = {_DAY: "%Y-%m-%d", _HOUR: "%Y-%m-%dT%H", MINUTE: "%Y-%m-%dT%H:%M"}

_LENGTH_OF_DAY = 10

_LENGTHS = {_LENGTH_OF_DAY: _DAY, 13: _HOUR, 16: MINUTE}


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The time from `start` until before `end`."""

    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """The partition key."""
        return self.start.strftime(_FORMATS[self.end - self.start])


def read_key(key: str) -> Window:
    """The window of a key; raises PartitionError for anything else."""
    length = _LENGTHS.get(len(key), MINUTE)
    try:
        start = datetime.strptime(key, _FORMATS[length]).replace(tzinfo=UTC)
    except ValueError:
        raise PartitionError(
            f"{key!r} is no window",
            expected="2026-11-21, 2026-11-21T04 or 2026-11-21T04:05 (UTC)",
            remedy="start the run with keys of the partition `window`",
        ) from None
    return Window(start, start + length)


def read_keys(keys: Sequence[str]) -> list[Window]:
    """The windows of a run's keys; a run without keys is refused, as it would do nothing and succeed."""
    if not keys:
        raise PartitionError(
            "the run has no partition key",
            expected="one key, or keys registered together, in order",
            remedy="start the run with one key of the partition `window`",
        )
    return [read_key(key) for key in keys]


def day_window(moment: datetime) -> Window:
    """The UTC day that holds a moment."""
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(start, start + timedelta(days=1))


def date_window(day: date) -> Window:
    """A UTC date."""
    return day_window(datetime.combine(day, datetime.min.time(), UTC))


def cover(minutes: Iterable[datetime], now: datetime) -> list[Window]:
    """The coarsest windows, over by `now`, that cover these minutes: days, then hours, then minutes."""
    found: set[Window] = set()
    whole: set[date] = set()
    for minute in minutes:
        # Of a history nearly every minute lies on a day that an earlier one has brought.
        if minute.date() in whole:
            continue
        day = day_window(minute)
        if day.end <= now:
            whole.add(minute.date())
            found.add(day)
            continue
        hour_start = minute.replace(minute=0, second=0, microsecond=0)
        hour = Window(hour_start, hour_start + timedelta(hours=1))
        start = minute.replace(second=0, microsecond=0)
        found.add(hour if hour.end <= now else Window(start, start + timedelta(minutes=1)))
    return sorted(found, key=lambda window: (window.start - window.end, window.start))


MINUTES_FOR_AN_HOUR = 10
"""From so many of its minutes on, a finished hour is carried as one window."""


def assign(files: Mapping[datetime, int], now: datetime, detailed: Collection[date]) -> Counter[Window]:
    """The windows that carry these minutes, and their files.

    A finished day is one window, unless it is kept in detail (its minutes and hours have keys and it
    is not sealed): then, and today, a finished hour is one if much of it came, else each minute is.
    files: new files by minute.
    """
    by_hour: dict[datetime, list[datetime]] = defaultdict(list)
    found: Counter[Window] = Counter()
    for minute, number in files.items():
        day = day_window(minute)
        if day.end <= now and minute.date() not in detailed:
            found[day] += number
        else:
            by_hour[minute.replace(minute=0, second=0, microsecond=0)].append(minute)
    for start, minutes in by_hour.items():
        hour = Window(start, start + _HOUR)
        if hour.end <= now and len(minutes) >= MINUTES_FOR_AN_HOUR:
            found[hour] += sum(files[minute] for minute in minutes)
            continue
        for minute in minutes:
            found[Window(minute, minute + MINUTE)] += files[minute]
    return found


def is_day(key: str) -> bool:
    """Whether a key is that of a day."""
    return len(key) == _LENGTH_OF_DAY


def detailed_days(keys: Iterable[str]) -> set[date]:
    """The days of which minutes or hours have keys."""
    days = {key[:_LENGTH_OF_DAY] for key in keys if not is_day(key)}
    return {read_key(day).start.date() for day in days}


def keys_between(first: str, last: str, registered: Sequence[str]) -> Sequence[str]:
    """The keys that a run over a range takes in: in order of registration, both ends included."""
    return registered[registered.index(first) : registered.index(last) + 1]


def ranges(wanted: Collection[str], registered: Sequence[str]) -> list[tuple[str, str]]:
    """(first, last) key of each run that takes in exactly wanted keys, in order of registration.

    A range of dynamic keys goes by order of registration and takes in all that lies between.
    """
    found: list[tuple[str, str]] = []
    first: str | None = None
    for key, following in zip_longest(registered, registered[1:]):
        if key not in wanted:
            continue
        first = first or key
        if following not in wanted:
            found.append((first, key))
            first = None
    return found
