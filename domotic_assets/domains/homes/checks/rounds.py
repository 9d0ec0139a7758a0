"""Reads what the checks of the homes judge: a span of time, some homes at a time, each frame once.

The rules belong in `clocks`, `counters`, `files` and `readings`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial

import polars as pl

from domotic_assets.domains.homes.checks import clocks, counters, files, openings, readings
from domotic_assets.domains.homes.flows.reading import COUNTING
from domotic_assets.domains.homes.gold.rooms import AIR_VARIABLES
from domotic_assets.flow.reading import of_minutes, read_within, utc_dates
from domotic_assets.flow.windows import Window, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.files import identify
from domotic_assets.localtime import MINUTE
from domotic_assets.quality import installed_contract, tables
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict, together
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import bronze, gold, silver
from domotic_assets.schemas.table import Table, surrogate_key
from domotic_assets.star.keys import time_of_key

SPAN = timedelta(days=1)

PAST = timedelta(days=7)
"""A day is compared with the seven before it."""

HOMES_PER_PIECE = 20
"""Homes whose day is held in memory together: about two million readings."""

FILES_AUDITED = 20_000
"""Files of a day whose bytes are hashed again: those of the newest hours if a day has more."""


def newest_minute(work: Workspace) -> datetime | None:
    """Find the newest minute of Silver's events; None if there are none."""
    dates = work.lake.dates(silver.SENSOR_EVENTS)
    rows = work.lake.read(silver.SENSOR_EVENTS, dates=dates[-1:], columns=["ts"])
    newest: datetime | None = rows["ts"].max()  # type: ignore[assignment]
    return newest


def newest_span(work: Workspace) -> Window | None:
    """Return the last day of the feed's own time, to the newest minute of Silver; None if there is none."""
    newest = newest_minute(work)
    return None if newest is None else Window(newest + MINUTE - SPAN, newest + MINUTE)


def present_round(work: Workspace) -> Round:
    """Start a round of checks over the last day of the feed, or of the clock while there are no events."""
    now = work.now()
    return Round(work, newest_span(work) or Window(now - SPAN, now), now)


def remember_days(work: Workspace, end: datetime) -> int:
    """Write silver/reading_days of the last seven whole UTC dates before `end`, for later comparisons.

    Dates held already are skipped, except the last two, which late files may have changed: these are written
    only where they differ. Returns the number of dates examined.
    """
    last = (end - MINUTE).date() - timedelta(days=1)
    wanted = [last - timedelta(days=back) for back in range(PAST.days)]
    held = set(work.lake.dates(silver.READING_DAYS))
    present = set(work.lake.dates(silver.SENSOR_EVENTS))
    days = sorted(day for day in wanted if day in present and (day not in held or day in wanted[:2]))
    key = silver.READING_DAYS.primary_key
    for day in days:
        rows = [
            readings.reading_days(_numbers(work, date_window(day), homes)) for homes in _homes_in_pieces(work)
        ]
        dated = pl.concat(rows).with_columns(utc_date=pl.lit(day)).select(silver.READING_DAYS.schema.names())
        held_rows = work.lake.read(silver.READING_DAYS, dates=[day])
        if not held_rows.sort(key).equals(dated.sort(key)):
            work.lake.replace_dates(silver.READING_DAYS, dated, [day])
    return len(days)


def _homes_in_pieces(work: Workspace) -> Iterator[list[str]]:
    """Yield the ids of the registry's homes, HOMES_PER_PIECE at a time."""
    homes = [home.id for home in work.registry.homes]
    for start in range(0, len(homes), HOMES_PER_PIECE):
        yield homes[start : start + HOMES_PER_PIECE]


def _numbers(work: Workspace, span: Window, homes: Sequence[str]) -> pl.DataFrame:
    """Read the readings of all variables of kind `number`, with the columns of `_events`."""
    return _events(work, span, homes, readings.NUMBERS)


