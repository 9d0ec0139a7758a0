"""Parses the names of sensor files: user, home, minute and window. Contents are read elsewhere."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from domotic_assets.ingest.arrival import FUTURE_SLACK, is_ahead, is_arrival, utc_midnight
from domotic_assets.localtime import (
    MINUTE,
    candidates,
    clock_reading,
    floor_minute,
    offset_all_day,
    votes_of,
    which_pass,
    zone,
)
from domotic_assets.registry.homes import Home
from domotic_assets.same_name import name_key
from domotic_assets.schemas.table import UTC_TIME

_SENSOR_NAME = re.compile(r"(\d\d\.\d\d\.\d{4}) (\d{4})_(.+)_received\.json", re.ASCII | re.DOTALL)
_TIMES_OF_DAY = {
    f"{hour:02}{minute:02}": timedelta(hours=hour, minutes=minute)
    for hour in range(24)
    for minute in range(60)
}
_MINUTE_OF_DAY = pl.Enum([*_TIMES_OF_DAY])


class SensorName(NamedTuple):
    """The parts of a sensor file's name; `local` is None if the digits are no time."""

    user: str
    local: datetime | None


def read_sensor_name(name: str) -> SensorName | None:
    """Parse user and local minute of `DD.MM.YYYY HHMM_<User>_received.json`; None for any other name."""
    match = _SENSOR_NAME.fullmatch(name)
    if match is None:
        return None
    day, minute, user = match.groups()
    midnight, since = _midnight(day), _TIMES_OF_DAY.get(minute)
    return SensorName(user, None if midnight is None or since is None else midnight + since)


@lru_cache(maxsize=4096)
def _midnight(digits: str) -> datetime | None:
    """Parse DD.MM.YYYY as the naive start of that day; None if it is no date."""
    day, month, year = map(int, digits.split("."))
    return clock_reading(year, month, day, 0, 0)


def name_patterns(spans: Iterable[tuple[datetime, datetime]], clock_zones: Collection[str]) -> list[str]:
    """Build patterns (`*`, `?`) of the names that homes on these clocks give to minutes of [start, end).

    spans: (start, end) in UTC. Each pattern covers ten minutes, an hour or a day, and they are as few as
    possible: each costs a server a scan of the folder. A listing may show more names than needed. It never
    shows fewer, except for clocks that do not change in spring: their names state an hour that the zone
    skips.
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


class Named(NamedTuple):
    """A sensor file's name, matched with the registry.

    user: None for a foreign name. home: that user's; None if no home has the user. minutes: UTC minutes that
    the home's clock may have meant, earliest first; two in the repeated hour, none without a home or a
    readable time. was_skipped: whether the zone skips that local time in spring.
    """

    user: str | None
    home: Home | None
    minutes: tuple[datetime, ...] = ()
    was_skipped: bool = False


class Place(NamedTuple):
    """The UTC minute that a file belongs to, and where it was read: `name`, `inside` or `arrival`."""

    window: datetime
    source: str


NEAR = timedelta(hours=6)
"""Most that a time inside a file differs from its name or its arrival: a zone or a clock may be off by hours,
and a file may wait for hours. A clock that is off by half a day or more is not believed."""

MOST_EARLY = timedelta(days=31)
"""Most that a last write lies before a name that counts with nothing inside to speak for it: a share's clock
may be days behind. A name further ahead is damaged, or of a sender's clock that is years ahead."""

_FOREIGN = Named(None, None)
_UNTIL_TIME, _AFTER_TIME = len("DD.MM.YYYY "), len("DD.MM.YYYY HHMM")

_PLAIN_DAYS = pl.Schema(
    [("day", pl.String), ("sender", pl.String), ("home", pl.String), ("midnight", UTC_TIME)]
)


