"""Writes Gold's minute facts from Silver, window by window."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.flows import kinds
from domotic_assets.domains.homes.flows.energy_context import read_context
from domotic_assets.domains.homes.flows.reading import COUNTING
from domotic_assets.domains.homes.gold import energy, rooms
from domotic_assets.domains.homes.gold.places import placed
from domotic_assets.flow.pieces import cut
from domotic_assets.flow.prefetch import prefetch
from domotic_assets.flow.reading import read_within
from domotic_assets.flow.windows import Window, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import MINUTE
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import UTC_TIME, Table
from domotic_assets.star.keys import datetime_key, time_of_key

HOME_MINUTES_PER_PIECE = 12_000
"""Files whose events are held in memory together: four days of two homes, twelve minutes of a thousand."""

_ROOM_COLUMNS = ["ts", "device", "variable", "value", "value_text"]

Rebuild = Callable[[Workspace, pl.Series, pl.Series], tuple[pl.DataFrame, pl.Series]]
"""Computes the rows of a piece and the minutes that they replace, from the minutes of piece and run."""


def energy_facts(work: Workspace, windows: Sequence[Window]) -> int:
    """Write gold/fact_energy_minute of these windows and of readings they affect; returns the row count."""
    return _minute_facts(work, windows, gold.FACT_ENERGY_MINUTE, _energy)


def environment_facts(work: Workspace, windows: Sequence[Window]) -> int:
    """Write gold/fact_environment_minute of these windows; returns the row count."""
    return _minute_facts(work, windows, gold.FACT_ENVIRONMENT_MINUTE, _environment)


def presence_facts(work: Workspace, windows: Sequence[Window]) -> int:
    """Write gold/fact_presence_minute of these windows; returns the row count.

    Later minutes in which presence still holds are written too where they change.
    """
    return _minute_facts(work, windows, gold.FACT_PRESENCE_MINUTE, _presence)


def touched_minutes(work: Workspace, windows: Sequence[Window]) -> pl.DataFrame:
    """List the minutes (UTC) and homes whose facts may change with the files of these windows.

    Listed are the minute of readings of every file version, whatever its status, and also its window where
    the two differ. A superseded version counts too, as its readings may have been in the facts before. For a
    file in the repeated autumn hour, the minutes an hour before and after are listed as well: a later arrival
    of the same bytes can move it to the other pass, and its old minute must be rebuilt. Columns: minute, home
    (null if unknown); one row a pair.
    """
    columns = ["window", "minute", "home", "time_note"]
    files = read_within(work, silver.SENSOR_FILES, "window", windows, columns)
    repeated = files.filter(pl.col("time_note") == "repeated_in_autumn")
    # The minute of nearly every file is its window.
    elsewhere = files.filter(pl.col("window").ne_missing(pl.col("minute")))
    return (
        pl.concat(
            [
                files.select("minute", "home"),
                elsewhere.select(minute="window", home="home"),
                *(repeated.select(pl.col("minute").dt.offset_by(by), "home") for by in ("-1h", "1h")),
            ]
        )
        .drop_nulls("minute")
        .unique()
    )


def _minute_facts(work: Workspace, windows: Sequence[Window], table: Table, rebuild: Rebuild) -> int:
    """Write a minute fact of these windows and of what they affect, piece by piece; returns the row count.

    rebuild: computes the rows of a piece, and the minutes that they replace. The table exists afterwards,
    also without a row: a feed may lack what it is made of.
    """
    touched = _with_left_rows(work, table, windows, touched_minutes(work, windows))
    all_minutes = touched["minute"].unique().sort()
    written = 0
    pieces = _pieces(touched)
    rebuilt = (rebuild(work, minutes, all_minutes) for minutes in pieces)
    # Energy reads Gold, so each of its pieces is written before the next one is computed.
    in_turn = rebuilt if table is gold.FACT_ENERGY_MINUTE else prefetch(rebuilt)
    for number, (rows, replaced) in enumerate(in_turn, 1):
        work.lake.replace_values(table, rows, "datetime_key", _keys(replaced), replaced.dt.date())
        written += rows.height
        work.report(table.id, number, len(pieces))
    work.lake.create(table)
    return written


def _with_left_rows(
    work: Workspace, table: Table, windows: Sequence[Window], touched: pl.DataFrame
) -> pl.DataFrame:
    """Add the minutes of a fact's rows that no file of these windows is of any more.

    A file whose time is judged otherwise than before leaves such rows; its days are built whole then.
    touched: columns minute and home.
    """
    days = [window for window in windows if window.end - window.start >= timedelta(days=1)]
    if not days:
        return touched
    dates = sorted({window.start.date() for window in days} & set(work.lake.dates(table)))
    if not dates:
        return touched
    held = _minutes_of(work.lake.read(table, dates=dates, columns=["datetime_key"])["datetime_key"].unique())
    left = held.filter(~held.is_in(touched["minute"].implode()))
    return pl.concat([touched, left.to_frame("minute").with_columns(home=pl.lit(None, pl.String))])


def _pieces(touched: pl.DataFrame) -> list[pl.Series]:
    """Cut the minutes, in order, by number of files and at gaps of over a day, where context costs much."""
    counted = touched.group_by("minute").len().sort("minute")
    gap = (pl.col("minute").diff() > timedelta(days=1)).fill_null(False)
    pieces: list[pl.Series] = []
    for stretch in counted.with_columns(stretch=gap.cum_sum()).partition_by("stretch", maintain_order=True):
        if stretch["len"].sum() <= HOME_MINUTES_PER_PIECE:
            pieces.append(stretch["minute"])
            continue
        cuts = cut(stretch.select("minute", "len").iter_rows(), HOME_MINUTES_PER_PIECE)
        pieces += [pl.Series([minute for minute, _ in piece], dtype=UTC_TIME) for piece in cuts]
    return pieces


def _environment(work: Workspace, minutes: pl.Series, run: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Compute FACT_ENVIRONMENT_MINUTE rows of these minutes; returns them and the minutes they replace.

    run: those of all pieces. Other minutes whose openings hang on a word in these are included.
    """
    columns, where = [*_ROOM_COLUMNS, "is_outlier"], rooms.of_environment()
    events = _events_between(work, _first(minutes), _last(minutes) + kinds.AHEAD, where, columns)
    theirs = events["ts"].is_in(minutes.implode())
    by_place = placed(events.filter(theirs), _silent_devices(work, minutes))
    opened = rooms.openings(by_place.events)
    lacking = kinds.hanging_on(
        work, events if rooms.lack_kind(opened) else events.filter(~theirs), minutes, run
    )
    if lacking.is_empty():
        return rooms.environment_of(by_place, opened, work.registry), minutes
    minutes = pl.concat([minutes, lacking["ts"]]).unique().sort()
    events = _events_between(work, _first(minutes), _last(minutes), where, columns)
    events = kinds.completed(work, events)
    chosen = events.filter(pl.col("ts").is_in(minutes.implode()))
    return rooms.environment_minutes(chosen, _silent_devices(work, minutes), work.registry), minutes


