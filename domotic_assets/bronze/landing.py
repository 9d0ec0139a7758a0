"""From files read to bronze rows: whose they are, which window they belong to, whether they are new.

Bytes are kept as received. The only look inside is for what the name does not say: the user of a
file with a foreign name, and the unix times that tell the two passes of the autumn hour apart.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from domotic_assets.bronze.naming import NameReader, arrival, read_forecast_name, read_sensor_name
from domotic_assets.localtime import candidates, floor_minute
from domotic_assets.registry import Registry
from domotic_assets.schemas.bronze import SENSOR_FILES, WEATHER_FILES

_UNIX_TIME = re.compile(rb'"time(?:Plug|Consumption)"\s*:\s*(\d{9,10})(?!\d)')
_USER = re.compile(rb'"user"\s*:\s*("(?:[^"\\]|\\.)*")')

_LANDED = {
    name: SENSOR_FILES.schema[name]
    for name in (
        "file_id", "name", "arrived_at", "modified_at", "size_bytes", "content", "home", "window",
        "window_source",
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A file as a source delivered it."""

    name: str
    size_bytes: int
    modified_at: datetime
    content: bytes


@dataclass(frozen=True)
class Landed:
    """Rows to append to bronze, and what became of the files (counts by outcome)."""

    rows: pl.DataFrame
    counts: Counter[str] = field(default_factory=Counter)


class Landing:
    """Lands files against what bronze holds; remembers what it landed, so a batch may repeat names."""

    def __init__(self, registry: Registry, held: pl.DataFrame, now: datetime) -> None:
        """`held`: name, window, file_id and arrived_at of the bronze rows of the names to come."""
        self._now = now
        self._names = NameReader(registry.home_of_user(), registry.history_start)
        self._homes = registry.home_of_user()
        self._latest: dict[tuple[str, datetime], tuple[datetime, str]] = {}
        self._bytes: set[tuple[datetime, str]] = set()
        for name, window, file_id, arrived_at in held.sort("arrived_at").iter_rows():
            self._latest[name, window] = (arrived_at, file_id)
            self._bytes.add((window, file_id))

    def land(self, files: Iterable[File]) -> Landed:
        """The SENSOR_FILES rows of files that bronze does not hold in this version."""
        rows: list[tuple[Any, ...]] = []
        counts: Counter[str] = Counter()
        for file in files:
            outcome, row = self._land_one(file)
            counts[outcome] += 1
            if row is not None:
                rows.append(row)
        columns = zip(*rows, strict=True) if rows else ((),) * len(_LANDED)
        frame = pl.DataFrame(dict(zip(_LANDED, columns, strict=True)), schema=_LANDED)
        landed = frame.with_columns(utc_date=pl.col("window").dt.date())
        return Landed(landed.select(SENSOR_FILES.schema.names()), counts)

    def _land_one(self, file: File) -> tuple[str, tuple[Any, ...] | None]:
        """What became of a file, and its values in the order of _LANDED where it makes a row."""
        if not is_sensor_name(file.name):
            return "foreign name", None
        home = self._names.home(file.name)
        if home is None:
            user = _user_inside(file.content)
            if read_sensor_name(file.name) is not None or (user is not None and user not in self._homes):
                return "foreign user", None
            home = self._homes.get(user) if user is not None else None
        arrived_at = arrival(file.modified_at, self._now)
        named = self._names.window(file.name, arrived_at, self._hints(file))
        window = named or floor_minute(arrived_at)
        file_id = identify("sensor_files", file.name, file.content)
        outcome = "landed"
        latest = self._latest.get((file.name, window))
        if latest is not None:
            outcome = "seen again" if latest[1] == file_id else "landed"
            # Strictly later than the version before it: a tie goes to the later landing.
            arrived_at = max(arrived_at, latest[0] + timedelta(microseconds=1))
        held = (window, file_id) in self._bytes
        self._latest[file.name, window] = (arrived_at, file_id)
        self._bytes.add((window, file_id))
        return outcome, (
            file_id,
            file.name,
            arrived_at,
            file.modified_at,
            file.size_bytes,
            None if held else file.content,
            home.id if home else None,
            window,
            "name" if named else "arrival",
        )

    def _hints(self, file: File) -> list[float]:
        """Unix times inside a file whose name stands twice a year; none for all others."""
        parsed, home = read_sensor_name(file.name), self._names.home(file.name)
        if parsed is None or parsed.local is None or home is None:
            return []
        if len(candidates(parsed.local, home.clock_zone)) == 1:
            return []
        return [float(seconds) for seconds in _UNIX_TIME.findall(file.content)]


def land_forecasts(files: Iterable[File], held: pl.DataFrame, now: datetime) -> Landed:
    """The WEATHER_FILES rows of forecast files that bronze does not hold in this version.

    held: name, file_id and arrived_at of the bronze rows of those names.
    """
    latest: dict[str, tuple[datetime, str]] = {}
    for name, file_id, arrived_at in held.sort("arrived_at").iter_rows():
        latest[name] = (arrived_at, file_id)
    known = set(held["file_id"].to_list())
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for file in files:
        issued = read_forecast_name(file.name)
        if issued is None:
            counts["foreign name"] += 1
            continue
        file_id = identify("weather_files", file.name, file.content)
        arrived_at = arrival(file.modified_at, now)
        before = latest.get(file.name)
        if before is not None:
            arrived_at = max(arrived_at, before[0] + timedelta(microseconds=1))
        counts["seen again" if before is not None and before[1] == file_id else "landed"] += 1
        rows.append(
            {
                "file_id": file_id,
                "name": file.name,
                "arrived_at": arrived_at,
                "modified_at": file.modified_at,
                "size_bytes": file.size_bytes,
                "content": None if file_id in known else file.content,
                "utc_date": issued,
            }
        )
        latest[file.name] = (arrived_at, file_id)
        known.add(file_id)
    return Landed(pl.DataFrame(rows, schema=WEATHER_FILES.schema), counts)


def is_sensor_name(name: str) -> bool:
    """Whether a name may be a sensor file's; anything else in the folder is counted and left."""
    return name.casefold().endswith(".json") and name.isprintable()


def identify(source: str, name: str, content: bytes) -> str:
    """`file_id`: 32 hex digits of the SHA-256 of source, name and bytes."""
    digest = hashlib.sha256(f"{source}\0{name}\0".encode("utf-8", "surrogateescape"))
    digest.update(content)
    return digest.hexdigest()[:32]


def versions(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per file_id (and window) with its bytes, at its latest arrival: sightings folded in."""
    keys = [column for column in ("window", "file_id") if column in rows.columns]
    return (
        rows.sort("arrived_at")
        .group_by(keys, maintain_order=True)
        .agg(pl.col("content").drop_nulls().first(), pl.exclude("content").last())
        .select(rows.columns)
    )


def outcomes_text(counts: Mapping[str, int]) -> str:
    """`3 landed, 1 seen again` for people."""
    return ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items())) or "nothing"


def user_of(name: str, content: bytes = b"") -> str | None:
    """The feed user that a file's name says, else its content; None where neither does."""
    named = read_sensor_name(name)
    return _user_inside(content) if named is None else named.user


def _user_inside(content: bytes) -> str | None:
    """The `user` of a file whose name says nothing; found without reading the rest."""
    match = _USER.search(content)
    if match is None:
        return None
    try:
        user = json.loads(match[1])
    except ValueError:
        return None
    return user if isinstance(user, str) else None
