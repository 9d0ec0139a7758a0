"""From bronze file versions to clean events, rejects and one status row per file version.

Pure: frames in, frames out. Which files and minutes a run works on is decided by its caller;
what a value means is decided in `shape`, whether it fits in `judgement`, and what bytes mean in `document`.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import polars as pl

from domotic_assets.localtime import candidates, clock_reading, to_utc
from domotic_assets.registry import Home, Registry
from domotic_assets.schemas.silver import REJECTS, SENSOR_EVENTS, SENSOR_FILES
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.silver.document import Unreadable, read_document
from domotic_assets.silver.judgement import READINGS, REFUSED, Group, Judged, judge
from domotic_assets.silver.masking import REPLACEMENT_CHARACTER, Masker
from domotic_assets.silver.shape import CUT, SECRET_HEADER, Leaf, Shape, interpret, split

SHORTEST_SECRET = 3
"""A shorter user or token tells nothing, and replacing it would spoil every other text."""
CLOCK_SLACK = timedelta(days=1)

MOST_VALUES = 5_000
"""A sensor file has some hundred; each costs about 0.1 ms, and a file may not hold up the others."""
MOST_SECRETS, LONGEST_SECRET = 100, 10_000
"""Of one file's header; every text of the file is searched for them."""
_LONGEST_HEADER = max(map(len, SECRET_HEADER))

_INSIDE_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Flattened:
    """What file versions became.

    events: SENSOR_EVENTS plus `arrived_at` and `name`, one row per accepted reading, by minute, device
    and variable. Of one file a device and variable may come twice (two spellings of a room), in the
    file's order. rejects: REJECTS. files: SENSOR_FILES, one row per file version. crowded: the minutes
    in which a device and variable may stand more than once.
    """

    events: pl.DataFrame
    rejects: pl.DataFrame
    files: pl.DataFrame
    crowded: pl.Series


@dataclass(slots=True)
class _File:
    """A file version while it is worked on: `row` is its place among the versions given."""

    row: int
    arrived_at: datetime
    window: datetime
    named: bool
    home: Home | None = None
    minute: datetime | None = None
    time_source: str | None = None
    time_note: str | None = None
    status: str = "quarantined"
    reason: str | None = None
    own_secrets: frozenset[str] = frozenset()


_Rooms = tuple[tuple[str, str], ...]
"""Spelling to room id: homes that spell their rooms alike share the plans of their shapes."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A shape read without masks, and all its texts: it is right for files whose secrets are not in these."""

    leaves: tuple[Leaf, ...]
    texts: str


def flatten(versions: pl.DataFrame, registry: Registry) -> Flattened:
    """Flatten file versions.

    versions: file_id, name, arrived_at, window, window_source, home and content, one row per file
    version, and all versions of every (name, window) it holds any of. Of one name only the latest
    readable version counts; the others come back as superseded or quarantined.
    """
    columns = ("name", "arrived_at", "window", "window_source", "home", "content")
    newest_first = versions.sort("name", "window", "arrived_at", descending=[False, False, True])
    work = _Flattening(registry, newest_first)
    settled: tuple[str, datetime] | None = None
    rows = newest_first.select(columns).iter_rows()
    for row, (name, arrived_at, window, source, home, content) in enumerate(rows):
        file = _File(row, arrived_at, window, source == "name", work.homes.get(home))
        if work.take(file, content, superseded=(name, window) == settled):
            settled = (name, window)
    return work.result()


