"""What the checks of Silver and Gold look at: a span of time, home by home. Plain functions.

Rules stand in `quality/`; here the lake is read, each frame once, and a check gets its frames.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import Any

import polars as pl

from domotic_assets.bronze.landing import identify
from domotic_assets.errors import SourceError
from domotic_assets.lake.listing import Between
from domotic_assets.localtime import MINUTE, zone
from domotic_assets.orchestration import contract_steps
from domotic_assets.orchestration.sensor_steps import COUNTING, read_within, utc_dates
from domotic_assets.orchestration.windows import FILES_AT_ONCE, Window, date_window, parts, spans
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.quality import clocks, counters, files, readings, tables
from domotic_assets.quality.verdict import Verdict, together
from domotic_assets.schemas import bronze, gold, silver
from domotic_assets.schemas.table import Table, surrogate_key

SPAN = timedelta(days=1)
PAST = timedelta(days=7)
"""A day is judged, beside the seven before it."""

HOMES_PER_PIECE = 20
"""Homes whose day is held at once: about two million readings."""

FILES_AUDITED = 20_000
"""Files of a day whose bytes are hashed again: those of the newest hours where a day has more."""


def newest_minute(work: Workspace) -> datetime | None:
    """The newest minute of Silver; None while there is none."""
    dates = work.lake.dates(silver.SENSOR_EVENTS)
    rows = work.lake.read(silver.SENSOR_EVENTS, dates=dates[-1:], columns=["ts"])
    newest: datetime | None = rows["ts"].max()  # type: ignore[assignment]
    return newest


def newest_span(work: Workspace) -> Window | None:
    """The last day of the feed's own time, to the newest minute of Silver."""
    newest = newest_minute(work)
    return None if newest is None else Window(newest + MINUTE - SPAN, newest + MINUTE)


def remember_days(work: Workspace, end: datetime) -> int:
    """Write silver/reading_days of the whole UTC dates before `end` that later ones are compared with.

    The last two are looked at again, as late files may have changed them. Returns the number of dates.
    """
    last = (end - MINUTE).date() - timedelta(days=1)
    wanted = [last - timedelta(days=back) for back in range(PAST.days)]
    held = set(work.lake.dates(silver.READING_DAYS))
    present = set(work.lake.dates(silver.SENSOR_EVENTS))
    days = sorted(day for day in wanted if day in present and (day not in held or day in wanted[:2]))
    for day in days:
        rows = [readings.reading_days(_numbers(work, date_window(day), homes)) for homes in _pieces(work)]
        dated = pl.concat(rows).with_columns(utc_date=pl.lit(day)).select(silver.READING_DAYS.schema.names())
        work.lake.replace_dates(silver.READING_DAYS, dated, [day])
    return len(days)


@dataclass(frozen=True)
class Round:
    """One round of checks: the span that is judged, and the present moment."""

    work: Workspace
    span: Window
    now: datetime

    @cached_property
    def pieces(self) -> list["Piece"]:
        """The homes, in pieces that fit the memory."""
        return [Piece(self.work, self.span, homes) for homes in _pieces(self.work)]

    @cached_property
    def known_keys(self) -> dict[str, list[int]]:
        """Dimension to the keys that facts may refer to."""
        dimensions = {table.name: table for table in gold.DIMS}
        targets = {(key.table, key.target) for table in gold.FACTS for key in table.foreign_keys}
        return {
            name: self.work.lake.read(dimensions[name], columns=[target])[target].to_list()
            for name, target in targets
        }


def _pieces(work: Workspace) -> Iterator[list[str]]:
    homes = [home.id for home in work.registry.homes]
    for start in range(0, len(homes), HOMES_PER_PIECE):
        yield homes[start : start + HOMES_PER_PIECE]


def _numbers(work: Workspace, span: Window, homes: Sequence[str]) -> pl.DataFrame:
    return _events(work, span, homes, readings.NUMBERS)


def _events(work: Workspace, span: Window, homes: Sequence[str], variables: Sequence[str]) -> pl.DataFrame:
    columns = ["ts", "home", "device", "variable", "value", "is_outlier"]
    mine = pl.col("home").is_in(homes) & pl.col("variable").is_in(variables)
    return read_within(work, silver.SENSOR_EVENTS, "ts", [span], columns, mine)


