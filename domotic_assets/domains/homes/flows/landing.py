"""Lands sensor files: finds what the share holds and Bronze lacks, and appends it, window by window.

A step works through its windows in pieces that fit in memory, and may be repeated.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.bronze.landing import (
    BEFORE_HISTORY,
    IN_FUTURE,
    Landing,
    is_sensor_name,
    latest_window,
)
from domotic_assets.domains.homes.bronze.names import NameReader, is_regular, name_patterns
from domotic_assets.flow.flow import Outcome
from domotic_assets.flow.pieces import FILES_AT_ONCE, membership, spans, within
from domotic_assets.flow.prefetch import prefetch
from domotic_assets.flow.reading import read_within
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.files import Landed
from domotic_assets.schemas.homes import bronze
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files.folders import (
    EVERYTHING,
    MAX_FILE_BYTES,
    FileFolder,
    FilePosition,
    FileSource,
    as_entries,
    as_rows,
    texts,
    unknown,
)

SOURCE = "sensor_files"
"""The source in sites.yaml of the homes' files."""

SETTLE = timedelta(seconds=2)
"""A file written more recently is left for the next look. A slower sender costs one more version: its
incomplete file is quarantined, and the completed file, being another version, is loaded."""

_HELD = ("name", "window", "file_id", "arrived_at", "modified_at", "size_bytes")


@dataclass(frozen=True)
class Discovery:
    """Files that the share holds and Bronze lacks, and names that were skipped.

    rows: `folders.as_rows` with `window`; one row for each minute that a file may belong to. irregular:
    minutes of files that only a whole listing shows. left: number of skipped names by reason. listed: number
    of names looked at.
    """

    rows: pl.DataFrame
    irregular: frozenset[datetime]
    left: Counter[str]
    listed: int

    @property
    def minutes(self) -> Counter[datetime]:
        """Number of new files by minute."""
        return Counter(dict(self.rows.group_by("window").len().iter_rows()))

    @property
    def files(self) -> int:
        """Number of new files; one that may belong to two minutes counts twice."""
        return self.rows.height


def discover_sensor_files(
    work: Workspace, spans_of_time: Sequence[tuple[datetime, datetime]] | None = None
) -> Discovery:
    """List the share and compare it with Bronze; writes nothing.

    spans_of_time: list only the names that homes give to minutes of these [start, end) spans; None for all.
    """
    now = work.now()
    share = _share(work)
    listed = share.listing(_patterns(work, spans_of_time))
    names = NameReader(work.registry.home_of_user(), work.registry.history_start)
    new = unknown(listed, _held(work, spans_of_time))
    plain = _plain_windows(names, new, now)
    windows: list[datetime] = []
    found: list[Entry] = []
    left: Counter[str] = Counter(share.refused)
    odd: list[Entry] = []
    for entry in as_entries(new.filter(plain.is_null())):
        named = names.read(entry.name)
        if not is_sensor_name(entry.name):
            left["foreign name"] += 1
        elif entry.size_bytes > MAX_FILE_BYTES:
            left["too large"] += 1
        elif named.user is not None and named.home is None:
            left["foreign user"] += 1
        elif is_settling(entry, now):
            left["still being written"] += 1
        elif names.is_before_history(named, entry.modified_at):
            left[BEFORE_HISTORY] += 1
        elif (possible := names.windows_listed(named, entry.modified_at)) and possible == named.minutes:
            if possible[-1] > latest_window(now):
                left[IN_FUTURE] += 1
                continue
            windows += possible
            found += [entry] * len(possible)
        else:
            odd.append(entry)
    # Only a look inside tells which home sent a file of another name, or which time it is of.
    inside, more = _looked_into(work, odd, now)
    left += more
    windows += [window for _, window in inside]
    found += [entry for entry, _ in inside]
    readings = (names.read(entry.name) for entry in found)
    irregular = {at for named, at in zip(readings, windows, strict=True) if not is_regular(named, at)}
    others = as_rows(found).with_columns(pl.Series("window", windows, dtype=UTC_TIME))
    rows = pl.concat([new.with_columns(plain).drop_nulls("window"), others])
    return Discovery(rows, frozenset(irregular), left, listed.height)


def _looked_into(
    work: Workspace, entries: Sequence[Entry], now: datetime
) -> tuple[list[tuple[Entry, datetime]], Counter[str]]:
    """Read files whose names leave home or window open: each with its window, and counts of those left."""
    nothing = bronze.SENSOR_FILES.empty().select(_HELD[:4])
    found: list[tuple[Entry, datetime]] = []
    left: Counter[str] = Counter()
    for start in range(0, len(entries), FILES_AT_ONCE):
        part = {entry.name: entry for entry in entries[start : start + FILES_AT_ONCE]}
        landed = Landing(work.registry, nothing, now).land(_share(work).read([*part.values()]))
        left.update({what: number for what, number in landed.counts.items() if what != "landed"})
        found += [(part[name], window) for name, window in landed.rows.select("name", "window").iter_rows()]
    return found, left


