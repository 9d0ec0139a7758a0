"""The sensor feed from the share to Silver, window by window. Plain functions; Dagster calls them.

Each step takes windows, works through them in pieces that fit the memory, and may be repeated.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.bronze.landing import File, Landing, is_sensor_name, versions
from domotic_assets.bronze.naming import NameReader, arrival, read_sensor_name
from domotic_assets.localtime import MINUTE
from domotic_assets.orchestration.windows import Window, spans
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.schemas import bronze, silver
from domotic_assets.silver.events import device_types, devices, merge, variables
from domotic_assets.silver.flatten import flatten
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.folder import MAX_FILE_BYTES, FolderPosition, FolderSource

FILES_PER_BATCH = 6_000
"""Files held in memory at once: about 25 MB of bytes and 400,000 events."""

COUNTING = ("loaded", "partial")
"""Statuses of the file versions whose readings count."""

_HELD = ("name", "window", "file_id", "arrived_at", "modified_at", "size_bytes")


@dataclass
class Outcome:
    """What a step did: counts by name, for metadata and people."""

    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Discovery:
    """What the share holds that bronze does not: the minutes concerned, and names left where they are."""

    minutes: list[datetime]
    files: int
    left: Counter[str]


def discover_sensor_files(work: Workspace) -> Discovery:
    """List the share and compare with bronze; nothing is written."""
    source = FolderSource(work.sites.address(work.registry.sources.sensor_files))
    now = datetime.now(UTC)
    known = _known_entries(work)
    names = NameReader(work.registry.home_of_user(), work.registry.history_start)
    minutes: set[datetime] = set()
    left: Counter[str] = Counter()
    odd: list[Entry] = []
    files = 0
    for entry in source.entries():
        if entry in known:
            continue
        if not is_sensor_name(entry.name):
            left["foreign name"] += 1
        elif entry.size_bytes > MAX_FILE_BYTES:
            left["too large"] += 1
        elif names.home(entry.name) is not None:
            files += 1
            minutes.update(names.possible_windows(entry.name, arrival(entry.modified_at, now)))
        elif read_sensor_name(entry.name) is not None:
            left["foreign user"] += 1
        else:
            odd.append(entry)
    # A name that says nothing: only a look inside tells whether a home sent it.
    chosen = frozenset(odd)
    batch = FolderSource(source.folder, chosen.__contains__).pull(FolderPosition(known), max(len(odd), 1))
    nothing = bronze.SENSOR_FILES.empty().select(_HELD[:4])
    landed = Landing(work.registry, nothing, now).land(_files(batch.items))
    left.update({what: n for what, n in landed.counts.items() if what.startswith("foreign")})
    minutes.update(landed.rows["window"].to_list())
    return Discovery(sorted(minutes), files + landed.rows.height, left)


def land_sensor_files(work: Workspace, windows: Sequence[Window]) -> Outcome:
    """Share → bronze/sensor_files: append every file version of these windows that bronze does not hold."""
    outcome = Outcome()
    now = datetime.now(UTC)
    names = NameReader(work.registry.home_of_user(), work.registry.history_start)
    wanted = spans(windows)

    def accept(entry: Entry) -> bool:
        if not is_sensor_name(entry.name):
            return False
        return any(
            start <= minute < end
            for minute in names.possible_windows(entry.name, arrival(entry.modified_at, now))
            for start, end in wanted
        )

    source = FolderSource(work.sites.address(work.registry.sources.sensor_files), accept)
    held = work.lake.read(bronze.SENSOR_FILES, columns=_HELD)
    landing = Landing(work.registry, held.select(_HELD[:4]), now)
    position = FolderPosition(_entries(held))
    done = 0
    while True:
        batch = source.pull(position, FILES_PER_BATCH)
        landed = landing.land(_files(batch.items))
        work.lake.append(bronze.SENSOR_FILES, landed.rows)
        outcome.counts.update(landed.counts)
        position = batch.position
        done += len(batch.items)
        work.report("bronze/sensor_files", done, done + len(position.waiting or ()))
        if not batch.more:
            return outcome


def flatten_sensor_files(work: Workspace, windows: Sequence[Window]) -> Outcome:
    """Bronze → silver events, definitions, rejects and file statuses of these windows.

    Every minute that their files (and the versions they replace) touch is rebuilt from all bronze
    files that have it, and replaced whole; silver/sensor_files comes last, as it says what is done.
    """
    outcome = Outcome()
    pieces = _pieces(work, windows)
    total = sum(files for _, files in pieces)
    done = 0
    for within, files in pieces:
        _flatten_piece(work, within, outcome)
        done += files
        work.report("silver/sensor_events", done, total)
    return outcome


def unflattened_minutes(work: Workspace) -> list[datetime]:
    """Windows of bronze file versions that silver has not taken in at their latest arrival."""
    on = ["file_id", "window", "arrived_at"]
    landed = work.lake.read(bronze.SENSOR_FILES, columns=on).group_by(on[:2]).agg(pl.col("arrived_at").max())
    taken = work.lake.read(silver.SENSOR_FILES, columns=on)
    return landed.join(taken, on=on, how="anti")["window"].unique().to_list()


def within(column: str, windows: Iterable[Window]) -> pl.Expr:
    """Whether a column of minutes lies in one of the windows."""
    return pl.any_horizontal(
        pl.lit(False),
        *(pl.col(column).is_between(start, end, closed="left") for start, end in spans(windows)),
    )


def utc_dates(windows: Iterable[Window]) -> list[date]:
    """The UTC dates that the windows touch."""
    days: set[date] = set()
    for start, end in spans(windows):
        number = ((end - MINUTE).date() - start.date()).days + 1
        days.update(start.date() + timedelta(days=offset) for offset in range(number))
    return sorted(days)


def _pieces(work: Workspace, windows: Sequence[Window]) -> list[tuple[Window, int]]:
    """Consecutive pieces of the windows, of about FILES_PER_BATCH bronze rows each."""
    rows = work.lake.read(
        bronze.SENSOR_FILES,
        dates=utc_dates(windows),
        where=within("window", windows),
        columns=["window"],
    )
    pieces: list[tuple[Window, int]] = []
    for start, end in spans(windows):
        inside = rows.filter(pl.col("window").is_between(start, end, closed="left"))
        first, files = start, 0
        for minute, number in inside.group_by("window").len().sort("window").iter_rows():
            if files and files + number > FILES_PER_BATCH:
                pieces.append((Window(first, minute), files))
                first, files = minute, 0
            files += number
        if files:
            pieces.append((Window(first, end), files))
    return pieces


def _flatten_piece(work: Workspace, piece: Window, outcome: Outcome) -> None:
    dates, inside = utc_dates([piece]), within("window", [piece])
    flat = flatten(versions(work.lake.read(bronze.SENSOR_FILES, dates=dates, where=inside)), work.registry)
    before = work.lake.read(silver.SENSOR_FILES, dates=dates, where=inside, columns=["minute"])
    minutes = (
        pl.concat([flat.files["window"], flat.files["minute"], before["minute"]]).drop_nulls().unique().sort()
    )
    events = merge(pl.concat([flat.events, _events_of_other_windows(work, piece, minutes)]))
    dates_of_minutes = minutes.dt.date()
    work.lake.replace_values(silver.SENSOR_EVENTS, events, "ts", minutes, dates_of_minutes)
    _register_definitions(work, dates_of_minutes.unique().sort().to_list())
    windows = flat.files["window"].unique().sort()
    work.lake.replace_values(silver.REJECTS, flat.rejects, "window", windows, windows.dt.date())
    work.lake.replace_values(silver.SENSOR_FILES, flat.files, "window", windows, windows.dt.date())
    outcome.counts.update(dict(flat.files.group_by("status").len().iter_rows()))
    outcome.counts.update(
        events=events.height, rejects=flat.rejects.height, nulls=int(flat.files["nulls"].sum())
    )


def _events_of_other_windows(work: Workspace, piece: Window, minutes: pl.Series) -> pl.DataFrame:
    """Events of these minutes that come from files whose own window lies elsewhere."""
    elsewhere = work.lake.read(
        silver.SENSOR_FILES,
        where=pl.col("minute").is_between(minutes.min(), minutes.max())
        & pl.col("minute").is_in(minutes.implode())
        & pl.col("status").is_in(COUNTING)
        & ~within("window", [piece]),
        columns=["file_id", "window", "utc_date"],
    )
    rows = work.lake.read(
        bronze.SENSOR_FILES,
        dates=elsewhere["utc_date"].unique().to_list(),
        where=pl.col("file_id").is_in(elsewhere["file_id"].unique().implode()),
    ).join(elsewhere.select("file_id", "window"), on=["file_id", "window"], how="semi")
    events = flatten(versions(rows), work.registry).events
    return events.filter(pl.col("ts").is_in(minutes.implode()))


def _register_definitions(work: Workspace, dates: list[date]) -> None:
    """Devices, variables and device types of whole UTC dates, read off their events."""
    columns = ["ts", "home", "room", "device", "variable", "value_text", "utc_date"]
    events = work.lake.read(silver.SENSOR_EVENTS, dates=dates, columns=columns)
    seen = devices(events)
    work.lake.replace_dates(silver.DEVICES, seen, dates)
    work.lake.replace_dates(silver.VARIABLES, variables(events), dates)
    work.lake.replace_dates(silver.DEVICE_TYPES, device_types(seen), dates)


def _known_entries(work: Workspace) -> frozenset[Entry]:
    return _entries(work.lake.read(bronze.SENSOR_FILES, columns=["name", "size_bytes", "modified_at"]))


def _entries(held: pl.DataFrame) -> frozenset[Entry]:
    return frozenset(
        Entry(name, size, modified)
        for name, size, modified in held.select("name", "size_bytes", "modified_at").iter_rows()
    )


def _files(payloads: Iterable[Payload]) -> list[File]:
    return [File(p.entry.name, p.entry.size_bytes, p.entry.modified_at, p.content) for p in payloads]