class _Flattening:
    """Collects files by shape, so that whole columns of values are judged at once."""

    def __init__(self, registry: Registry, versions: pl.DataFrame) -> None:
        self.homes = {home.id: home for home in registry.homes}
        self._versions = versions
        self._users = registry.home_of_user()
        self._masker = Masker(frozenset(self._users).union(*map(spellings, self._users)))
        self._rooms: dict[str, _Rooms] = {
            home.id: tuple(sorted((spelling, room.id) for spelling, room in home.rooms.items()))
            for home in registry.homes
        }
        self._plans: dict[tuple[_Rooms, Shape], _Plan] = {}
        self._start = datetime.combine(registry.history_start, datetime.min.time(), UTC)
        self._files: list[_File] = []
        self._groups: dict[tuple[_Rooms, frozenset[str], Shape], Group] = {}
        self._places: dict[tuple[str, frozenset[str], Shape], tuple[Group, int]] = {}
        self._leaves: list[Leaf] = []
        # Each leaf of a shape once for each home that sends it: the leaf's number, and the home.
        self._named: tuple[list[int], list[str]] = ([], [])

    def take(self, file: _File, content: bytes, *, superseded: bool) -> bool:
        """Read one file version; True when it is readable and so settles its name."""
        self._files.append(file)
        try:
            document = read_document(content)
            self._place(file, document)
            shape, values = split(document)
            if len(values) > MOST_VALUES:
                raise Unreadable("too_large")
        except Unreadable as error:
            file.reason = error.reason
            return False
        file.status = "superseded" if superseded else "loaded"
        if not superseded:
            assert file.home is not None
            key = (file.home.id, file.own_secrets, shape)
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = self._begin(file.home, file.own_secrets, shape)
            group, begin = place
            group.files.append(file.row)
            group.begins.append(begin)
            group.values += values
        return True

    def _begin(self, home: Home, own_secrets: frozenset[str], shape: Shape) -> tuple[Group, int]:
        """The group of a home's files of this shape, and where the home's own names for its leaves begin."""
        group = self._group(shape, home, own_secrets)
        numbers, homes = self._named
        begin = len(numbers)
        numbers.extend(range(group.first_leaf, group.first_leaf + len(group.leaves)))
        homes.extend([home.id] * len(group.leaves))
        return group, begin

    def _group(self, shape: Shape, home: Home, own_secrets: frozenset[str]) -> Group:
        """The group of a file; one whose names hold a secret goes with files of the same secrets only."""
        rooms = self._rooms[home.id]
        plan = self._plans.get((rooms, shape))
        if plan is None:
            leaves = interpret(shape, "", home.rooms, ())
            texts = "\n".join(
                text for leaf in leaves for text in (leaf.device, leaf.variable, leaf.json_path)
            )
            plan = self._plans[rooms, shape] = _Plan(leaves, texts)
        leaves, secrets = plan.leaves, frozenset[str]()
        # A secret may hold a control character or be cut, which the plan shows no longer.
        if any(sign in plan.texts for sign in (REPLACEMENT_CHARACTER, CUT)) or self._masker.holds(
            plan.texts, own_secrets
        ):
            secrets = self._masker.secrets(own_secrets)
            leaves = interpret(shape, "", home.rooms, secrets)
        group = self._groups.get((rooms, secrets, shape))
        if group is None:
            group = self._groups[rooms, secrets, shape] = Group(leaves, len(self._leaves))
            self._leaves.extend(leaves)
        return group

    def _conceal(self, file: int, text: str) -> str:
        """A text of a file without its secrets."""
        return self._masker.mask(text, self._files[file].own_secrets)

    def _place(self, file: _File, document: dict[str, Any]) -> None:
        """Whose file it is and which minute it measures; raises Unreadable where that cannot be told."""
        user = document.get("user")
        file.own_secrets = own_secrets_of(document)
        inside = self._users.get(user) if type(user) is str else None
        if file.home is None:
            file.home = inside
        elif inside is not None and inside.id != file.home.id:
            raise Unreadable("user_mismatch")
        if file.home is None:
            raise Unreadable("unknown_user")
        self._set_minute(file, file.home, document)

    def _set_minute(self, file: _File, home: Home, document: dict[str, Any]) -> None:
        local = _read_local(document.get("datetime"))
        if local is not None:
            hints = _unix_times(document) if len(candidates(local, home.clock_zone)) > 1 else ()
            moment = to_utc(local, home.clock_zone, file.arrived_at, hints)
            if self._start <= moment.utc <= file.arrived_at + CLOCK_SLACK:
                file.minute, file.time_source, file.time_note = moment.utc, "inside", moment.note
                return
        if not file.named:
            raise Unreadable("no_readable_time")
        file.minute, file.time_source = file.window, "name"
        file.time_note = "unreadable_inside" if document.get("datetime") is not None else "missing_inside"

    def result(self) -> Flattened:
        """Judge all values taken so far."""
        judged = [judge(group, self._conceal) for group in self._groups.values()]
        facts = self._file_facts()
        names = self._names()
        readings = pl.concat([pl.DataFrame(schema=READINGS), *(part.readings for part in judged)])
        refused = pl.DataFrame([r for part in judged for r in part.refused], schema=REFUSED, orient="row")
        rejects = (
            refused.with_columns(
                names.select("device", "variable", "json_path")[refused["leaf"]].get_columns()
            )
            .with_columns(facts.drop("file", "reason")[refused["file"]].get_columns())
            .select(REJECTS.schema.names())
        )
        return Flattened(
            self._events(readings, names, facts),
            _told_apart(rejects),
            self._statuses(readings, refused, judged, names, facts),
            self._crowded(facts),
        )

    def _names(self) -> pl.DataFrame:
        """What each leaf of each home is called, and what its values may be.

        `rank` puts devices and variables in order: whole numbers are sorted faster than texts.
        """
        numbers, homes = self._named
        leaves = pl.DataFrame(self._leaves, schema=_LEAVES, orient="row")
        return (
            leaves[pl.Series(numbers, dtype=pl.Int64)]
            .with_columns(home=pl.Series(homes, dtype=pl.String))
            .with_columns(room=pl.concat_str("home", "room"), device=pl.concat_str("home", "device"))
            .with_columns(rank=pl.struct("device", "variable").rank("dense"))
        )

    def _file_facts(self) -> pl.DataFrame:
        """One row per file with what its events and rejects repeat."""
        files = self._files
        given = self._versions.select("file_id", "name", "window", "arrived_at").head(len(files))
        return given.with_columns(
            pl.Series("file", range(len(files)), dtype=pl.Int64),
            pl.Series("home", [f.home.id if f.home else None for f in files], dtype=pl.String),
            pl.Series("minute", [f.minute for f in files], dtype=UTC_TIME),
            pl.Series("status", [f.status for f in files], dtype=pl.String),
            pl.Series("reason", [f.reason for f in files], dtype=pl.String),
            pl.Series("time_source", [f.time_source for f in files], dtype=pl.String),
            pl.Series("time_note", [f.time_note for f in files], dtype=pl.String),
            utc_date=pl.col("window").dt.date(),
            source=pl.lit("sensor_files"),
        )

    def _events(self, readings: pl.DataFrame, names: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
        columns = [*SENSOR_EVENTS.schema.names(), "arrived_at", "name"]
        order = readings.select(
            minute=facts["minute"].rank("dense")[readings["file"]].cast(pl.Int64),
            rank=names["rank"][readings["leaf"]].cast(pl.Int64),
        )
        # One number for both, and for the place among equals: sorted many times faster than columns.
        places = (
            order.select(
                (pl.col("minute") * (names.height + 1) + pl.col("rank")) * pl.len() + pl.int_range(pl.len())
            )
            .to_series()
            .sort()
        )
        ordered = readings[places % max(1, readings.height)]
        return (
            ordered.with_columns(
                names.select("room", "device", "variable", "unit", "minimum", "maximum")[
                    ordered["leaf"]
                ].get_columns()
            )
            .with_columns(
                facts.select("file_id", "name", "home", "arrived_at", ts="minute")[
                    ordered["file"]
                ].get_columns()
            )
            .with_columns(
                utc_date=pl.col("ts").dt.date(),
                is_outlier=(
                    (pl.col("value") < pl.col("minimum")) | (pl.col("value") > pl.col("maximum"))
                ).fill_null(False),
            )
            .select(columns)
        )

    def _crowded(self, facts: pl.DataFrame) -> pl.Series:
        """Minutes of two files of a home that count, and of a file that names a device and variable twice."""
        counting = facts.filter(pl.col("status") == "loaded")
        shared = counting.filter(pl.struct("home", "minute").is_duplicated())["minute"]
        twice = [file for group in self._groups.values() if group.repeats for file in group.files]
        return pl.concat([shared, facts["minute"][twice]]).unique()

    def _statuses(
        self,
        readings: pl.DataFrame,
        refused: pl.DataFrame,
        judged: list[Judged],
        names: pl.DataFrame,
        facts: pl.DataFrame,
    ) -> pl.DataFrame:
        nulls = sum((part.nulls for part in judged), Counter[int]())
        silent = self._silent_devices(readings, {*nulls, *refused["file"]}, names)
        files = range(len(self._files))
        return (
            facts.join(readings.group_by("file").len("events"), on="file", how="left", maintain_order="left")
            .join(refused.group_by("file").len("rejects"), on="file", how="left", maintain_order="left")
            .with_columns(
                pl.col("events", "rejects").fill_null(0).cast(pl.Int64),
                nulls=pl.Series([nulls[file] for file in files], dtype=pl.Int64),
                silent_devices=pl.Series([silent.get(file, []) for file in files], dtype=pl.List(pl.String)),
            )
            .with_columns(
                status=pl.when((pl.col("status") == "loaded") & (pl.col("rejects") > 0))
                .then(pl.lit("partial"))
                .otherwise("status")
            )
            .select(SENSOR_FILES.schema.names())
        )

    def _silent_devices(
        self, readings: pl.DataFrame, lacking: set[int], names: pl.DataFrame
    ) -> dict[int, list[str]]:
        """By file, devices that it names and gives no reading of: they still say which sensor a room has.

        By file, not by file_id: the same bytes may come in both passes of the autumn hour. lacking:
        the files with a null or a refused value, as no others can have such a device.
        """
        incomplete = readings.filter(pl.col("file").is_in(sorted(lacking)))
        spoken = incomplete.select("file", device=names["device"][incomplete["leaf"]]).unique()
        heard: dict[int, set[str]] = {}
        for file, device in spoken.iter_rows():
            heard.setdefault(file, set()).add(device)
        silent: dict[int, list[str]] = {}
        devices = names["device"].to_list() if lacking else []
        for group in self._groups.values():
            for file, begin in zip(group.files, group.begins, strict=True):
                if file in lacking:
                    named = set(devices[begin : begin + len(group.leaves)])
                    if missing := named - heard.get(file, set()):
                        silent[file] = sorted(missing)
        return silent


def _told_apart(rejects: pl.DataFrame) -> pl.DataFrame:
    """Rejects with one row a path: names may be spelled, or masked, so that the paths of two values agree."""
    key = list(REJECTS.primary_key)
    while rejects.select(key).is_duplicated().any():
        nth = pl.int_range(1, pl.len() + 1).over(key)
        numbered = pl.format("{} ({})", "json_path", nth)
        rejects = rejects.with_columns(json_path=pl.when(nth == 1).then("json_path").otherwise(numbered))
    return rejects


_LEAVES = {
    "room": pl.String, "device": pl.String, "variable": pl.String, "kind": pl.String, "unit": pl.String,
    "minimum": pl.Float64, "maximum": pl.Float64, "json_path": pl.String,
}  # fmt: skip


def own_secrets_of(document: Mapping[str, Any]) -> frozenset[str]:
    """Every text of the file's user and token; raises Unreadable where these are more than any feed sends."""
    waiting = [
        value
        for key, value in document.items()
        # Another letter case is never longer than the plain one, and most keys are.
        if len(key) <= _LONGEST_HEADER and key.casefold() in SECRET_HEADER
    ]
    if len(waiting) <= len(SECRET_HEADER) and set(map(type, waiting)) <= {str}:
        # As in nearly every file; the files of a home share them.
        return _own_texts(tuple(waiting))
    found: set[str] = set()
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting += [*value, *value.values()]
        elif type(value) is list:
            waiting += value
        elif type(value) is not bool and value is not None:
            found |= _own_texts((str(value),))
            if len(found) > MOST_SECRETS:
                raise Unreadable("too_large")
    return frozenset(found)


@lru_cache(maxsize=1024)
def _own_texts(texts: tuple[str, ...]) -> frozenset[str]:
    """All spellings of some texts; raises Unreadable where one is longer than any feed sends."""
    if any(len(text) > LONGEST_SECRET for text in texts):
        raise Unreadable("too_large")
    return frozenset[str]().union(*map(spellings, texts))


@lru_cache(maxsize=1024)
def spellings(secret: str) -> frozenset[str]:
    """A secret as it is, and as JSON inside a text would spell it."""
    bare = secret.strip()
    if len(bare) < SHORTEST_SECRET:
        return frozenset()
    # Other letter cases are told here where a mask that ignores case cannot: `ß` as `SS`, `Ü` as `\u00dc`.
    forms = {bare} if bare.isascii() else {bare, bare.upper(), bare.lower()}
    return frozenset(forms | {json.dumps(form)[1:-1] for form in forms})


@lru_cache(maxsize=8192)
def _parse_local(text: str) -> datetime | None:
    match = _INSIDE_TIME.fullmatch(text.strip())
    if match is None:
        return None
    day, month, year, hour, minute = map(int, match.groups())
    return clock_reading(year, month, day, hour, minute)


def _read_local(value: Any) -> datetime | None:
    """`DD.MM.YYYY HH:MM` as the home's clock wrote it; None for anything else."""
    return _parse_local(value) if type(value) is str and len(value) < 64 else None


def _unix_times(document: Mapping[str, Any]) -> list[float]:
    """The unix seconds that plugs and the house meter measured at."""
    found: list[float] = []
    for category, key in (("plugs", "timePlug"), ("consumptions", "timeConsumption")):
        rooms = document.get(category)
        for device in rooms.values() if type(rooms) is dict else ():
            seconds = device.get(key) if type(device) is dict else None
            if isinstance(seconds, int | float) and math.isfinite(seconds):
                found.append(float(seconds))
    return found