class NameReader:
    """Parses names and matches them with the registry's homes."""

    def __init__(self, homes: Mapping[str, Home], history_start: date) -> None:
        self._homes = homes
        self.history_start = history_start
        self.start = utc_midnight(history_start)
        self._days: dict[tuple[str, str], tuple[str, Home, datetime]] = {}

    def read(self, name: str) -> Named:
        """Find the home of a file, and the UTC minutes that its name may mean."""
        # Names of one home and day differ in time of day only: once one is parsed, the others are looked up.
        day = self._days.get((name[:_UNTIL_TIME], name[_AFTER_TIME:]))
        since = _TIMES_OF_DAY.get(name[_UNTIL_TIME:_AFTER_TIME])
        if day is None or since is None:
            return self._take_apart(name)
        user, home, midnight = day
        return Named(user, home, (midnight + since,))

    def _take_apart(self, name: str) -> Named:
        """Parse a name in full, as `read` returns it.

        If the clock of the name's home does not change on that day, `read` looks up later names of the home
        and day.
        """
        parsed = read_sensor_name(name)
        if parsed is None:
            return _FOREIGN
        user, local = parsed
        home = self._homes.get(name_key(user))
        if home is None or local is None:
            return Named(user, home)
        if offset_all_day(local.date(), home.clock_zone) is not None:
            (midnight,) = candidates(datetime.combine(local, time.min), home.clock_zone)
            self._days[name[:_UNTIL_TIME], name[_AFTER_TIME:]] = (user, home, midnight.utc)
        found = candidates(local, home.clock_zone)
        return Named(user, home, tuple(m.utc for m in found), found[0].note == "skipped_by_spring")

    def plain(self, names: pl.Series, written: pl.Series) -> pl.DataFrame:
        """Find home and window of each file whose name means one minute of a known home, and is not doubtful.

        Nearly all names of a folder of years are plain. `window` is null for every other name, on days of a
        clock change, and for a name that contradicts the last write: those need `read`. names: texts, null if
        a name is no text. written: last write of each.
        """
        parts = names.to_frame("name").select(
            day=pl.col("name").str.slice(0, _UNTIL_TIME),
            sender=pl.col("name").str.slice(_AFTER_TIME),
            minute=pl.col("name")
            .str.slice(_UNTIL_TIME, _AFTER_TIME - _UNTIL_TIME)
            .cast(_MINUTE_OF_DAY, strict=False)
            .to_physical(),
        )
        days = self._plain_days(parts.select("day", "sender").unique().drop_nulls())
        said = parts.join(days, on=["day", "sender"], how="left", maintain_order="left")
        window = said["midnight"] + pl.Series(said["minute"].cast(pl.Int64) * MINUTE)
        believed = (window <= written + FUTURE_SLACK) | (written < self.start)
        return pl.DataFrame([said["home"], window.set(~believed, None).alias("window")])

    def _plain_days(self, senders: pl.DataFrame) -> pl.DataFrame:
        """Find `home` and `midnight` (UTC) of each day and sender; those that are not plain get no row.

        senders: `day` and `sender`, the texts before and after the time of day in a name. Not plain are
        unknown users, days of a clock change, and days that begin before `history_start`.
        """
        days: list[tuple[str, str, str, datetime]] = []
        for day, sender in senders.iter_rows():
            self.read(f"{day}0000{sender}")
            known = self._days.get((day, sender))
            if known is not None and known[2] >= self.start and sender.isprintable():
                days.append((day, sender, known[1].id, known[2]))
        return pl.DataFrame(days, schema=_PLAIN_DAYS, orient="row")

    def minutes(self, named: Named) -> tuple[datetime, ...]:
        """List the minutes that a name may mean; none if one of them lies before `history_start`."""
        return named.minutes if named.minutes and named.minutes[0] >= self.start else ()

    def is_before_history(self, named: Named, written: datetime) -> bool:
        """Tell whether both a file's name and its last write lie before `history_start`.

        Such a file belongs to no date of this lake. If only one of the two lies there, it is a wrong clock's.
        """
        return written < self.start and bool(named.minutes) and max(named.minutes) < self.start

    def windows_listed(self, named: Named, written: datetime) -> tuple[datetime, ...]:
        """List the minutes that a listed file may belong to, as far as that is known without its bytes.

        Those of its name: two in the repeated hour. Without any, the minute of its last write. Both if they
        contradict each other. None if neither lies in the history.
        """
        said = self.minutes(named)
        if said and not is_ahead(written, said[-1], self.history_start):
            return said
        return (*said, floor_minute(written)) if written >= self.start else ()

    def place(
        self,
        named: Named,
        written: datetime,
        unix_times: Sequence[float] = (),
        inside: Sequence[datetime] = (),
    ) -> Place | None:
        """Choose the minute that a file belongs to, by its name, its last write and the times inside it.

        unix_times: in seconds. inside: minutes that the time inside may mean. A name counts unless the last
        write lies over a day before it, and what is inside speaks for that; or over MOST_EARLY before it, and
        nothing inside is near the name. Without a name the last write counts, unless it lies before the
        history, or unix times beside the time inside contradict it. None if nothing lies in the history.
        """
        said = self.minutes(named)
        inside = [minute for minute in inside if minute >= self.start]
        is_ahead_of_write = bool(said) and is_ahead(written, said[-1], self.history_start)
        if said and (not is_ahead_of_write or _is_backed(said, written, unix_times, inside)):
            arrived_at = written if is_arrival(written, said[0], self.history_start) else None
            return Place(which_pass(said, arrived_at, unix_times), "name")
        is_written = written >= self.start
        if inside and not (is_written and is_arrival(written, inside[0], self.history_start)):
            minute = which_pass(inside, None, unix_times)
            if not is_written or _are_near(minute, unix_times):
                return Place(minute, "inside")
        return Place(floor_minute(written), "arrival") if is_written else None


def _is_backed(
    said: Sequence[datetime], written: datetime, unix_times: Sequence[float], inside: Sequence[datetime]
) -> bool:
    """Tell whether a name is believed though the last write lies over a day before it.

    The times inside decide, unix times first. If they speak for neither, a last write of up to MOST_EARLY
    before the name gives way to it.
    """
    for times in (unix_times, [one.timestamp() for one in inside]):
        if _are_near(said[0], times):
            return True
        if _are_near(written, times):
            return False
    return said[-1] - MOST_EARLY <= written


def _are_near(moment: datetime, unix_times: Sequence[float]) -> bool:
    """Tell whether a unix time (seconds) lies within NEAR of a moment."""
    return any(votes_of([moment], unix_times, NEAR))


def is_regular(named: Named, window: datetime) -> bool:
    """Return whether a listing by `name_patterns` of this window shows the name."""
    return window in named.minutes and not named.was_skipped