def _share(work: Workspace) -> FileFolder:
    """Return the folder of the homes' files; the registry refuses a sites.yaml without it."""
    share = work.folder(SOURCE)
    assert share is not None
    return share


def _plain_windows(names: NameReader, rows: pl.DataFrame, now: datetime) -> pl.Series:
    """Find the minute of each listed file that is complete and has a plain name; null for all others."""
    written = rows["modified_at"]
    window = names.plain(texts(rows["name"]), written)["window"]
    doubtful = written.is_between(now - SETTLE, now, closed="right") | (rows["size_bytes"] > MAX_FILE_BYTES)
    return window.set(doubtful | (window > latest_window(now)).fill_null(False), None)


def is_settling(entry: Entry, now: datetime) -> bool:
    """Return whether a file was written less than SETTLE ago, so that its sender may not be done with it."""
    return now - SETTLE < entry.modified_at <= now


def land_sensor_files(work: Workspace, windows: Sequence[Window], *, by_name: bool = False) -> Outcome:
    """Append to bronze/sensor_files every file version of these windows that Bronze lacks.

    If the listing cache holds these windows, nothing is listed. If not, by_name says how: True lists only the
    names that homes give to files of these windows; False lists the whole share.
    """
    outcome = Outcome()
    now = work.now()
    source, position = _source(work, windows, now, by_name=by_name)
    landing = Landing(work.registry, position.known.select(_HELD[:4]), now)
    done = 0
    for landed, waiting in prefetch(_landed(source, landing, position)):
        work.lake.append(bronze.SENSOR_FILES, landed.rows)
        outcome.counts.update(landed.counts)
        done += landed.counts.total()
        work.report("bronze/sensor_files", done, done + waiting)
    return outcome


def _source(
    work: Workspace, windows: Sequence[Window], now: datetime, *, by_name: bool
) -> tuple[FileSource, FilePosition]:
    """Return a source of these windows' files, and the position with what Bronze holds of their names."""
    found = work.listing_cache.take(windows)
    if found is not None:
        named = found["name"].cast(pl.String()).implode()
        held = work.lake.read(bronze.SENSOR_FILES, where=pl.col("name").is_in(named), columns=_HELD)
        return FileSource(_share(work)), FilePosition(held, unknown(found, held))
    names = NameReader(work.registry.home_of_user(), work.registry.history_start)
    wanted = spans(windows)
    is_wanted = membership(wanted)

    def accepts(entry: Entry) -> bool:
        if not is_sensor_name(entry.name) or is_settling(entry, now):
            return False
        named = names.read(entry.name)
        possible = names.windows_listed(named, entry.modified_at)
        # Its content tells where these say nothing, or nothing but a last write that has not come yet.
        is_told = bool(possible) and (bool(names.minutes(named)) or possible[-1] <= latest_window(now))
        return not is_told or any(map(is_wanted, possible))

    def accept(rows: pl.DataFrame) -> pl.DataFrame:
        plain = _plain_windows(names, rows, now)
        accepted = plain.to_frame().select(within("window", windows)).to_series()
        odd = plain.is_null()
        return rows.filter(accepted.scatter(odd.arg_true(), [*map(accepts, as_entries(rows.filter(odd)))]))

    listed = wanted if by_name else None
    source = FileSource(_share(work), accept, _patterns(work, listed))
    return source, FilePosition(_held(work, listed))


def _landed(source: FileSource, landing: Landing, position: FilePosition) -> Iterator[tuple[Landed, int]]:
    """Yield the source batch by batch as bronze rows, each with the number of files that remain."""
    while True:
        batch = source.pull(position, FILES_AT_ONCE)
        position = batch.position
        yield landing.land(batch.items), position.left
        if not batch.more:
            return


def _patterns(work: Workspace, spans_of_time: Sequence[tuple[datetime, datetime]] | None) -> Sequence[str]:
    """Build patterns of the names to list for these [start, end) spans; EVERYTHING if the spans are None."""
    if spans_of_time is None:
        return EVERYTHING
    return name_patterns(spans_of_time, {home.clock_zone for home in work.registry.homes})


def _held(work: Workspace, spans_of_time: Sequence[tuple[datetime, datetime]] | None) -> pl.DataFrame:
    """Read what Bronze holds: all files, or those whose names the patterns of the spans may match."""
    if spans_of_time is None:
        return work.lake.read(bronze.SENSOR_FILES, columns=_HELD)
    wider = [
        Window(start - margin, end + margin)
        for start, end in spans_of_time
        # Patterns of hours match up to an hour more on both sides, and a clock may change; of days, a day.
        for margin in [timedelta(hours=3) if end - start < timedelta(hours=12) else timedelta(days=2)]
    ]
    return read_within(work, bronze.SENSOR_FILES, "window", wider, _HELD)


def homes_heard(work: Workspace, start: datetime, end: datetime) -> pl.DataFrame:
    """Read home and window of the files that Bronze holds of [start, end), one row per pair."""
    span = Window(start, end)
    held = read_within(work, bronze.SENSOR_FILES, "window", [span], ["home", "window"])
    return held.drop_nulls().unique()
