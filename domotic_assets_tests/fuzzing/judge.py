"""What must hold of any file, however wrong: it ends nothing, it is accounted for, it harms no other.

Files go the way of production: landing, versions, flatten or the reading of forecasts. Making files is the
business of `mutations`.
"""

import json
import re
import time
import traceback
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

import polars as pl

from domotic_assets.domains.homes.bronze.landing import Landing
from domotic_assets.domains.homes.silver.events import merge
from domotic_assets.domains.homes.silver.flatten import flatten
from domotic_assets.domains.weather.bronze import land_forecasts
from domotic_assets.domains.weather.silver import read_weather_files
from domotic_assets.ingest.files import File, versions
from domotic_assets.schemas.homes.bronze import SENSOR_FILES as BRONZE_SENSOR_FILES
from domotic_assets.schemas.homes.silver import SENSOR_FILES
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES
from domotic_assets.schemas.refusals import QUARANTINE_REASONS, REJECT_REASONS, REJECTS
from domotic_assets.schemas.table import Table
from domotic_assets.schemas.weather import WEATHER_FILES, WEATHER_FORECASTS
from domotic_assets_tests.support.builders import FEED_USERS, registry

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LONGEST_SECONDS = 1.0
"""Of the processors' time, which a busy machine does not stretch; what waits for ever the drill ends."""
HOMES = registry()

_USERS = tuple(FEED_USERS.values())
_HEADER = {"user", "api_token", "datetime"}
_PLAIN_LINE = re.compile(
    r"((\d{4}-\d\d-\d\d) (?:[01]\d|2[0-3]):00:00\+00:00),-?\d{1,5}\.\d,(\d\d),(Sion|Aadorf / Tänikon),"
    r"(PRED_(?:T_2M|RELHUM_2M|TOT_PREC|GLOB)_(?:ctrl|q10)),[^,\"\x00-\x1f]+",
    re.ASCII,
)
_STATUSES = {"loaded", "partial", "superseded", "quarantined"}


@dataclass(frozen=True)
class Outcome:
    """What files became. frames: by name; each has a file_id. counts: files by what landing said."""

    counts: dict[str, int]
    bronze: pl.DataFrame
    frames: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Finding:
    """Something that must not be: what, and the files that show it."""

    what: str
    files: tuple[File, ...]


Carry = Callable[[Sequence[File]], Outcome]
Account = Callable[[Sequence[File], Outcome], Iterator[str]]


@dataclass(frozen=True)
class Path:
    """The way of one kind of file: how files are carried, and what must hold of what they became."""

    suffix: str
    carry: Carry
    account: Account


def carry_sensor(files: Sequence[File]) -> Outcome:
    """Sensor files on an empty bronze, flattened."""
    held = BRONZE_SENSOR_FILES.empty().select("name", "window", "file_id", "arrived_at")
    landed = Landing(HOMES, held, NOW).land(files)
    flat = flatten(versions(landed.rows), HOMES)
    merged = merge(flat.events_with_sources())
    frames = {
        "events": flat.events_with_sources(),
        "rejects": flat.rejects,
        "files": flat.files,
        "merged": merged,
    }
    return Outcome(dict(landed.counts), landed.rows, frames)


def carry_forecasts(files: Sequence[File]) -> Outcome:
    """Forecast files on an empty bronze, read."""
    held = WEATHER_FILES.empty().select("name", "file_id", "arrived_at")
    landed = land_forecasts(files, held, HOMES.history_start)
    read = read_weather_files(versions(landed.rows), _USERS, {})
    frames = {"forecasts": read.forecasts, "rejects": read.rejects, "files": read.summary}
    return Outcome(dict(landed.counts), landed.rows, frames)


