"""Defines windows of the feed's time and their partition keys, and finds the windows that cover new files.

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
    """The time from `start` to `end` (exclusive), UTC; one of a minute, an hour or a day has a key."""

    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """The partition key; KeyError for any other length."""
        return self.start.strftime(_FORMATS[self.end - self.start])


def read_key(key: str) -> Window:
    """Parse a partition key into its window; raises PartitionError for anything else."""
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
    """Parse the partition keys of a run into windows.

    Raises PartitionError for a wrong key, and for no keys: such a run would do nothing and succeed.
    """
    if not keys:
        raise PartitionError(
            "the run has no partition key",
            expected="one key, or keys registered together, in order",
            remedy="start the run with one key of the partition `window`",
        )
    return [read_key(key) for key in keys]


def day_window(moment: datetime) -> Window:
    """Return the UTC day that contains a moment."""
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(start, start + timedelta(days=1))


def date_window(day: date) -> Window:
    """Return the window of a UTC date."""
    return day_window(datetime.combine(day, datetime.min.time(), UTC))


def cover(minutes: Iterable[datetime], now: datetime) -> list[Window]:
    """Find the coarsest windows that cover these minutes: days, then hours, then minutes, each oldest first.

    Only days and hours that are over by `now` are used.
    """
    found: set[Window] = set()
    whole: set[date] = set()
    for minute in minutes:
        # In a history, the day of nearly every minute was added by an earlier one.
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
"""Minutes with new files from which on a finished hour is processed as one window."""


def assign(files: Mapping[datetime, int], now: datetime, detailed: Collection[date]) -> Counter[Window]:
    """Assign minutes with new files to windows; returns the number of new files by window.

    A finished day is one window, unless it is in `detailed` (its minutes and hours have keys and it is not
    sealed). On such a day, and today, a finished hour is one window if at least MINUTES_FOR_AN_HOUR of its
    minutes have files; else each minute is one. files: number of new files by minute.
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
    """Tell whether a key is that of a day."""
    return len(key) == _LENGTH_OF_DAY


def detailed_days(keys: Iterable[str]) -> set[date]:
    """Find the days whose minutes or hours have keys."""
    days = {key[:_LENGTH_OF_DAY] for key in keys if not is_day(key)}
    return {read_key(day).start.date() for day in days}


def keys_between(first: str, last: str, registered: Sequence[str]) -> Sequence[str]:
    """Return the keys that a run over a range includes, in order of registration, both ends included."""
    return registered[registered.index(first) : registered.index(last) + 1]


def ranges(wanted: Collection[str], registered: Sequence[str]) -> list[tuple[str, str]]:
    """Find the ranges that cover exactly the wanted keys, as (first, last) key, in order of registration.

    A run over a range of dynamic keys includes every key that was registered between its ends.
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