def _presence(work: Workspace, minutes: pl.Series, run: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Compute FACT_PRESENCE_MINUTE rows of a piece; returns them and the minutes that they replace.

    minutes: those of the piece. run: those of all pieces. Other minutes whose doors hang on a word in these
    are included, and later ones in which presence still holds where their rows differ from Gold's, unless
    another piece of the run rebuilds them.
    """
    hold = work.registry.settings.presence_hold_minutes
    wanted = pl.col("variable").is_in([rooms.MOTION_VARIABLE, *rooms.OPENING_VARIABLES])
    before, after = timedelta(minutes=hold - 1), max(timedelta(minutes=hold - 1), kinds.AHEAD)
    events = _events_between(work, _first(minutes) - before, _last(minutes) + after, wanted, _ROOM_COLUMNS)
    lacking = kinds.hanging_on(work, events, minutes, run)
    if not lacking.is_empty():
        minutes = pl.concat([minutes, lacking["ts"]]).unique().sort()
        events = _events_between(
            work, _first(minutes) - before, _last(minutes) + after, wanted, _ROOM_COLUMNS
        )
        events = kinds.completed(work, events)
    reached = rooms.reach_of_presence(minutes, hold)
    # Minutes of the same run are rebuilt in their own piece.
    rebuilt = reached.filter(reached.is_in(minutes.implode()) | ~reached.is_in(run.implode()))
    rows = rooms.presence_minutes(events, rebuilt, work.registry)
    beyond = _keys(rebuilt.filter(~rebuilt.is_in(minutes.implode())))
    held = _held(work, gold.FACT_PRESENCE_MINUTE, beyond)
    inside = ~pl.col("datetime_key").is_in(beyond.implode())
    return _replacing(rows.filter(inside), minutes, rows.filter(~inside), held)


def _energy(work: Workspace, minutes: pl.Series, run: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Compute FACT_ENERGY_MINUTE rows of a piece; returns them and the minutes that they replace.

    minutes: those of the piece. run: those of all pieces. Other minutes with readings that a change in the
    piece affects are included where their rows differ from Gold's, unless another piece of the run rebuilds
    them.
    """
    context = read_context(work, _first(minutes), _last(minutes))
    rows = energy.energy_minutes(
        context.events, context.plugs, context.marked, minutes, context.reach, work.registry
    )
    inside = pl.col("datetime_key").is_in(_keys(minutes).implode())
    others = pl.col("datetime_key").is_in(_keys(run).implode())
    reached = rows.filter(~inside, ~others)
    # Rows outside the minutes are of single devices; rows of other devices in those minutes are kept.
    held = _held(work, gold.FACT_ENERGY_MINUTE, reached["datetime_key"].unique())
    beside = held.join(reached, on=["datetime_key", "device_key"], how="anti")
    return _replacing(rows.filter(inside), minutes, pl.concat([reached, beside]), held)


def _replacing(
    rows: pl.DataFrame, minutes: pl.Series, reached: pl.DataFrame, held: pl.DataFrame
) -> tuple[pl.DataFrame, pl.Series]:
    """Combine rows of a piece with those it changes in other minutes; returns rows and minutes replaced.

    rows, minutes: those of the piece. reached: new rows in the other minutes. held: what Gold holds of those
    minutes. Of these only minutes that differ are written, as each one written rewrites the file of its day.
    """
    both = pl.concat([reached, held])
    changed = both.filter(both.is_unique())["datetime_key"].unique()
    reached = reached.filter(pl.col("datetime_key").is_in(changed.implode()))
    return pl.concat([rows, reached]), pl.concat([minutes, _minutes_of(changed)]).unique().sort()


def _held(work: Workspace, table: Table, keys: pl.Series) -> pl.DataFrame:
    """Read what Gold holds of the minutes with these keys."""
    if keys.is_empty():
        return table.empty()
    return work.lake.read(
        table,
        dates=_minutes_of(keys).dt.date().unique(),
        between=("datetime_key", keys.min(), keys.max()),
        where=pl.col("datetime_key").is_in(keys.implode()),
    )


def _minutes_of(keys: pl.Series) -> pl.Series:
    """Compute the minute of each datetime_key."""
    return keys.to_frame("datetime_key").select(time_of_key("datetime_key")).to_series().rename("ts")


def _keys(minutes: pl.Series) -> pl.Series:
    """Compute the datetime_key of each minute."""
    return pl.DataFrame({"ts": minutes}, schema={"ts": UTC_TIME}).select(datetime_key()).to_series()


def _events_between(
    work: Workspace, first: datetime, last: datetime, where: pl.Expr, columns: Sequence[str]
) -> pl.DataFrame:
    """Read silver/sensor_events that meet `where`, from minute `first` to minute `last`, both included."""
    span = Window(first, last + MINUTE)
    return read_within(work, silver.SENSOR_EVENTS, "ts", [span], columns, where)


def _silent_devices(work: Workspace, minutes: pl.Series) -> pl.DataFrame:
    """Read ts and device of devices that a counting file of these minutes names without a reading."""
    files = work.lake.read(
        silver.SENSOR_FILES,
        between=("minute", minutes.min(), minutes.max()),
        where=pl.col("status").is_in(COUNTING) & (pl.col("silent_devices").list.len() > 0),
        columns=["minute", "silent_devices"],
    )
    named = files.filter(pl.col("minute").is_in(minutes.implode())).explode("silent_devices")
    return named.select(ts="minute", device="silent_devices")


def _first(minutes: pl.Series) -> datetime:
    """Return the earliest of the minutes."""
    return minutes.min()  # type: ignore[return-value]


def _last(minutes: pl.Series) -> datetime:
    """Return the latest of the minutes."""
    return minutes.max()  # type: ignore[return-value]


def days_without_gold(work: Workspace) -> list[Window]:
    """List the UTC days with Silver events if a minute fact table does not exist; else none.

    A table that exists may be empty, or lack days: then the feed has nothing for it.
    """
    facts = (gold.FACT_ENERGY_MINUTE, gold.FACT_ENVIRONMENT_MINUTE, gold.FACT_PRESENCE_MINUTE)
    if all(work.lake.version(table) is not None for table in facts):
        return []
    return [date_window(day) for day in work.lake.dates(silver.SENSOR_EVENTS)]