def account_sensor(files: Sequence[File], became: Outcome) -> Iterator[str]:
    """What is wrong with the account of sensor files."""
    yield from _account_bronze(files, became)
    yield from _account_table(SENSOR_FILES, became.frames["files"])
    yield from _account_table(REJECTS, became.frames["rejects"])
    yield from _account_texts(became)
    contents = dict(became.bronze.select("file_id", "content").iter_rows())
    taken = {name: _by_file(became.frames[name]) for name in ("events", "rejects")}
    for file in became.frames["files"].iter_rows(named=True):
        file_id, status, counted = file["file_id"], file["status"], (file["events"], file["rejects"])
        if status not in _STATUSES:
            yield f"status {status}"
        if (status == "quarantined") != (file["reason"] in QUARANTINE_REASONS):
            yield f"status {status} with reason {file['reason']}"
        if counted != tuple(taken[name].get(file_id, 0) for name in ("events", "rejects")):
            yield "the counts of a file are not those of its rows"
        if (status == "partial") != (file["rejects"] > 0):
            yield f"status {status} with {'some' if file['rejects'] else 'no'} rejects"
        values = None if status == "quarantined" else _values_in(contents[file_id])
        if values is not None and status != "superseded":
            fewest, most = values
            if not fewest <= sum(counted) + file["nulls"] <= most:
                yield "values of a file were lost or made up"


def account_forecasts(files: Sequence[File], became: Outcome) -> Iterator[str]:
    """What is wrong with the account of forecast files."""
    yield from _account_bronze(files, became)
    yield from _account_table(WEATHER_FORECASTS, became.frames["forecasts"])
    yield from _account_table(REJECTS, became.frames["rejects"])
    yield from _account_texts(became)
    contents = {row[0]: row[1:] for row in became.bronze.select("file_id", "content", "utc_date").iter_rows()}
    taken = {name: _by_file(became.frames[name]) for name in ("forecasts", "rejects")}
    for file in became.frames["files"].iter_rows(named=True):
        counted = {name: file[name] for name in taken}
        if counted != {name: taken[name].get(file["file_id"], 0) for name in taken}:
            yield "the counts of a file are not those of its rows"
        if file["status"] not in _STATUSES:
            yield f"status {file['status']}"
        if file["forecasts"] > file["lines"]:
            yield "more forecasts than lines"
        if file["status"] in ("loaded", "partial") and file["forecasts"] < _plain_lines(
            *contents[file["file_id"]]
        ):
            yield "plain lines of a file were lost"


SENSOR = Path(".json", carry_sensor, account_sensor)
FORECASTS = Path(".csv", carry_forecasts, account_forecasts)


def judge(
    path: Path, files: Sequence[File], witnesses: Sequence[File] | None = None
) -> tuple[list[Finding], float]:
    """What is wrong with files together and each by itself; and the seconds of the slowest one.

    witnesses: those carried by themselves as well, all by default, and all where together they break or
    take more time than one may.
    """
    began = time.process_time()
    together, broken = _attempt(path, files)
    if witnesses is None or together is None or time.process_time() - began > LONGEST_SECONDS:
        witnesses = files
    found: list[Finding] = []
    alone: list[tuple[File, Outcome]] = []
    slowest = time.process_time() - began if len(files) == 1 else 0.0
    for file in witnesses:
        began = time.process_time()
        became, crash = _attempt(path, [file])
        seconds = time.process_time() - began
        if became is None:
            found.append(Finding(crash, (file,)))
            continue
        alone.append((file, became))
        if seconds > LONGEST_SECONDS:
            seconds = _shortest(path, file)
        slowest = max(slowest, seconds)
        if seconds > LONGEST_SECONDS:
            found.append(Finding("a file takes more than a second", (file,)))
    if together is not None:
        return found + _differences(path, files, together, alone), slowest
    if not found:
        return [Finding(broken, _fewest(path, files))], slowest
    sound = [file for file, _ in alone]
    return found + judge(path, sound, ())[0], slowest


def _attempt(path: Path, files: Sequence[File]) -> tuple[Outcome | None, str]:
    """What files became; or None, and how that ended."""
    try:
        return path.carry(files), ""
    except Exception as error:
        # The deepest of our own functions that it went through.
        own = [f for f in traceback.extract_tb(error.__traceback__) if "/domotic_assets/" in f.filename]
        return None, f"{type(error).__name__} in {own[-1].name if own else 'the drill'}"


