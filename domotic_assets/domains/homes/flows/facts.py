"""Writes Gold's minute facts from Silver, window by window."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.flows.reading import COUNTING
from domotic_assets.domains.homes.gold import energy, rooms
from domotic_assets.flow.pieces import cut
from domotic_assets.flow.prefetch import prefetch
from domotic_assets.flow.reading import read_within, utc_dates
from domotic_assets.flow.windows import Window, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import MINUTE
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import UTC_TIME, Table, surrogate_key
from domotic_assets.star.keys import datetime_key

HOME_MINUTES_PER_PIECE = 12_000
"""Files whose events are held in memory together: four days of two homes, twelve minutes of a thousand."""

USUAL_CONTEXT = timedelta(minutes=15)
"""Readings this far before and after a minute settle the counter level of nearly every plug."""

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

_ENERGY_COLUMNS = ["ts", "home", "room", "device", "variable", "value", "is_outlier"]

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

    rebuild: computes the rows of a piece, and the minutes that they replace.
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
    held = _moments(work.lake.read(table, dates=dates, columns=["datetime_key"])["datetime_key"].unique())
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


def _environment(work: Workspace, minutes: pl.Series, _run: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Compute FACT_ENVIRONMENT_MINUTE rows of these minutes; returns them and the minutes they replace."""
    events = _events(work, minutes, rooms.of_environment())
    silent = _silent_devices(work, minutes)
    return rooms.environment_minutes(events, silent, work.registry), minutes


