"""Writes device health by local date, and finds the dates whose health may have changed."""

from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from domotic_assets.domains.homes.flows.facts import HOME_MINUTES_PER_PIECE, touched_minutes
from domotic_assets.domains.homes.gold import health
from domotic_assets.flow.pieces import parts, spans
from domotic_assets.flow.reading import read_within
from domotic_assets.flow.windows import Window, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import gold, silver

DAYS_OF_HEALTH_PER_PIECE = 30
"""Local dates whose counts are held in memory together; a day before and after is read with them."""


def local_days(work: Workspace, windows: Sequence[Window]) -> list[date]:
    """List the local dates of the minutes that these windows touch, oldest first."""
    return health.local_days_of(touched_minutes(work, windows), work.registry) if windows else []


def health_days_to_refresh(work: Workspace, touched: Collection[date]) -> list[date]:
    """List the local dates whose device health may have changed with minutes of `touched`, oldest first."""
    held = work.lake.read(gold.FACT_DEVICE_HEALTH_DAY, columns=["local_date", "device_key"])
    return health.days_to_refresh(work.lake.read(silver.DEVICES), held, touched, work.registry)


def health_facts(work: Workspace, days: Sequence[date]) -> int:
    """Write gold/fact_device_health_day of these local dates; returns the row count."""
    devices = work.lake.read(silver.DEVICES)
    written = done = 0
    for piece in _runs_of(days, DAYS_OF_HEALTH_PER_PIECE):
        rows = _health_of(work, devices, piece)
        work.lake.replace_dates(gold.FACT_DEVICE_HEALTH_DAY, rows, piece)
        written += rows.height
        done += len(piece)
        work.report(gold.FACT_DEVICE_HEALTH_DAY.id, done, len(days))
    return written


def _health_of(work: Workspace, devices: pl.DataFrame, days: Sequence[date]) -> pl.DataFrame:
    """Build FACT_DEVICE_HEALTH_DAY rows of these local dates. devices: all of Silver `DEVICES`."""
    around = health.utc_dates_of(days)
    columns = ["ts", "home", "device", "variable", "value", "is_outlier"]
    seen = health.seen_together(
        health.seen_in(read_within(work, silver.SENSOR_EVENTS, "ts", [part], columns), work.registry)
        for start, end in spans(map(date_window, around))
        for part in parts(Window(start, end), HOME_MINUTES_PER_PIECE, len(work.registry.homes))
    )
    rejects = work.lake.read(
        refusals.REJECTS,
        where=pl.col("minute").dt.date().is_in(around),
        columns=["home", "minute", "device"],
    )
    return health.health_days(seen, rejects, devices, days, work.registry)


def _runs_of(days: Sequence[date], length: int) -> list[list[date]]:
    """Cut the dates, in order, into lists of at most `length`."""
    return [list(days[start : start + length]) for start in range(0, len(days), length)]
