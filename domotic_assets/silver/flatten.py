"""From bronze file versions to clean events, rejects and one status row per file version.

Pure: frames in, frames out. Which files and minutes a run works on is decided by its caller;
what a value means is decided in `shape`, and what bytes mean in `document`.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

import polars as pl

from domotic_assets.localtime import candidates, clock_reading, to_utc
from domotic_assets.registry import Home, Registry
from domotic_assets.schemas.silver import REJECTS, SENSOR_EVENTS, SENSOR_FILES
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.silver.document import Unreadable, read_document
from domotic_assets.silver.masking import REPLACEMENT_CHARACTER, Masker
from domotic_assets.silver.shape import CUT, SECRET_HEADER, Leaf, Shape, interpret, split

TEXT_LIMIT = 500
RAW_TEXT_LIMIT = 200
SHORTEST_SECRET = 3
"""A shorter user or token tells nothing, and replacing it would spoil every other text."""
CLOCK_SLACK = timedelta(days=1)

MOST_VALUES = 5_000
"""A sensor file has some hundred; each costs about 0.1 ms, and a file may not hold up the others."""
MOST_SECRETS, LONGEST_SECRET = 100, 10_000
"""Of one file's header; every text of the file is searched for them."""

_INSIDE_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)", re.ASCII)
_STATES = {"on": 1.0, "off": 0.0}


@dataclass(frozen=True)
class Flattened:
    """What file versions became.

    events: SENSOR_EVENTS plus `arrived_at` and `name`, one row per accepted reading. Of one file a
    device and variable may come twice (two spellings of a room), in the file's order.
    rejects: REJECTS. files: SENSOR_FILES, one row per file version.
    """

    events: pl.DataFrame
    rejects: pl.DataFrame
    files: pl.DataFrame


class _Reading(NamedTuple):
    """One judged value: exactly one of number, text and reason is set, or none for a null."""

    number: float | None = None
    text: Any = None
    reason: str | None = None


@dataclass(slots=True)
class _File:
    """A file version while it is worked on."""

    file_id: str
    name: str
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


@dataclass(slots=True)
class _Group:
    """Files of one shape and one spelling of rooms: their indices, and their values side by side.

    leaves: rooms and devices without the home, which each file adds.
    """

    leaves: tuple[Leaf, ...]
    first_leaf: int
    files: list[int] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


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
    work = _Flattening(registry)
    columns = ("file_id", "name", "arrived_at", "window", "window_source", "home", "content")
    newest_first = versions.sort("name", "window", "arrived_at", descending=[False, False, True])
    settled: tuple[str, datetime] | None = None
    for file_id, name, arrived_at, window, source, home, content in newest_first.select(columns).iter_rows():
        file = _File(file_id, name, arrived_at, window, source == "name", work.homes.get(home))
        if work.take(file, content, superseded=(name, window) == settled):
            settled = (name, window)
    return work.result()