def _presence(work: Workspace, minutes: pl.Series, run: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Compute FACT_PRESENCE_MINUTE rows of a piece; returns them and the minutes that they replace.

    minutes: those of the piece. run: those of all pieces. Later minutes in which presence still holds are
    included where their rows differ from Gold's, unless another piece of the run rebuilds them.
    """
    hold = work.registry.settings.presence_hold_minutes
    reached = rooms.reach_of_presence(minutes, hold)
    # Minutes of the same run are rebuilt in their own piece.
    rebuilt = reached.filter(reached.is_in(minutes.implode()) | ~reached.is_in(run.implode()))
    wanted = pl.col("variable").is_in([rooms.MOTION_VARIABLE, *rooms.OPENING_VARIABLES])
    first = _first(rebuilt) - timedelta(minutes=hold - 1)
    events = _events_between(work, first, _last(rebuilt), wanted, _ROOM_COLUMNS)
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
    first, last = _first(minutes), _last(minutes)
    events, plugs = _events_with_context(work, first, last)
    rows = energy.energy_minutes(events, plugs, minutes, first, last, work.registry)
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
    return pl.concat([rows, reached]), pl.concat([minutes, _moments(changed)]).unique().sort()


def _held(work: Workspace, table: Table, keys: pl.Series) -> pl.DataFrame:
    """Read what Gold holds of the minutes with these keys."""
    if keys.is_empty():
        return table.empty()
    return work.lake.read(
        table,
        dates=_moments(keys).dt.date().unique(),
        between=("datetime_key", keys.min(), keys.max()),
        where=pl.col("datetime_key").is_in(keys.implode()),
    )


def _keys(minutes: pl.Series) -> pl.Series:
    """Compute the datetime_key of each minute."""
    return pl.DataFrame({"ts": minutes}, schema={"ts": UTC_TIME}).select(datetime_key()).to_series()


def _moments(keys: pl.Series) -> pl.Series:
    """Compute the minute of each datetime_key."""
    return keys.cast(pl.String).str.to_datetime("%Y%m%d%H%M", time_unit="us", time_zone="UTC").rename("ts")


def _events_with_context(
    work: Workspace, first: datetime, last: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the energy events from `first` to `last`, both included, and those around that they depend on.

    Energy is a difference of counter readings, so each plug needs a valid reading before and after. For
    nearly every plug the minutes of USUAL_CONTEXT hold them. For the others the rest of the day is read, then
    the nearest days on which the plug was seen, until a valid reading is found. Returns the events, and the
    counter readings of plugs among them.
    """
    days = _plugs_reached(work, first, last)
    bound_w = work.registry.settings.plug_power_bound_w
    start, end = first - USUAL_CONTEXT, last + USUAL_CONTEXT
    wanted = pl.col("variable").is_in(energy.VARIABLES)
    events = _events_between(work, start, end, wanted, _ENERGY_COLUMNS)
    plugs = energy.plug_readings(events)
    early, late = energy.lacking_context(plugs, days, first, last, bound_w)
    if early:
        days |= _dates_of_plugs(work, None, pl.col("device").is_in(early))
    before = {plug: iter([day for day in reversed(days[plug]) if day <= first.date()]) for plug in days}
    after = {plug: iter([day for day in days[plug] if day >= last.date()]) for plug in days}
    while True:
        more = [
            *_next_days(work, early, before, (_EVER[0], start - MINUTE)),
            *_next_days(work, late, after, (end + MINUTE, _EVER[1])),
        ]
        if not more:
            return events, plugs
        if any(not found.is_empty() for found in more):
            events = pl.concat([events, *more])
            plugs = energy.plug_readings(events)
            early, late = energy.lacking_context(plugs, days, first, last, bound_w)


def _next_days(
    work: Workspace,
    plugs: Collection[str],
    days: Mapping[str, Iterator[date]],
    within: tuple[datetime, datetime],
) -> list[pl.DataFrame]:
    """Read the energy events of each plug's next day that lie in `within`; empty list if no day is left."""
    wanted = [(plug, day) for plug in plugs if (day := next(days[plug], None)) is not None]
    if not wanted:
        return []
    chosen = pl.DataFrame(wanted, schema={"device": pl.String, "day": pl.Date}, orient="row")
    events = work.lake.read(
        silver.SENSOR_EVENTS,
        dates=chosen["day"].unique(),
        between=("ts", *within),
        where=pl.col("device").is_in(chosen["device"].implode()) & pl.col("variable").is_in(energy.VARIABLES),
        columns=_ENERGY_COLUMNS,
    )
    of_plugs_and_days = [pl.col("device"), pl.col("ts").dt.date()]
    return [events.join(chosen, left_on=of_plugs_and_days, right_on=["device", "day"], how="semi")]


def _plugs_reached(work: Workspace, first: datetime, last: datetime) -> dict[str, list[date]]:
    """Find plugs that a change in [first, last] can affect, each with its UTC dates from `first` on.

    A plug not seen since then is included, with all its dates, only if Gold still holds a reading of it that
    is to be replaced.
    """
    since = [day for day in work.lake.dates(silver.DEVICES) if day >= first.date()]
    days = _dates_of_plugs(work, since)
    keys = _keys(pl.Series([first, last], dtype=UTC_TIME))
    held = work.lake.read(
        gold.FACT_ENERGY_MINUTE,
        dates=utc_dates([Window(first, last + timedelta(minutes=1))]),
        between=("datetime_key", keys[0], keys[1]),
        where=pl.col("counter_total").is_not_null(),
        columns=["device_key"],
    )
    if lost := set(held["device_key"].unique()) - {surrogate_key(device) for device in days}:
        every = _dates_of_plugs(work, None)
        days |= {device: every[device] for device in every if surrogate_key(device) in lost}
    return days


def _dates_of_plugs(
    work: Workspace, dates: list[date] | None, where: pl.Expr | None = None
) -> dict[str, list[date]]:
    """Find the UTC dates that saw each plug, oldest first. dates: search only these; None for all."""
    plugs = pl.col("category") == "plugs"
    seen = work.lake.read(
        silver.DEVICES,
        dates=dates,
        where=plugs if where is None else plugs & where,
        columns=["device", "utc_date"],
    )
    return {device: sorted(found) for device, found in seen.group_by("device").agg("utc_date").iter_rows()}


def _events(work: Workspace, minutes: pl.Series, where: pl.Expr) -> pl.DataFrame:
    """Read the events of exactly these minutes, with the columns that the facts of rooms need."""
    columns = [*_ROOM_COLUMNS, "is_outlier"]
    events = _events_between(work, _first(minutes), _last(minutes), where, columns)
    return events.filter(pl.col("ts").is_in(minutes.implode()))


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
    """List the UTC days with Silver events if a minute fact table does not exist; else none."""
    days = set(work.lake.dates(silver.SENSOR_EVENTS))
    missing: set[date] = set()
    facts = (gold.FACT_ENERGY_MINUTE, gold.FACT_ENVIRONMENT_MINUTE, gold.FACT_PRESENCE_MINUTE)
    for table in facts:
        if work.lake.version(table) is None:
            missing |= days
    return [date_window(day) for day in sorted(missing)]
