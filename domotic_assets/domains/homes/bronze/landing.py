"""Builds Bronze rows of sensor files: which home and window they belong to, and whether their bytes are new.

Bytes are kept as received. They are searched only for what the name does not tell: the user of a file with a
foreign name, and the times inside where the name and the last write leave the minute open.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import polars as pl

from domotic_assets.domains.homes.bronze.names import NameReader, read_sensor_name
from domotic_assets.ingest.arrival import FUTURE_SLACK, arrivals
from domotic_assets.ingest.files import Landed, exactly, identify
from domotic_assets.localtime import EPOCH, candidates, clock_reading
from domotic_assets.registry.registry import Registry
from domotic_assets.same_name import name_key
from domotic_assets.schemas.homes.bronze import SENSOR_FILES

_UNIX_TIME = re.compile(rb'"time(?:Plug|Consumption)"\s*:\s*(\d{9,10})(?!\d)')
_INSIDE = re.compile(rb'"datetime"\s*:\s*"\s*(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)\s*"')
_USER = re.compile(rb'"user"\s*:\s*("(?:[^"\\]|\\.)*")')

_DELIVERED = {name: SENSOR_FILES.schema[name] for name in ("name", "size_bytes", "modified_at", "content")}
_PLACED = {"place": pl.UInt32} | {
    name: SENSOR_FILES.schema[name] for name in ("home", "window", "window_source")
}

_HELD = ("name", "window", "file_id", "arrived_at")
_OF_ONE_FILE = ("name", "window")


Delivered = tuple[str, int, datetime, bytes]
"""The fields of `File`."""

BEFORE_HISTORY, IN_FUTURE, NO_TIME = "before history_start", "in the future", "without a time"
"""Why a file of a home is left on the share."""


def latest_window(now: datetime) -> datetime:
    """Return the latest window of a file that may land now. A later file is left until then."""
    return now + FUTURE_SLACK


class Landing:
    """Lands files against what Bronze holds; remembers what it landed, so that batches may repeat names."""

    def __init__(self, registry: Registry, held: pl.DataFrame, now: datetime) -> None:
        """Start from `held`: name, window, file_id and arrived_at of the bronze rows of the names to come."""
        self._latest = latest_window(now)
        self._homes = registry.home_of_user()
        self._names = NameReader(self._homes, registry.history_start)
        self._held = held.select(_HELD)

    def land(self, files: Iterable[Delivered]) -> Landed:
        """Build SENSOR_FILES rows of the files of homes, and count the outcomes.

        A version whose bytes Bronze holds for this window gets a row without content (a sighting). Files are
        counted and get no row if they are of a foreign name or user, if nothing about them lies in the
        history, or if they lie in the future: these land once it has come.
        """
        came = [*files]
        files = [file for file in came if is_sensor_name(file[0])]
        rows, counts = self._placed(files)
        counts["foreign name"] = len(came) - len(files)
        landed, repeated = self._follow(rows)
        counts.update({"landed": landed.height - repeated, "seen again": repeated})
        landed = landed.with_columns(utc_date=pl.col("window").dt.date())
        return Landed(landed.select(SENSOR_FILES.schema.names()), +counts)

    def _placed(self, files: Sequence[Delivered]) -> tuple[pl.DataFrame, Counter[str]]:
        """Add identity, home, window and arrival to the files, in order; count those that are left out."""
        rows = _delivered(files)
        plain = self._names.plain(rows["name"], rows["modified_at"])
        plain = plain.with_columns(window_source=pl.lit("name")).with_row_index("place")
        odd = (plain["window"].is_null() | (plain["window"] > self._latest)).arg_true()
        if odd.is_empty():
            # The usual case: every name is plain, and the rows are in order.
            return self._arrived(rows.hstack(plain.drop("place").get_columns())), Counter()
        counts: Counter[str] = Counter()
        found = []
        for place in odd:
            placed = self._place(files[place])
            if isinstance(placed, str):
                counts[placed] += 1
            else:
                found.append((place, *placed))
        usual = plain.filter(~pl.col("place").is_in(odd.implode()))
        kept = pl.concat([usual, pl.DataFrame(found, schema=_PLACED, orient="row")]).sort("place")
        return self._arrived(rows[kept["place"]].hstack(kept.drop("place").get_columns())), counts

    def _arrived(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add when each file arrived, by its last write and its window."""
        moments = arrivals(rows["modified_at"], rows["window"], self._names.history_start)
        return rows.with_columns(moments.alias("arrived_at"))

    def _place(self, file: Delivered) -> tuple[str | None, datetime, str] | str:
        """Find home, window and window_source of a file without a plain name; or why it is left.

        The home is None if neither name nor content has a user.
        """
        name, _, modified_at, content = file
        named = self._names.read(name)
        home = named.home
        if home is None:
            user = _user_inside(content)
            if named.user is not None or (user is not None and name_key(user) not in self._homes):
                return "foreign user"
            home = self._homes.get(name_key(user)) if user is not None else None
        if self._names.is_before_history(named, modified_at):
            return BEFORE_HISTORY
        inside = _minutes_inside(content, home.clock_zone) if home else ()
        place = self._names.place(named, modified_at, _unix_times(content), inside)
        if place is None:
            return NO_TIME
        if place.window > self._latest:
            return IN_FUTURE
        return home.id if home else None, place.window, place.source

    def _follow(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Set when each version arrived, after those held of its name and window; drop bytes that are held.

        Returns the rows, and how many of them repeat the bytes of the version before. Of two versions with
        the same time of arrival, the one landed later is the later version, and its arrival is moved a
        microsecond on. Bytes that an earlier version of the window has are not stored twice.
        """
        before = self._held.filter(pl.col("name").is_in(rows["name"].implode())).sort("arrived_at")
        if before.is_empty() and rows["name"].is_unique().all():
            # The usual case; what follows takes as long as all other work on a file.
            self._held = pl.concat([self._held, rows.select(_HELD)])
            return rows, 0
        ticks = pl.duration(microseconds=pl.int_range(pl.len()).over(_OF_ONE_FILE))
        after = pl.concat([before, rows.select(_HELD)]).select(
            arrived_at=(pl.col("arrived_at") - ticks).cum_max().over(_OF_ONE_FILE) + ticks,
            is_seen_again=(pl.col("file_id") == pl.col("file_id").shift()).over(_OF_ONE_FILE),
            is_held=~pl.struct("window", "file_id").is_first_distinct(),
        )[before.height :]
        content = pl.when(~after["is_held"]).then("content")
        following = rows.with_columns(after["arrived_at"], content=content)
        self._held = pl.concat([self._held, following.select(_HELD)])
        return following, int(after["is_seen_again"].sum())


def _delivered(files: Sequence[Delivered]) -> pl.DataFrame:
    """Build one row per file, with the fields of `File` as columns and its `file_id`."""
    names, sizes, moments, contents = zip(*files, strict=True) if files else ((),) * len(_DELIVERED)
    # Polars converts a time span from Python in a tenth of the time of a moment with a zone.
    since = pl.Series([moment - EPOCH for moment in moments], dtype=pl.Duration("us"))
    since = exactly(since, moments)
    columns = dict(zip(_DELIVERED, (names, sizes, since, contents), strict=True))
    identities = [*map(partial(identify, "sensor_files"), names, contents)]
    return pl.DataFrame(columns, schema=_DELIVERED | {"modified_at": pl.Duration("us")}).with_columns(
        pl.col("modified_at") + pl.lit(EPOCH), file_id=pl.Series(identities, dtype=pl.String)
    )


def is_sensor_name(name: str) -> bool:
    """Return whether a name may be a sensor file's; other files of the folder are counted and left there."""
    return (name.endswith(".json") or name.casefold().endswith(".json")) and name.isprintable()


def outcomes_text(counts: Mapping[str, int]) -> str:
    """Format counts for people, such as `3 landed, 1 seen again`."""
    return ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items())) or "nothing"


def user_of(name: str, content: bytes = b"") -> str | None:
    """Find the feed user in a file's name, or in its content if the name is foreign; None if not found."""
    named = read_sensor_name(name)
    return _user_inside(content) if named is None else named.user


def _unix_times(content: bytes) -> list[float]:
    """Find the unix times, in seconds, in a file's bytes."""
    return [float(seconds) for seconds in _UNIX_TIME.findall(content)]


def _minutes_inside(content: bytes, clock_zone: str) -> tuple[datetime, ...]:
    """Find the minutes (UTC) that the `datetime` in a file's bytes may mean, without parsing the rest."""
    match = _INSIDE.search(content)
    if match is None:
        return ()
    day, month, year, hour, minute = map(int, match.groups())
    local = clock_reading(year, month, day, hour, minute)
    return () if local is None else tuple(moment.utc for moment in candidates(local, clock_zone))


def _user_inside(content: bytes) -> str | None:
    """Find the `user` in the bytes of a file without parsing the rest; None if there is none."""
    match = _USER.search(content)
    if match is None:
        return None
    try:
        user = json.loads(match[1])
    except ValueError:
        return None
    return user if isinstance(user, str) else None