def _events(work: Workspace, span: Window, homes: Sequence[str], variables: Sequence[str]) -> pl.DataFrame:
    """Read silver/sensor_events of these homes and variables whose minute lies in the span.

    Columns: ts, home, device, variable, value, is_outlier.
    """
    columns = ["ts", "home", "device", "variable", "value", "is_outlier"]
    mine = pl.col("home").is_in(homes) & pl.col("variable").is_in(variables)
    return read_within(work, silver.SENSOR_EVENTS, "ts", [span], columns, mine)


@dataclass(frozen=True)
class Piece:
    """Some homes in the judged span. Small frames that several checks need are read once."""

    work: Workspace
    span: Window
    homes: Sequence[str]

    @cached_property
    def present(self) -> pl.DataFrame:
        """Summary of the homes' numeric readings in the span, as `readings.reading_days` builds it."""
        return readings.reading_days(_numbers(self.work, self.span, self.homes))

    @cached_property
    def past(self) -> pl.DataFrame:
        """Rows of silver/reading_days of the piece's homes, of the seven UTC dates before the span."""
        first = self.span.start.date()
        dates = [first - timedelta(days=back) for back in range(1, PAST.days + 1)]
        return self.work.lake.read(silver.READING_DAYS, dates=dates, where=self._mine)

    def files(self) -> pl.DataFrame:
        """Read silver/sensor_files of the piece's homes whose window lies in the span.

        Columns: home, window, minute, arrived_at, status, reason; one row per file version.
        """
        columns = ["home", "window", "minute", "arrived_at", "status", "reason"]
        return self._of_windows(silver.SENSOR_FILES, columns)

    @cached_property
    def energy(self) -> pl.DataFrame:
        """Rows of gold/fact_energy_minute of the piece's homes in the span, one per device and minute.

        Columns: datetime_key, device_key, power_w, energy_wh, energy_source, counter_total, counter_note, and
        from silver/devices device, home, room and category.
        """
        devices = self.work.lake.read(
            silver.DEVICES, where=self._mine, columns=["device", "home", "room", "category"]
        ).unique()
        keys = pl.Series(
            "device_key", [surrogate_key(device) for device in devices["device"]], dtype=pl.Int64
        )
        columns = ["datetime_key", "device_key", "power_w", "energy_wh", "energy_source"]
        columns += ["counter_total", "counter_note"]
        rows = self.fact(gold.FACT_ENERGY_MINUTE, columns)
        return rows.join(devices.with_columns(keys), on="device_key", how="inner")

    def fact(self, table: Table, columns: Sequence[str]) -> pl.DataFrame:
        """Read the given columns of a minute fact, of the piece's homes in the span."""
        homes = [surrogate_key(home) for home in self.homes]
        return self.work.lake.read(
            table,
            dates=utc_dates([self.span]),
            between=of_minutes(table, self.span),
            where=pl.col("apartment_key").is_in(homes),
            columns=list(columns),
        )

    @property
    def minutes(self) -> int:
        """Length of the span in minutes."""
        return int((self.span.end - self.span.start) / MINUTE)

    def events(self, *variables: str) -> pl.DataFrame:
        """Read silver/sensor_events of the given variables, of the piece's homes in the span.

        Columns: ts, home, device, variable, value, is_outlier.
        """
        return _events(self.work, self.span, self.homes, variables)

    @cached_property
    def openings(self) -> pl.DataFrame:
        """What openings and motion sensors said in the span.

        Columns: ts, home, device, variable, value, value_text.
        """
        return self.said(self.span, openings.WATCHED)

    def said(
        self, span: Window, variables: Sequence[str], devices: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Read silver/sensor_events of a span, of the piece's homes. devices: None for all.

        Columns: ts, home, device, variable, value, value_text.
        """
        columns = ["ts", "home", "device", "variable", "value", "value_text"]
        where = self._mine & pl.col("variable").is_in(variables)
        if devices is not None:
            where &= pl.col("device").is_in(devices)
        return read_within(self.work, silver.SENSOR_EVENTS, "ts", [span], columns, where)

    def rejects(self) -> pl.DataFrame:
        """Read home and variable of refused values in the span, of the piece's homes, one row a value."""
        return self._of_windows(refusals.REJECTS, ["home", "variable"])

    def sent(self) -> pl.DataFrame:
        """Read bronze/sensor_files of the piece's homes in the span, one row per file version or sighting.

        Columns: home, window, arrived_at.
        """
        return self._of_windows(bronze.SENSOR_FILES, ["home", "window", "arrived_at"])

    def first_minutes(self) -> dict[str, datetime]:
        """Find the minute (UTC) of the first reading ever of each of the piece's homes."""
        seen = self.work.lake.read(silver.DEVICES, where=self._mine, columns=["home", "first_ts"])
        return dict(seen.group_by("home").agg(pl.col("first_ts").min()).iter_rows())

    @property
    def _mine(self) -> pl.Expr:
        """Filter for the rows whose `home` is one of the piece's."""
        return pl.col("home").is_in(self.homes)

    def _of_windows(self, table: Table, columns: Sequence[str]) -> pl.DataFrame:
        """Read the given columns of a table's rows whose `window` lies in the span, of the piece's homes."""
        return read_within(self.work, table, "window", [self.span], columns, self._mine)


def pieces_of(judged: Round) -> list[Piece]:
    """Cut the homes of a round into pieces that fit in memory."""
    return [Piece(judged.work, judged.span, homes) for homes in _homes_in_pieces(judged.work)]


def present_homes(work: Workspace, now: datetime) -> Verdict:
    """Find homes that have gone silent."""
    last = _last_minutes(work, work.lake.dates(silver.SENSOR_FILES)[-2:], None)
    homes = {home.id: last.get(home.id) for home in work.registry.homes}
    if lost := [home for home, minute in homes.items() if minute is None]:
        homes |= _last_minutes(work, None, lost)
    silent_after = timedelta(minutes=work.registry.settings.silent_after_minutes)
    return files.freshness(homes, now, silent_after)


def _last_minutes(
    work: Workspace, dates: Sequence[date] | None, homes: Sequence[str] | None
) -> dict[str, datetime]:
    """Find each home's newest minute with a file whose status is in COUNTING. dates, homes: None for all."""
    counting = pl.col("status").is_in(COUNTING)
    held = work.lake.read(
        silver.SENSOR_FILES,
        dates=dates,
        where=counting if homes is None else counting & pl.col("home").is_in(homes),
        columns=["home", "minute"],
    )
    return dict(held.group_by("home").agg(pl.col("minute").max()).iter_rows())


def outliers(piece: Piece) -> Verdict:
    """Find variables of the piece's homes with too many readings out of bounds."""
    return readings.outliers(piece.present, piece.past)


def scales(piece: Piece) -> Verdict:
    """Find devices of the piece's homes whose readings are in another unit than in the days before."""
    return readings.scales(piece.present, piece.past)


def flat_lines(piece: Piece) -> Verdict:
    """Find sensors of the piece's homes that report one exact value for hours, unlike in the days before."""
    return readings.flat_lines(piece.present, piece.past)


def refused(piece: Piece) -> Verdict:
    """Find variables of the piece's homes with too many refused values."""
    return readings.refused(piece.present, piece.rejects())


def opening_kinds(piece: Piece) -> Verdict:
    """Find openings of the piece's homes that say neither door nor window."""
    return openings.kinds(piece.openings)


def places(piece: Piece) -> Verdict:
    """Find lists of openings of the piece's homes whose places changed."""
    return openings.places(piece.openings)


def still(piece: Piece) -> Verdict:
    """Find motion sensors and openings of the piece's homes that stand still for a day.

    Only of those that never changed are the days before read.
    """
    present = openings.daily(piece.openings)
    resting = openings.may_be_still(present)["device"].to_list()
    with_past = Window(piece.span.start - PAST, piece.span.end)
    series = piece.said(with_past, (openings.SWITCH, openings.MOTION), resting)
    return openings.still(present, series)


def clocks_of(piece: Piece) -> Verdict:
    """Find devices, or whole homes, of the piece whose clock is off by more than `clocks.DRIFT_SECONDS`."""
    return clocks.clocks(piece.events(*clocks.CLOCKS))


def counters_of(piece: Piece) -> Verdict:
    """Find plugs of the piece's homes whose counters (`plugs.total`, Wh) do not simply count on."""
    noted = piece.energy.drop_nulls("counter_note")
    notes = noted.select("device", "counter_note", ts=time_of_key("datetime_key"))
    return counters.counters(piece.events("plugs.total").join(notes, on=["device", "ts"], how="left"))


def power_against_meter(piece: Piece) -> Verdict:
    """Find plugs of the piece's homes whose summed power does not fit their meter's rise: another unit."""
    return counters.power_against_meter(piece.energy)


def balance(piece: Piece) -> Verdict:
    """Find homes of the piece whose plugs together used more than their house meter shows."""
    houses = [home.house for home in piece.work.registry.homes]
    return counters.balance(piece.energy, houses, piece.minutes)


def completeness(piece: Piece) -> Verdict:
    """Find homes of the piece with too few of their minutes, or too many late files."""
    counting = piece.files().filter(pl.col("status").is_in(COUNTING))
    return files.completeness(counting, piece.sent(), piece.first_minutes(), piece.span.start, piece.span.end)


def readable(piece: Piece) -> Verdict:
    """Find homes of the piece with too many files that cannot be read."""
    return files.readable(piece.files())


def doubled(piece: Piece) -> Verdict:
    """Find homes of the piece that sent many minutes in more than one file."""
    return files.doubled(piece.sent())


def reconciled_energy(piece: Piece) -> Verdict:
    """Check that Gold has as many rows of plugs as Silver, and the same sum of their counters."""
    events = piece.events("plugs.power", "plugs.total", "plugs.is_valid").drop_nulls("value")
    minute = ["ts", "device"]
    invalid = events.filter(pl.col("variable") == "plugs.is_valid", pl.col("value") == 0)
    read = events.filter(pl.col("variable") != "plugs.is_valid")
    totals = read.filter(pl.col("variable") == "plugs.total", pl.col("value") >= 0)
    rows = piece.energy.filter(pl.col("category") == "plugs")
    return tables.reconciled(
        gold.FACT_ENERGY_MINUTE.id,
        {"rows of plugs": rows.height, "counter_total": _sum(rows, "counter_total")},
        {
            "rows of plugs": read.select(minute).unique().height,
            "counter_total": _sum(totals.join(invalid, on=minute, how="anti"), "value"),
        },
    )


def reconciled_environment(piece: Piece) -> Verdict:
    """Check that Gold's sums of CO2, noise and pressure equal those of Silver's readings in bounds."""
    events = piece.events(*AIR_VARIABLES.values()).filter(~pl.col("is_outlier"))
    rows = piece.fact(gold.FACT_ENVIRONMENT_MINUTE, list(AIR_VARIABLES))
    return tables.reconciled(
        gold.FACT_ENVIRONMENT_MINUTE.id,
        {column: _sum(rows, column) for column in AIR_VARIABLES},
        {
            column: _sum(events.filter(pl.col("variable") == variable), "value")
            for column, variable in AIR_VARIABLES.items()
        },
    )


def reconciled_presence(piece: Piece) -> Verdict:
    """Check that Gold counts as many motions as Silver."""
    seen = piece.events("motions.motion").filter(pl.col("value") == 1)
    rows = piece.fact(gold.FACT_PRESENCE_MINUTE, ["motion_count"])
    return tables.reconciled(
        gold.FACT_PRESENCE_MINUTE.id,
        {"motion_count": _sum(rows, "motion_count")},
        {"motion_count": seen.height},
    )


def feed_as_agreed(judged: Round) -> Verdict:
    """Compare the last whole UTC date of the feed with the contract; the feed's first date is not judged."""
    day = judged.span.end.date() - timedelta(days=1)
    if day not in judged.work.lake.dates(silver.SENSOR_EVENTS)[1:]:
        return Verdict((), {"day": "none is whole yet"})
    return installed_contract.feed_drift(judged.work, day)


def _sum(rows: pl.DataFrame, column: str) -> float:
    """Sum a column; 0 if there are no rows."""
    return float(rows.select(pl.col(column).sum()).item())


def bytes_kept(judged: Round) -> Verdict:
    """Hash Bronze's bytes of the span again, hour by hour from the newest, until FILES_AUDITED is reached."""
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
