"""Finds what openings last said to be, in Silver, and the later minutes that hang on it.

Nearly every reading of an opening says what it is; only for others is more read than the facts read anyway.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.gold import kinds
from domotic_assets.domains.homes.gold.rooms import OPENING_VARIABLES
from domotic_assets.flow.reading import read_within
from domotic_assets.flow.windows import Window, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import MINUTE
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.table import UTC_TIME

AHEAD = timedelta(minutes=15)
"""Readings this far after a minute tell of nearly every opening again what it is."""


def hanging_on(work: Workspace, events: pl.DataFrame, minutes: pl.Series, run: pl.Series) -> pl.DataFrame:
    """Find openings without a word in these minutes, and in later ones that hang on a word in these.

    events: from the first of the minutes to AHEAD after the last; those in the minutes may be left out if
    all say what they are. run: minutes that are rebuilt anyway. Returns ts and device.
    """
    first: datetime = minutes.min()  # type: ignore[assignment]
    last: datetime = minutes.max()  # type: ignore[assignment]
    lacking = kinds.without_word(events)
    seen = _seen_after(work, last + AHEAD)
    if not seen.is_empty():
        settled = kinds.words(events.filter(pl.col("ts") > last))["device"]
        seen = seen.filter(~pl.col("device").is_in(settled.unique().implode()))
        lacking = pl.concat([lacking, *_lacking_after(work, last + AHEAD, seen)]).unique()
    if lacking.is_empty():
        return lacking
    theirs = pl.col("ts").is_in(minutes.implode())
    return lacking.filter((pl.col("ts") >= first) & (theirs | ~pl.col("ts").is_in(run.implode())))


def completed(work: Workspace, events: pl.DataFrame) -> pl.DataFrame:
    """Add to these events the word that each opening without one last said, wherever it lies in Silver."""
    lacking = kinds.without_word(events)
    return kinds.filled(events, lacking, _words_before(work, lacking))


def _words_before(work: Workspace, lacking: pl.DataFrame) -> pl.DataFrame:
    """Read the words that these openings said before: ts, device, value_text. lacking: ts and device."""
    first: datetime = lacking["ts"].min()  # type: ignore[assignment]
    last: datetime = lacking["ts"].max()  # type: ignore[assignment]
    theirs = pl.col("device").is_in(lacking["device"].unique().implode())
    days = Window(date_window(first.date()).start, last + MINUTE)
    # The last word of each earlier date is kept with the devices.
    before = work.lake.read(
        silver.DEVICES,
        dates=[day for day in work.lake.dates(silver.DEVICES) if day < first.date()],
        where=theirs & pl.col("device_type").is_in([kind.lower() for kind in kinds.KINDS]),
        columns=["device", "device_type", "utc_date"],
    ).select(
        ts=pl.col("utc_date").cast(UTC_TIME),
        device="device",
        value_text=pl.col("device_type").str.to_titlecase(),
    )
    return pl.concat([before, kinds.words(_said(work, days, theirs))])


def _seen_after(work: Workspace, minute: datetime) -> pl.DataFrame:
    """Read the openings that sent readings after a minute: device and utc_date."""
    dates = [day for day in work.lake.dates(silver.DEVICES) if day >= minute.date()]
    if not dates:
        return pl.DataFrame(schema={"device": pl.String, "utc_date": pl.Date})
    return work.lake.read(
        silver.DEVICES,
        dates=dates,
        where=(pl.col("category") == "doorsWindows") & (pl.col("last_ts") > minute),
        columns=["device", "utc_date"],
    )


def _lacking_after(work: Workspace, minute: datetime, seen: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Find openings without a word after a minute, each up to the next word it says: ts and device.

    seen: device and utc_date of those whose next word is wanted.
    """
    for day in seen["utc_date"].unique().sort():
        waiting = seen.filter(pl.col("utc_date") == day)["device"]
        if waiting.is_empty():
            continue
        of_day = date_window(day)
        span = Window(max(of_day.start, minute + MINUTE), of_day.end)
        events = _said(work, span, pl.col("device").is_in(waiting.implode()))
        next_word = kinds.words(events).group_by("device").agg(until=pl.col("ts").min())
        yield (
            kinds.without_word(events)
            .join(next_word, on="device", how="left")
            .filter(pl.col("until").is_null() | (pl.col("ts") < pl.col("until")))
            .select("ts", "device")
        )
        seen = seen.filter(~pl.col("device").is_in(next_word["device"].implode()))


def _said(work: Workspace, span: Window, where: pl.Expr) -> pl.DataFrame:
    """Read what openings said in a span: ts, device, variable, value_text."""
    where &= pl.col("variable").is_in(OPENING_VARIABLES)
    columns = ["ts", "device", "variable", "value_text"]
    return read_within(work, silver.SENSOR_EVENTS, "ts", [span], columns, where)