def _shortest(path: Path, file: File) -> float:
    """The shortest of three times: something else of the process may have cost the first."""
    times = []
    for _ in range(3):
        began = time.process_time()
        path.carry([file])
        times.append(time.process_time() - began)
    return min(times)


def _differences(
    path: Path, files: Sequence[File], together: Outcome, alone: Sequence[tuple[File, Outcome]]
) -> list[Finding]:
    """What is wrong with the account of files, and where they became something else than alone."""
    found = []
    for problem in sorted(set(path.account(files, together))):
        guilty = [file for file in files if problem in path.account([file], path.carry([file]))]
        found += [Finding(problem, (file,)) for file in guilty] or [Finding(problem, tuple(files))]
    ids = [file_id for _, became in alone for file_id in became.bronze["file_id"]]
    for name, frame in together.frames.items():
        if name == "merged":
            continue
        parts = pl.concat([frame.clear(), *(became.frames[name] for _, became in alone)])
        if not _sorted(frame.filter(pl.col("file_id").is_in(ids))).equals(_sorted(parts)):
            found.append(Finding(f"{name} of files together differ from those alone", tuple(files)))
    return found


def _fewest(path: Path, files: Sequence[File]) -> tuple[File, ...]:
    """Few files that still break a batch: halves are dropped as long as one of them breaks."""
    fewest = tuple(files)
    while len(fewest) > 1:
        half = len(fewest) // 2
        for part in (fewest[:half], fewest[half:]):
            try:
                path.carry(part)
            except Exception:
                fewest = part
                break
        else:
            return fewest
    return fewest


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort([name for name, dtype in frame.schema.items() if dtype != pl.List(pl.String)])


def _by_file(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame.group_by("file_id").len().iter_rows())


def _account_bronze(files: Sequence[File], became: Outcome) -> Iterator[str]:
    """Every file is landed with its exact bytes, or counted as foreign; every landed one has its status."""
    if sum(became.counts.values()) != len(files):
        yield "landing counts other files than it was given"
    landed = became.counts.get("landed", 0)
    given = {(file.name, file.content) for file in files}
    if not landed == became.bronze.height == len(set(became.bronze["file_id"])):
        yield "bronze has other rows than landing counts"
    if not set(became.bronze.select("name", "content").iter_rows()) <= given:
        yield "bronze bytes are not those received"
    if sorted(became.frames["files"]["file_id"]) != sorted(became.bronze["file_id"]):
        yield "a landed file has no status, or more than one"


def _account_table(table: Table, frame: pl.DataFrame) -> Iterator[str]:
    """A frame can be written as its table: columns, values where they must be, one row a key."""
    if frame.schema != table.schema:
        yield f"{table.id} has other columns"
        return
    if any(frame[column.name].null_count() for column in table.columns if not column.nullable):
        yield f"{table.id} has nulls where none may be"
    if frame.select(table.primary_key).is_duplicated().any():
        yield f"{table.id} has two rows of one key"


