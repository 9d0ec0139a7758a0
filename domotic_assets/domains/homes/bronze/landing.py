"""Builds Bronze rows of sensor files: which home and window they belong to, and whether their bytes are new.

Bytes are kept as received. They are searched only for what the name does not tell: the user of a file with a
foreign name, and the unix times that distinguish the two passes of the autumn hour.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import polars as pl

from domotic_assets.domains.homes.bronze.names import NameReader, read_sensor_name
from domotic_assets.ingest.arrival import arrival, arrivals
from domotic_assets.ingest.files import Landed, identify
from domotic_assets.localtime import EPOCH, floor_minute
from domotic_assets.registry.registry import Registry
from domotic_assets.same_name import name_key
from domotic_assets.schemas.homes.bronze import SENSOR_FILES

_UNIX_TIME = re.compile(rb'"time(?:Plug|Consumption)"\s*:\s*(\d{9,10})(?!\d)')
_USER = re.compile(rb'"user"\s*:\s*("(?:[^"\\]|\\.)*")')

_DELIVERED = {name: SENSOR_FILES.schema[name] for name in ("name", "size_bytes", "modified_at", "content")}
_PLACED = {"place": pl.UInt32} | {
    name: SENSOR_FILES.schema[name] for name in ("home", "window", "window_source")
}

_HELD = ("name", "window", "file_id", "arrived_at")
_OF_ONE_FILE = ("name", "window")


class Landing:
    """Lands files against what Bronze holds; remembers what it landed, so that batches may repeat names."""

    def __init__(self, registry: Registry, held: pl.DataFrame, now: datetime) -> None:
        """Start from `held`: name, window, file_id and arrived_at of the bronze rows of the names to come."""
        self._now = now
        self._homes = registry.home_of_user()
        self._names = NameReader(self._homes, registry.history_start)
        self._held = held.select(_HELD)

    def land(self, files: Iterable[tuple[str, int, datetime, bytes]]) -> Landed:
        """Build SENSOR_FILES rows of the files of homes, and count the outcomes.

        files: tuples with the fields of `File`. A version whose bytes Bronze holds for this window gets a row
        without content (a sighting). Foreign names and files of foreign users are counted and get no row.
        """
        came = [*files]
        files = [file for file in came if is_sensor_name(file[0])]
        rows = self._placed(files)
        counts = Counter({"foreign name": len(came) - len(files), "foreign user": len(files) - rows.height})
        landed, repeated = self._follow(rows)
        counts.update({"landed": landed.height - repeated, "seen again": repeated})
        landed = landed.with_columns(utc_date=pl.col("window").dt.date())
        return Landed(landed.select(SENSOR_FILES.schema.names()), +counts)

    def _placed(self, files: Sequence[tuple[str, int, datetime, bytes]]) -> pl.DataFrame:
        """Add identity, home and window to the files, in order; files of foreign users are left out."""
        rows = _delivered(files)
        rows = rows.with_columns(
            arrivals(rows["modified_at"], self._now, self._names.history_start).alias("arrived_at")
        )
        plain = self._names.plain(rows["name"], rows["arrived_at"])
        plain = plain.with_columns(window_source=pl.lit("name")).with_row_index("place")
        odd = plain["window"].is_null().arg_true()
        if odd.is_empty():
            # The usual case: every name is plain, and the rows are in order.
            return rows.hstack(plain.drop("place").get_columns())
        placed = pl.DataFrame(
            [(place, *found) for place in odd if (found := self._place(files[place])) is not None],
            schema=_PLACED,
            orient="row",
        )
        kept = pl.concat([plain.drop_nulls("window"), placed]).sort("place")
        return rows[kept["place"]].hstack(kept.drop("place").get_columns())

    def _place(self, file: tuple[str, int, datetime, bytes]) -> tuple[str | None, datetime, str] | None:
        """Find home, window and window_source of a file without a plain name; None if its user is foreign.

        The home is None if neither name nor content has a user.
        """
        name, _, modified_at, content = file
        named = self._names.read(name)
        home = named.home
        if home is None:
            user = _user_inside(content)
            if named.user is not None or (user is not None and name_key(user) not in self._homes):
                return None
            home = self._homes.get(name_key(user)) if user is not None else None
        arrived_at = arrival(modified_at, self._now, self._names.history_start)
        # The file is searched only if its name may mean two minutes, as in the autumn hour.
        hints = _unix_times(content) if len(named.minutes) > 1 else ()
        said = self._names.window(named, arrived_at, hints)
        return home.id if home else None, said or floor_minute(arrived_at), "name" if said else "arrival"

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


def _delivered(files: Sequence[tuple[str, int, datetime, bytes]]) -> pl.DataFrame:
    """Build one row per file, with the fields of `File` as columns and its `file_id`."""
    names, sizes, moments, contents = zip(*files, strict=True) if files else ((),) * len(_DELIVERED)
    # Polars converts a time span from Python in a tenth of the time of a moment with a zone.
    since = [moment - EPOCH for moment in moments]
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