class _Flattening:
    """Collects files by shape, so that whole columns of values are judged at once."""

    def __init__(self, registry: Registry) -> None:
        self.homes = {home.id: home for home in registry.homes}
        self._users = registry.home_of_user()
        self._masker = Masker(frozenset(self._users).union(*map(spellings, self._users)))
        self._rooms: dict[str, _Rooms] = {
            home.id: tuple(sorted((spelling, room.id) for spelling, room in home.rooms.items()))
            for home in registry.homes
        }
        self._plans: dict[tuple[_Rooms, Shape], _Plan] = {}
        self._start = datetime.combine(registry.history_start, datetime.min.time(), UTC)
        self._files: list[_File] = []
        self._groups: dict[tuple[_Rooms, frozenset[str], Shape], _Group] = {}
        self._leaves: list[Leaf] = []

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
            group = self._group(shape, file.home, file.own_secrets)
            group.files.append(len(self._files) - 1)
            group.rows.append(values)
        return True

    def _group(self, shape: Shape, home: Home, own_secrets: frozenset[str]) -> _Group:
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
            group = self._groups[rooms, secrets, shape] = _Group(leaves, len(self._leaves))
            self._leaves.extend(leaves)
        return group

    def _conceal(self, file: int, text: str) -> str:
        """A text of a file without its secrets."""
        return self._masker.mask(text, self._files[file].own_secrets)

    def _place(self, file: _File, document: dict[str, Any]) -> None:
        """Whose file it is and which minute it measures; raises Unreadable where that cannot be told."""
        user = document.get("user")
        file.own_secrets = frozenset(own_secrets_of(document))
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
        judged = [_judge(group, self._conceal) for group in self._groups.values()]
        facts = self._file_facts()
        leaves = pl.DataFrame(self._leaves, schema=_LEAVES, orient="row")
        readings = pl.concat([pl.DataFrame(schema=_READINGS), *(part.readings for part in judged)])
        events = self._events(readings, leaves, facts)
        refused = pl.DataFrame([r for part in judged for r in part.refused], schema=_REFUSED, orient="row")
        rejects = (
            refused.with_columns(
                leaves.select("device", "variable", "json_path")[refused["leaf"]].get_columns()
            )
            .with_columns(facts.drop("file", "reason")[refused["file"]].get_columns())
            .with_columns(device=pl.concat_str("home", "device"))
            .select(REJECTS.schema.names())
        )
        counts = {
            "events": readings.group_by("file").len("events"),
            "rejects": refused.group_by("file").len("rejects"),
        }
        return Flattened(
            events, _told_apart(rejects), self._statuses(readings, leaves, counts, judged, facts)
        )

    def _file_facts(self) -> pl.DataFrame:
        """One row per file with what its events and rejects repeat."""
        files = self._files
        return pl.DataFrame(
            {
                "file": range(len(files)),
                "file_id": [f.file_id for f in files],
                "name": [f.name for f in files],
                "home": [f.home.id if f.home else None for f in files],
                "window": [f.window for f in files],
                "minute": [f.minute for f in files],
                "arrived_at": [f.arrived_at for f in files],
                "status": [f.status for f in files],
                "reason": [f.reason for f in files],
                "time_source": [f.time_source for f in files],
                "time_note": [f.time_note for f in files],
            },
            schema={
                "file": pl.Int64, "file_id": pl.String, "name": pl.String, "home": pl.String,
                "window": UTC_TIME, "minute": UTC_TIME, "arrived_at": UTC_TIME, "status": pl.String,
                "reason": pl.String, "time_source": pl.String, "time_note": pl.String,
            },
        ).with_columns(utc_date=pl.col("window").dt.date(), source=pl.lit("sensor_files"))  # fmt: skip

    def _events(self, readings: pl.DataFrame, leaves: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
        columns = [*SENSOR_EVENTS.schema.names(), "arrived_at", "name"]
        return (
            readings.with_columns(
                leaves.select("room", "device", "variable", "unit", "minimum", "maximum")[
                    readings["leaf"]
                ].get_columns()
            )
            .with_columns(
                facts.select("file_id", "name", "home", "minute", "arrived_at")[
                    readings["file"]
                ].get_columns()
            )
            .with_columns(
                room=pl.concat_str("home", "room"),
                device=pl.concat_str("home", "device"),
                ts=pl.col("minute"),
                utc_date=pl.col("minute").dt.date(),
                is_outlier=(
                    (pl.col("value") < pl.col("minimum")) | (pl.col("value") > pl.col("maximum"))
                ).fill_null(False),
            )
            .select(columns)
        )

    def _statuses(
        self,
        readings: pl.DataFrame,
        leaves: pl.DataFrame,
        counts: Mapping[str, pl.DataFrame],
        judged: list["_Judged"],
        facts: pl.DataFrame,
    ) -> pl.DataFrame:
        nulls: dict[int, int] = {}
        for group in judged:
            for file, number in group.nulls.items():
                nulls[file] = nulls.get(file, 0) + number
        silent = self._silent_devices(readings, leaves)
        return (
            facts.join(counts["events"], on="file", how="left", maintain_order="left")
            .join(counts["rejects"], on="file", how="left", maintain_order="left")
            .with_columns(
                pl.col("events", "rejects").fill_null(0).cast(pl.Int64),
                nulls=pl.Series([nulls.get(n, 0) for n in range(len(self._files))], dtype=pl.Int64),
                silent_devices=pl.Series(
                    [silent.get(n, []) for n in range(len(self._files))], dtype=pl.List(pl.String)
                ),
            )
            .with_columns(
                status=pl.when((pl.col("status") == "loaded") & (pl.col("rejects") > 0))
                .then(pl.lit("partial"))
                .otherwise("status")
            )
            .select(SENSOR_FILES.schema.names())
        )

    def _silent_devices(self, readings: pl.DataFrame, leaves: pl.DataFrame) -> dict[int, list[str]]:
        """By file, devices that it names and gives no reading of: they still say which sensor a room has.

        By file, not by file_id: the same bytes may come in both passes of the autumn hour.
        """
        spoken = readings.select("file", leaves["device"][readings["leaf"]]).unique()
        heard: dict[int, set[str]] = {}
        for file, device in spoken.iter_rows():
            heard.setdefault(file, set()).add(device)
        silent: dict[int, list[str]] = {}
        for group in self._groups.values():
            named = {leaf.device for leaf in group.leaves}
            for file in group.files:
                home = self._files[file].home
                assert home is not None
                if missing := named - heard.get(file, set()):
                    silent[file] = sorted(f"{home.id}{device}" for device in missing)
        return silent


@dataclass(slots=True)
class _Judged:
    """A group's values judged; `nulls` counts JSON nulls by file."""

    readings: pl.DataFrame
    refused: list[tuple[int, int, str, str]]
    nulls: dict[int, int]


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
_READINGS = {
    "file": pl.Int64, "leaf": pl.Int64, "value": pl.Float64, "value_text": pl.String,
    "value_text_length": pl.Int64,
}  # fmt: skip
_REFUSED = {"file": pl.Int64, "leaf": pl.Int64, "raw_text": pl.String, "reason": pl.String}


def _judge(group: _Group, conceal: Callable[[int, str], str]) -> _Judged:
    """Judge a group column by column: a column of one clean type at once, any other value by value.

    conceal: takes a file's secrets out of a text of it.
    """
    clean: list[tuple[int, pl.Series]] = []
    mixed: list[tuple[int, int, float | None, str | None, int | None]] = []
    refused: list[tuple[int, int, str, str]] = []
    nulls: dict[int, int] = {}
    columns = zip(*group.rows, strict=True)
    for number, (leaf, column) in enumerate(zip(group.leaves, columns, strict=True), group.first_leaf):
        numbers = _clean_column(leaf.kind, column)
        if numbers is not None:
            clean.append((number, numbers))
            continue
        for file, value in zip(group.files, column, strict=True):
            reading = _judge_value(leaf.kind, value)
            if reading.reason is not None:
                raw = _as_text(value, partial(conceal, file))[:RAW_TEXT_LIMIT]
                refused.append((file, number, raw, reading.reason))
            elif reading.text is not None:
                text = _as_text(reading.text, partial(conceal, file))
                mixed.append((file, number, None, text[:TEXT_LIMIT], len(text)))
            elif reading.number is not None:
                mixed.append((file, number, reading.number, None, None))
            else:
                nulls[file] = nulls.get(file, 0) + 1
    return _Judged(_readings(group, clean, mixed), refused, nulls)


def _readings(
    group: _Group,
    clean: list[tuple[int, pl.Series]],
    mixed: list[tuple[int, int, float | None, str | None, int | None]],
) -> pl.DataFrame:
    """Readings of a group: its clean columns end to end, then what was judged one by one.

    Where a device and variable stand twice (two spellings of a room), the file's order is kept.
    """
    singly = pl.DataFrame(mixed, schema=_READINGS, orient="row")
    if not clean:
        return singly
    files = pl.Series(group.files, dtype=pl.Int64)
    leaves = pl.Series([number for number, _ in clean], dtype=pl.Int64)
    together = pl.DataFrame(
        {
            "file": pl.concat([files] * len(clean)),
            "leaf": pl.select(leaf=leaves.repeat_by(len(files)).explode())["leaf"],
            "value": pl.concat([numbers for _, numbers in clean]),
        }
    ).with_columns(value_text=pl.lit(None, pl.String), value_text_length=pl.lit(None, pl.Int64))
    readings = pl.concat([together, singly])
    distinct = {(leaf.device, leaf.variable) for leaf in group.leaves}
    return readings if len(distinct) == len(group.leaves) else readings.sort("leaf", maintain_order=True)


def _clean_column(kind: str, column: tuple[Any, ...]) -> pl.Series | None:
    """The column as numbers when every value is of the type that its kind expects; else None."""
    types = set(map(type, column))
    if kind == "flag" or (kind == "unknown" and types == {bool}):
        return pl.Series(column, dtype=pl.Boolean).cast(pl.Float64) if types == {bool} else None
    if kind == "state":
        states = [_STATES.get(value) if type(value) is str else None for value in column]
        return None if None in states else pl.Series(states, dtype=pl.Float64)
    if kind in ("text", "no_device") or not types <= {float, int}:
        return None
    try:
        numbers = pl.Series([float(value) for value in column], dtype=pl.Float64)
    except OverflowError:
        return None
    return numbers if numbers.is_finite().all() else None


def _judge_value(kind: str, value: Any) -> _Reading:
    """One value against the kind of its variable; a null is nothing at all."""
    if value is None:
        return _Reading()
    if kind == "no_device":
        return _Reading(reason="not_an_object")
    if kind == "flag":
        return _Reading(number=float(value)) if type(value) is bool else _Reading(reason="not_a_flag")
    if kind == "state":
        state = _STATES.get(value) if type(value) is str else None
        return _Reading(reason="not_a_state") if state is None else _Reading(number=state)
    if kind == "text":
        return _Reading(text=value) if type(value) is str else _Reading(reason="not_a_text")
    if type(value) in (int, float):
        try:
            number = float(value)
        except OverflowError:
            return _Reading(reason="not_finite")
        return _Reading(number=number) if math.isfinite(number) else _Reading(reason="not_finite")
    if kind != "unknown":
        return _Reading(reason="not_a_number")
    if type(value) is bool:
        return _Reading(number=float(value))
    return _Reading(text=value)


def _as_text(value: Any, conceal: Callable[[str], str]) -> str:
    """A text, or anything else as JSON, concealed; texts inside are before quoting could hide a secret."""
    if type(value) is str:
        return conceal(value)
    return conceal(json.dumps(_masked(value, conceal), ensure_ascii=False))


def own_secrets_of(document: Mapping[str, Any]) -> set[str]:
    """Every text of the file's user and token; raises Unreadable where these are more than any feed sends."""
    found: set[str] = set()
    waiting = [value for key, value in document.items() if key.casefold() in SECRET_HEADER]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting += [*value, *value.values()]
        elif type(value) is list:
            waiting += value
        elif type(value) is not bool and value is not None:
            text = str(value)
            if len(text) > LONGEST_SECRET or len(found) > MOST_SECRETS:
                raise Unreadable("too_large")
            found |= spellings(text)
    return found


@lru_cache(maxsize=1024)
def spellings(secret: str) -> frozenset[str]:
    """A secret as it is, and as JSON inside a text would spell it."""
    bare = secret.strip()
    if len(bare) < SHORTEST_SECRET:
        return frozenset()
    # Other letter cases are told here where a mask that ignores case cannot: `ß` as `SS`, `Ü` as `\u00dc`.
    forms = {bare} if bare.isascii() else {bare, bare.upper(), bare.lower()}
    return frozenset(forms | {json.dumps(form)[1:-1] for form in forms})


def _masked(value: Any, conceal: Callable[[str], str]) -> Any:
    if type(value) is str:
        return conceal(value)
    if type(value) is dict:
        return {conceal(key): _masked(item, conceal) for key, item in value.items()}
    if type(value) is list:
        return [_masked(item, conceal) for item in value]
    return value


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
