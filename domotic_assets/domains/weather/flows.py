"""Loads forecasts by date of issue: folder to Bronze, Silver and Gold's facts; and the dimension of sites."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.domains.weather.bronze import land_forecasts, read_forecast_name
from domotic_assets.domains.weather.gold import dim_weather_site, weather_day, weather_hour
from domotic_assets.domains.weather.silver import SOURCE, WeatherReading, read_weather_files
from domotic_assets.flow.dims import DIMS, replace_dims
from domotic_assets.flow.flow import Asked, Flow, Job, Made, look_at_folder
from domotic_assets.flow.prefetch import prefetch
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.arrival import FUTURE_SLACK
from domotic_assets.ingest.files import File, versions
from domotic_assets.localtime import zone
from domotic_assets.schemas import refusals, weather
from domotic_assets.schemas.table import Table
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files.folders import (
    NOTHING_KNOWN,
    FilePosition,
    FileSource,
    as_entries,
    as_rows,
    unknown,
)

SOURCE_NAME = "weather_files"
"""The source in sites.yaml of the forecasts; without it there are none."""

FILES_PER_BATCH = 8
"""Forecast files held in memory together: each is about 15 MB and 150,000 rows."""


def discover_forecasts(work: Workspace) -> list[date]:
    """List the dates of issue with files that are not loaded yet, oldest first.

    These are: dates of files that Bronze lacks, landed dates without forecasts or rejects in Silver, and all
    dates of Silver if a weather fact does not exist.
    """
    folder = work.folder(SOURCE_NAME)
    new = as_rows([]) if folder is None else unknown(folder.listing(), _known_forecasts(work))
    dates = {issued for entry in as_entries(new) if (issued := _issue(work, entry)) is not None}
    landed = set(work.lake.dates(weather.WEATHER_FILES))
    refused = work.lake.read(refusals.REJECTS, where=pl.col("source") == SOURCE, columns=["utc_date"])
    taken = set(work.lake.dates(weather.WEATHER_FORECASTS))
    dates |= landed - taken - set(refused["utc_date"].to_list())
    for table in (weather.FACT_WEATHER_HOUR, weather.FACT_WEATHER_DAY):
        if work.lake.version(table) is None:
            dates |= taken
    return sorted(dates)


def forecast_is_due(work: Workspace, now: datetime) -> bool:
    """Return whether today's forecast is due by the calendar's clock, and no file of it has landed."""
    local = now.astimezone(zone(work.registry.calendar_time_zone))
    if local.hour * 60 + local.minute < work.registry.settings.forecasts_at:
        return False
    return local.date() not in work.lake.dates(weather.WEATHER_FILES)


def land_forecast_files(work: Workspace, issues: Sequence[date]) -> Counter[str]:
    """Append to bronze/weather_files all new versions of files of these dates of issue; returns counts."""
    wanted = frozenset(issues)

    def accept(rows: pl.DataFrame) -> pl.DataFrame:
        of_issues = [_issue(work, entry) in wanted for entry in as_entries(rows)]
        return rows.filter(pl.Series(of_issues, dtype=pl.Boolean))

    folder = work.folder(SOURCE_NAME)
    if folder is None:
        return Counter()
    source = FileSource(folder, accept)
    position = FilePosition(_known_forecasts(work))
    counts: Counter[str] = Counter()
    done = 0
    while True:
        batch = source.pull(position, FILES_PER_BATCH)
        held = work.lake.read(weather.WEATHER_FILES, dates=wanted, columns=["name", "file_id", "arrived_at"])
        files = [File(*payload) for payload in batch.items]
        landed = land_forecasts(files, held, work.registry.history_start)
        work.lake.append(weather.WEATHER_FILES, landed.rows)
        counts.update(landed.counts)
        position = batch.position
        done += len(batch.items)
        work.report(weather.WEATHER_FILES.id, done, done + position.left)
        if not batch.more:
            counts.update(folder.refused)
            return counts


def read_forecasts(work: Workspace, issues: Sequence[date]) -> Counter[str]:
    """Rebuild silver/weather_forecasts and the rejects of these dates of issue; returns counts."""
    counts: Counter[str] = Counter()
    done = 0
    pieces = _pieces(issues)
    for piece, read in prefetch((piece, _read_issues(work, piece)) for piece in pieces):
        work.lake.replace_dates(weather.WEATHER_FORECASTS, read.forecasts, piece)
        beside = work.lake.read(refusals.REJECTS, dates=piece, where=pl.col("source") != SOURCE)
        work.lake.replace_dates(refusals.REJECTS, pl.concat([beside, read.rejects]), piece)
        counts.update(
            forecasts=read.forecasts.height,
            rejects=read.rejects.height,
            nulls=int(read.summary["nulls"].sum()),
        )
        done += len(piece)
        work.report(weather.WEATHER_FORECASTS.id, done, len(issues))
    return counts


def _read_issues(work: Workspace, issues: Sequence[date]) -> WeatherReading:
    """Read the forecasts of some dates of issue from Bronze, a date at a time."""
    users = [home.feed_user for home in work.registry.homes]
    sites = work.registry.site_names()
    read = [
        read_weather_files(versions(work.lake.read(weather.WEATHER_FILES, dates=[issue])), users, sites)
        for issue in issues
    ]
    return WeatherReading(
        pl.concat([one.forecasts for one in read]),
        pl.concat([one.rejects for one in read]),
        pl.concat([one.summary for one in read]),
    )


def _pieces(issues: Sequence[date]) -> list[Sequence[date]]:
    """Cut the dates into pieces of FILES_PER_BATCH."""
    return [issues[start : start + FILES_PER_BATCH] for start in range(0, len(issues), FILES_PER_BATCH)]


def _weather_facts(
    work: Workspace, table: Table, issues: Sequence[date], facts: Callable[[pl.DataFrame, str], pl.DataFrame]
) -> int:
    """Write a weather fact of these dates of issue, some dates at a time; returns the row count.

    The table exists afterwards, also if no forecast has a row in it.
    facts: builds the rows from Silver forecasts and the calendar's time zone.
    """
    written = 0
    for piece in _pieces(issues):
        forecasts = work.lake.read(weather.WEATHER_FORECASTS, dates=piece)
        rows = facts(forecasts, work.registry.calendar_time_zone)
        work.lake.replace_dates(table, rows, piece)
        written += rows.height
    work.lake.create(table)
    return written


def write_dims(work: Workspace, _asked: Asked) -> Made:
    """Write gold/dim_weather_site if it differs from what the lake holds."""
    named = work.lake.read(weather.WEATHER_FORECASTS, columns=["site"])["site"].unique().to_list()
    return replace_dims(work, {weather.DIM_WEATHER_SITE: dim_weather_site(work.registry, named)})


def _issue(work: Workspace, entry: Entry) -> date | None:
    """Find the date of issue in a forecast file's name; None if the name has none, or it is not plausible.

    It is plausible unless it lies before `history_start`, or its UTC midnight over a day ahead of now: such a
    file is left until then.
    """
    issued = read_forecast_name(entry.name)
    if issued is None or issued < work.registry.history_start:
        return None
    midnight = datetime.combine(issued, datetime.min.time(), UTC)
    return issued if midnight <= work.now() + FUTURE_SLACK else None


def _known_forecasts(work: Workspace) -> pl.DataFrame:
    """Read name, size_bytes and modified_at of the forecast files that Bronze holds."""
    return work.lake.read(weather.WEATHER_FILES, columns=NOTHING_KNOWN.columns)


FORECASTS = Job("forecasts", "Forecast files to the weather facts, by date of issue.")
ONE_A_DAY = (timedelta(hours=27), timedelta(hours=50))


def _land(work: Workspace, asked: Asked) -> Made:
    """Land the forecast files of the requested dates of issue in Bronze; yields the table with its counts."""
    yield weather.WEATHER_FILES, land_forecast_files(work, asked.dates)


def _read(work: Workspace, asked: Asked) -> Made:
    """Rebuild Silver forecasts of the requested dates of issue; yields the table with its counts."""
    yield weather.WEATHER_FORECASTS, read_forecasts(work, asked.dates)


def _fact(table: Table, facts: Callable[[pl.DataFrame, str], pl.DataFrame], about: str) -> Flow:
    """Make the flow of a weather fact, by date of issue. facts: as `_weather_facts` takes it."""

    def run(work: Workspace, asked: Asked) -> Made:
        yield table, {"rows": _weather_facts(work, table, asked.dates, facts)}

    return Flow(
        name=table.name,
        about=about,
        writes=(table,),
        reads=(weather.WEATHER_FORECASTS,),
        run=run,
        job=FORECASTS,
        partition="issue",
    )


FLOWS = (
    Flow(
        name="weather_files",
        about="Forecast files, exactly as received.",
        writes=(weather.WEATHER_FILES,),
        run=_land,
        job=FORECASTS,
        partition="issue",
        fresh_within=ONE_A_DAY,
        source=SOURCE_NAME,
        look=look_at_folder(SOURCE_NAME),
    ),
    Flow(
        name="weather_forecasts",
        about="Forecast values of every variant, step and issue.",
        writes=(weather.WEATHER_FORECASTS,),
        reads=(weather.WEATHER_FILES,),
        run=_read,
        job=FORECASTS,
        partition="issue",
    ),
    _fact(weather.FACT_WEATHER_HOUR, weather_hour, "Forecasts by valid time."),
    _fact(weather.FACT_WEATHER_DAY, weather_day, "Forecasts by local date."),
    Flow(
        name="weather_dims",
        about="The sites of the forecasts.",
        writes=(weather.DIM_WEATHER_SITE,),
        reads=(weather.WEATHER_FORECASTS,),
        run=write_dims,
        job=DIMS,
    ),
)