def _account_texts(became: Outcome) -> Iterator[str]:
    """Known reasons, and no feed user in any text that leaves bronze."""
    if not set(became.frames["rejects"]["reason"]) <= REJECT_REASONS.keys() | QUARANTINE_REASONS.keys():
        yield "a reject has a reason that nobody knows"
    for name, frame in became.frames.items():
        texts = chain.from_iterable(
            frame[column].drop_nulls().unique()
            for column in frame.select(pl.col(pl.String)).columns
            # Flattened events still have the file's name; merged ones do not.
            if column != "name"
        )
        if any(user.lower() in text.lower() for text in texts for user in _USERS):
            yield f"{name} hold a feed user"


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, those of a key that stands twice included."""


_Said = tuple[str, str, int, str]
"""Category, room, place and field of a value, as they leave bronze."""


def _values_in(content: bytes) -> tuple[int, int] | None:
    """The fewest and the most values that a file states, counted on its own parse.

    Equal values of one place need no word, so that places are the fewest. None where Python's parser refuses
    the file.
    """
    try:
        document = json.loads(content, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, _Pairs):
        document = document[0]
    if [key for key, _ in document] == ["0"] and isinstance(document[0][1], _Pairs):
        document = document[0][1]
    said = [
        place
        for category, rooms in document
        if category not in _HEADER
        for place in _values_of(category, rooms)
    ]
    names = {tuple(_plain(str(part)) for part in place) for place in said}
    return len(names), len(said) + _repeated(document)


def _repeated(node: Any) -> int:
    """How many keys stand in an object again: within a value, what they replace is told beside the value."""
    if isinstance(node, _Pairs):
        return len(node) - len({key for key, _ in node}) + sum(_repeated(value) for _, value in node)
    return sum(map(_repeated, node)) if isinstance(node, list) else 0


def _values_of(category: str, rooms: Any) -> Iterator[_Said]:
    """The places of a category's values."""
    listed = _items(rooms, below=True) if category in CATEGORIES else None
    for _, part in [(0, rooms)] if listed is None else listed:
        if not isinstance(part, _Pairs):
            if part != [] or listed is None:
                yield category, "", 0, ""
            continue
        for room, device in part:
            inner = [(0, device)] if isinstance(device, _Pairs) else _items(device) or []
            if (
                category == "meteos"
                and room.strip().lower() == "meteo"
                and inner
                and all(map(_is_rooms, inner))
            ):
                for _, stations in inner:
                    for name, station in stations:
                        yield from _values_of_room(category, name, station)
            else:
                yield from _values_of_room(category, room, device)


def _values_of_room(category: str, room: str, device: Any) -> Iterator[_Said]:
    items = _items(device)
    for place, item in [(1, device)] if items is None else items:
        only = _items(item)
        part = only[0][1] if only and len(only) == 1 and isinstance(only[0][1], _Pairs) else item
        if isinstance(part, _Pairs):
            yield from ((category, room, place, name) for name, _ in part)
        elif part != []:
            yield category, room, place, ""


def _is_rooms(item: tuple[int, Any]) -> bool:
    node = item[1]
    return isinstance(node, _Pairs) and (
        any(isinstance(value, _Pairs | list) for _, value in node)
        or not any(f"meteos.{key}" in VARIABLES for key, _ in node)
    )


def _items(node: Any, *, below: bool = False) -> list[tuple[int, Any]] | None:
    """Items of a list, or of an object that is one. below: of rooms, whose devices lie a level deeper."""
    if not isinstance(node, _Pairs):
        return list(enumerate(node, 1)) if isinstance(node, list) else None
    numbered = all(key.isascii() and key.isdecimal() and str(int(key)) == key for key, _ in node)
    deep = any(isinstance(value, list) for _, value in node)
    if below:
        deep = all(
            isinstance(value, _Pairs) and _items(value) is None and any(isinstance(v, list) for _, v in value)
            for _, value in node
        )
    return [(int(key) + 1, value) for key, value in node] if node and numbered and deep else None


def _plain(name: str) -> str:
    """What all spellings of a name have in common, hidden ones as well."""
    return " ".join(unicodedata.normalize("NFKC", _UNSEEN.sub("", name)).casefold().split())


_UNSEEN = re.compile("[\u00ad\u200b\u200c\u200d\ufeff]")


def _plain_lines(content: bytes, issue: date) -> int:
    """How many distinct lines of a forecast need no leniency whatever to be read.

    None where the header is UTF-16, as then ASCII lines are damaged, or has other columns than they have.
    """
    header = content.removeprefix(BOM_UTF8).partition(b"\n")[0].decode(errors="replace")
    if header.strip().casefold() != "time,value,prediction,site,measurement,unit":
        return 0
    days = {str(issue), str(issue + timedelta(days=1))}
    keys = set()
    for line in content.split(b"\n")[1:]:
        found = _PLAIN_LINE.fullmatch(line.decode(errors="replace"))
        if found is not None and found[2] in days:
            keys.add((found[1], *found.groups()[2:]))
    return len(keys)