@dataclass(frozen=True)
class Piece:
    """Some homes in the span judged. What several checks ask for is read once, if it is small."""

    work: Workspace
    span: Window
    homes: Sequence[str]

    @cached_property
    def present(self) -> pl.DataFrame:
        """`reading_days` of the span."""
        return readings.reading_days(_numbers(self.work, self.span, self.homes))

    @cached_property
    def past(self) -> pl.DataFrame:
        """`reading_days` of whole dates before the span."""
        first = self.span.start.date()
        dates = [first - timedelta(days=back) for back in range(1, PAST.days + 1)]
        return self.work.lake.read(silver.READING_DAYS, dates=dates, where=self._mine)

    def files(self) -> pl.DataFrame:
        """silver/sensor_files of the span's windows, of these homes."""
        columns = ["home", "window", "minute", "arrived_at", "status", "reason"]
        return self._of_windows(silver.SENSOR_FILES, columns)

    def energy(self, *more: str) -> pl.DataFrame:
        """gold/fact_energy_minute of the span, with home, device and category."""
        devices = self.work.lake.read(
            silver.DEVICES, where=self._mine, columns=["device", "home", "category"]
        ).unique()
        keys = pl.Series(
            "device_key", [surrogate_key(device) for device in devices["device"]], dtype=pl.Int64
        )
        rows = self.fact(gold.FACT_ENERGY_MINUTE, ["device_key", "power_w", "energy_wh", *more])
        return rows.join(devices.with_columns(keys), on="device_key", how="inner")

    def fact(self, table: Table, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of a minute fact in the span, of these homes."""
        homes = [surrogate_key(home) for home in self.homes]
        return self.work.lake.read(
            table,
            dates=utc_dates([self.span]),
            between=_of_minutes(table, self.span),
            where=pl.col("apartment_key").is_in(homes),
            columns=list(columns),
        )

    @property
    def minutes(self) -> int:
        """How long the span is."""
        return int((self.span.end - self.span.start) / MINUTE)

    def events(self, *variables: str) -> pl.DataFrame:
        """Readings of these variables in the span."""
        return _events(self.work, self.span, self.homes, variables)

    def rejects(self) -> pl.DataFrame:
        """home and variable of the refused values of the span."""
        return self._of_windows(silver.REJECTS, ["home", "variable"])

    def sent(self) -> pl.DataFrame:
        """home, window and arrival of every file version and sighting of the span."""
        return self._of_windows(bronze.SENSOR_FILES, ["home", "window", "arrived_at"])

    def first_minutes(self) -> dict[str, datetime]:
        """Home to its first reading ever."""
        seen = self.work.lake.read(silver.DEVICES, where=self._mine, columns=["home", "first_ts"])
        return dict(seen.group_by("home").agg(pl.col("first_ts").min()).iter_rows())

    @property
    def _mine(self) -> pl.Expr:
        return pl.col("home").is_in(self.homes)

    def _of_windows(self, table: Table, columns: Sequence[str]) -> pl.DataFrame:
        return read_within(self.work, table, "window", [self.span], columns, self._mine)


def present_homes(work: Workspace, now: datetime) -> Verdict:
    """Homes that have gone silent."""
    last = _last_minutes(work, work.lake.dates(silver.SENSOR_FILES)[-2:], None)
    homes = {home.id: last.get(home.id) for home in work.registry.homes}
    if lost := [home for home, minute in homes.items() if minute is None]:
        homes |= _last_minutes(work, None, lost)
    silent_after = timedelta(minutes=work.registry.settings.silent_after_minutes)
    return files.freshness(homes, now, silent_after)


def _last_minutes(
    work: Workspace, dates: Sequence[date] | None, homes: Sequence[str] | None
) -> dict[str, datetime]:
    """Home to its newest minute with a file that counts, on these dates."""
    counting = pl.col("status").is_in(COUNTING)
    held = work.lake.read(
        silver.SENSOR_FILES,
        dates=dates,
        where=counting if homes is None else counting & pl.col("home").is_in(homes),
        columns=["home", "minute"],
    )
    return dict(held.group_by("home").agg(pl.col("minute").max()).iter_rows())


def present_forecast(work: Workspace, now: datetime) -> Verdict:
    """Whether the newest forecast is overdue."""
    held = work.lake.dates(bronze.WEATHER_FILES)
    own = zone(work.registry.calendar_time_zone)
    at = work.registry.settings.forecasts_at
    due = datetime.combine(
        (held[-1] + timedelta(days=1)) if held else now.astimezone(own).date(),
        datetime.min.time().replace(hour=at // 60 % 24, minute=at % 60),
        own,
    ).astimezone(UTC)
    return files.forecast_freshness(due if due <= now else None, now)


def outliers(piece: Piece) -> Verdict:
    return readings.outliers(piece.present, piece.past)


def scales(piece: Piece) -> Verdict:
    return readings.scales(piece.present, piece.past)


def flat_lines(piece: Piece) -> Verdict:
    return readings.flat_lines(piece.present, piece.past)


def refused(piece: Piece) -> Verdict:
    return readings.refused(piece.present, piece.rejects())


def clocks_of(piece: Piece) -> Verdict:
    return clocks.clocks(piece.events(*clocks.CLOCKS))


def counters_of(piece: Piece) -> Verdict:
    totals = piece.events("plugs.total")
    return counters.counters(totals, piece.work.registry.settings.plug_power_bound_w)


def power_against_meter(piece: Piece) -> Verdict:
    return counters.power_against_meter(piece.energy())


def balance(piece: Piece) -> Verdict:
    return counters.balance(piece.energy(), piece.minutes)


def completeness(piece: Piece) -> Verdict:
    counting = piece.files().filter(pl.col("status").is_in(COUNTING))
    return files.completeness(counting, piece.sent(), piece.first_minutes(), piece.span.start, piece.span.end)


def readable(piece: Piece) -> Verdict:
    return files.readable(piece.files())


def doubled(piece: Piece) -> Verdict:
    return files.doubled(piece.sent())


def reconciled_energy(piece: Piece) -> Verdict:
    """Readings of Gold's plugs against Silver's: how many, and the sum of their counters."""
    events = piece.events("plugs.power", "plugs.total", "plugs.is_valid").drop_nulls("value")
    minute = ["ts", "device"]
    invalid = events.filter(pl.col("variable") == "plugs.is_valid", pl.col("value") == 0)
    read = events.filter(pl.col("variable") != "plugs.is_valid")
    totals = read.filter(pl.col("variable") == "plugs.total", pl.col("value") >= 0)
    rows = piece.energy("counter_total").filter(pl.col("category") == "plugs")
    return tables.reconciled(
        gold.FACT_ENERGY_MINUTE.id,
        {"rows of plugs": rows.height, "counter_total": _sum(rows, "counter_total")},
        {
            "rows of plugs": read.select(minute).unique().height,
            "counter_total": _sum(totals.join(invalid, on=minute, how="anti"), "value"),
        },
    )


_AIR = {"co2_ppm": "meteos.CO2", "noise_db": "meteos.Noise", "pressure_hpa": "meteos.Pressure"}


def reconciled_environment(piece: Piece) -> Verdict:
    """Sums of the air in Gold against Silver's readings in bounds."""
    events = piece.events(*_AIR.values()).filter(~pl.col("is_outlier"))
    rows = piece.fact(gold.FACT_ENVIRONMENT_MINUTE, list(_AIR))
    return tables.reconciled(
        gold.FACT_ENVIRONMENT_MINUTE.id,
        {column: _sum(rows, column) for column in _AIR},
        {
            column: _sum(events.filter(pl.col("variable") == variable), "value")
            for column, variable in _AIR.items()
        },
    )


def reconciled_presence(piece: Piece) -> Verdict:
    """Motions of Gold against Silver's."""
    seen = piece.events("motions.motion").filter(pl.col("value") == 1)
    rows = piece.fact(gold.FACT_PRESENCE_MINUTE, ["motion_count"])
    return tables.reconciled(
        gold.FACT_PRESENCE_MINUTE.id,
        {"motion_count": _sum(rows, "motion_count")},
        {"motion_count": seen.height},
    )


def feed_as_agreed(judged: Round) -> Verdict:
    """The last whole UTC date of the span's end against the contract; the feed's first date is none."""
    day = judged.span.end.date() - timedelta(days=1)
    if day not in judged.work.lake.dates(silver.SENSOR_EVENTS)[1:]:
        return Verdict((), {"day": "none is whole yet"})
    return contract_steps.feed_drift(judged.work, day)


def register_as_agreed(judged: Round) -> Verdict:
    """The register's columns against the contract; whether it can be read is told by `reachable`."""
    try:
        return contract_steps.register_drift(judged.work)
    except SourceError:
        return Verdict((), {"register": "could not be read"})


def _sum(rows: pl.DataFrame, column: str) -> float:
    return float(rows.select(pl.col(column).sum()).item())


def bytes_kept(judged: Round) -> Verdict:
    """Bronze's bytes of the span, hashed again in hours, the newest first, until enough were."""
    work, span = judged.work, judged.span
    verdicts: list[Verdict] = []
    end, audited = span.end, 0
    while end > span.start and audited < FILES_AUDITED:
        hour = Window(max(end - timedelta(hours=1), span.start), end)
        columns = ["file_id", "name", "content"]
        rows = read_within(work, bronze.SENSOR_FILES, "window", [hour], columns)
        verdicts.append(
            tables.bytes_kept(bronze.SENSOR_FILES.id, rows, partial(identify, bronze.SENSOR_FILES.name))
        )
        audited += rows.height
        end = hour.start
    return together(verdicts)


_BY_MINUTE = (bronze.SENSOR_FILES, silver.SENSOR_EVENTS, silver.SENSOR_FILES, *gold.MINUTE_FACTS)
"""Tables by UTC date that are long, and have the minute in their key."""


def written_keys(work: Workspace, table: Table, windows: Sequence[Window]) -> Verdict:
    """Whether the rows of these windows are what `schemas` declares."""
    return _keys(work, table, _parts(work, table, windows))


def _parts(work: Workspace, table: Table, windows: Iterable[Window]) -> list[Mapping[str, Any]]:
    """The windows in parts that fit the memory, as `Lake.read` takes them: no key stands in two."""
    homes = len(work.registry.homes)
    return [
        {"dates": utc_dates([part]), "between": _of_minutes(table, part)}
        for start, end in spans(windows)
        for part in parts(Window(start, end), FILES_AT_ONCE, homes)
    ]


def _of_minutes(table: Table, span: Window) -> Between:
    """A span by the table's own column of minutes."""
    column = next(name for name in ("datetime_key", "ts", "window") if name in table.schema)
    first, last = span.start, span.end - MINUTE
    if column == "datetime_key":
        return column, int(f"{first:%Y%m%d%H%M}"), int(f"{last:%Y%m%d%H%M}")
    return column, first, last


def table_keys(work: Workspace, table: Table, span: Window) -> Verdict:
    """Whether a table is what `schemas` declares: its rows of the span's dates, or all where it has none."""
    if table.partition is None:
        return _keys(work, table, [{}])
    dates = utc_dates([span])
    if table not in _BY_MINUTE:
        return _keys(work, table, [{"dates": dates}])
    whole = [Window(start, end) for start, end in spans(map(date_window, dates))]
    # Beside the parts, rows whose minute is null or lies on another date than the one they are kept under.
    column, low, high = _of_minutes(table, Window(whole[0].start, whole[-1].end))
    astray = pl.col(column).is_null() | ~pl.col(column).is_between(low, high)
    return _keys(work, table, [*_parts(work, table, whole), {"dates": dates, "where": astray}])


def _keys(work: Workspace, table: Table, pieces: Sequence[Mapping[str, Any]]) -> Verdict:
    """The verdict on all columns, and on the rows of each piece, which `Lake.read` takes."""
    held = work.lake.held_schema(table)
    if held is None:
        return Verdict()
    needed = {*table.primary_key, *(column.name for column in table.columns if not column.nullable)}
    nothing = table.empty().select(sorted(needed))
    if needed - set(held.names()):
        return tables.keys(table, nothing.select(sorted(needed & set(held.names()))), held)
    return together(
        [
            tables.keys(table, nothing, held),
            *(
                tables.keys(
                    table,
                    work.lake.read(table, columns=nothing.columns, **piece),
                    table.schema,
                )
                for piece in pieces
            ),
        ]
    )


def fact_references(judged: Round, table: Table) -> Verdict:
    """Whether the keys of a fact's newest dates stand in its dimensions."""
    columns = sorted({key.column for key in table.foreign_keys})
    dates = utc_dates([judged.span]) if table.partition == "utc_date" else None
    rows = judged.work.lake.read(table, dates=dates, columns=columns).unique()
    return tables.references(table, rows, judged.known_keys)
