"""What the name of a sensor or forecast file says: home, minute and window. Contents are read elsewhere."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from domotic_assets.localtime import MINUTE, Moment, candidates, clock_reading, floor_minute, to_utc, zone
from domotic_assets.registry import Home

_SENSOR_NAME = re.compile(
    r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4}) (?P<hour>\d\d)(?P<minute>\d\d)"
    r"_(?P<user>.+)_received\.json",
    re.ASCII | re.DOTALL,
)
_FORECAST_NAME = re.compile(r"Pred_(\d{4}-\d\d-\d\d)\.csv", re.ASCII)

FUTURE_SLACK = timedelta(days=1)
"""A reading cannot lie further ahead of its arrival; a clock that says so is not believed."""


@dataclass(frozen=True, slots=True)
class SensorName:
    """A name taken apart; `local` is None where the digits are no time."""

    user: str
    local: datetime | None


@lru_cache(maxsize=4096)
def read_sensor_name(name: str) -> SensorName | None:
    """User and local minute of `DD.MM.YYYY HHMM_<User>_received.json`; None for any other name."""
    match = _SENSOR_NAME.fullmatch(name)
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[part]) for part in ("year", "month", "day", "hour", "minute"))
    return SensorName(match["user"], clock_reading(year, month, day, hour, minute))


def read_forecast_name(name: str) -> date | None:
    """Date of issue of `Pred_YYYY-MM-DD.csv`; None for any other name."""
    match = _FORECAST_NAME.fullmatch(name)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def arrival(modified_at: datetime, now: datetime) -> datetime:
    """When a file arrived: its last write, unless that lies more than a day ahead.

    Such a clock is not believed; the start of the present UTC day stands for it, the same all day
    long, so that a listing and the read after it agree.
    """
    if modified_at <= now + FUTURE_SLACK:
        return modified_at
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def is_plausible(moment: datetime, arrived_at: datetime, history_start: date) -> bool:
    """Whether a reading may lie there: not before the history, not more than a day after arrival."""
    start = datetime(history_start.year, history_start.month, history_start.day, tzinfo=UTC)
    return start <= moment <= arrived_at + FUTURE_SLACK


def name_patterns(spans: Iterable[tuple[datetime, datetime]], clock_zones: Collection[str]) -> list[str]:
    """Patterns (`*`, `?`) of the names that homes on these clocks give to the minutes of [start, end) spans.

    Ten minutes, an hour or a day to a pattern, as few patterns as hold the span: each costs a server a
    scan of the folder. A listing may show more than was asked for, never less, but for clocks that do
    not change in spring.
    """
    found: set[str] = set()
    for name in clock_zones:
        clock = zone(name)
        for start, end in spans:
            if end - start >= timedelta(hours=12):
                first, last = (moment.astimezone(clock).date() for moment in (start, end - MINUTE))
                days = (first + timedelta(days=number) for number in range((last - first).days + 1))
                found.update(f"{day:%d.%m.%Y} *" for day in days)
                continue
            minutes = (start + MINUTE * number for number in range((end - start) // MINUTE))
            tens = {f"{minute.astimezone(clock):%d.%m.%Y %H%M}"[:-1] for minute in minutes}
            hours = Counter(ten[:-1] for ten in tens)
            found.update(f"{hour}??_*" for hour, parts in hours.items() if parts > 1)
            found.update(f"{ten}?_*" for ten in tens if hours[ten[:-1]] == 1)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class NameReader:
    """Reads names against the registry's homes."""

    homes: Mapping[str, Home]
    history_start: date

    def home(self, name: str) -> Home | None:
        """The home whose user the name holds."""
        parsed = read_sensor_name(name)
        return self.homes.get(parsed.user) if parsed else None

    def possible_windows(self, name: str, arrived_at: datetime) -> tuple[datetime, ...]:
        """Every minute that a file may belong to before its bytes are read: two in the repeated hour."""
        moments = self._moments(name, arrived_at)
        return tuple(m.utc for m in moments) or (floor_minute(arrived_at),)

    def is_regular(self, name: str, window: datetime) -> bool:
        """Whether a listing by `name_patterns` of this window shows the name."""
        parsed, home = read_sensor_name(name), self.home(name)
        if parsed is None or parsed.local is None or home is None:
            return False
        return window.astimezone(zone(home.clock_zone)).replace(tzinfo=None) == parsed.local

    def window(self, name: str, arrived_at: datetime, unix_hints: list[float]) -> datetime | None:
        """The minute that the name says, the pass told by hints or arrival; None where it says none."""
        parsed, home = read_sensor_name(name), self.home(name)
        if parsed is None or parsed.local is None or home is None or not self._moments(name, arrived_at):
            return None
        return to_utc(parsed.local, home.clock_zone, arrived_at, unix_hints).utc

    def _moments(self, name: str, arrived_at: datetime) -> tuple[Moment, ...]:
        parsed, home = read_sensor_name(name), self.home(name)
        if parsed is None or parsed.local is None or home is None:
            return ()
        found = candidates(parsed.local, home.clock_zone)
        if any(not is_plausible(moment.utc, arrived_at, self.history_start) for moment in found):
            return ()
        return found
