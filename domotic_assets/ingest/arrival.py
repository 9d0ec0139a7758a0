"""Judges when a file arrived: its last write, as far as that can be believed."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import polars as pl

FUTURE_SLACK = timedelta(days=1)
"""A reading cannot lie further ahead of its arrival; a clock that says so is not believed."""


def arrival(modified_at: datetime, now: datetime) -> datetime:
    """When a file arrived: its last write, unless that lies more than a day ahead.

    Such a clock is not believed; the start of the present UTC day stands for it, the same all day
    long, so that a listing and the read after it agree.
    """
    return modified_at if modified_at <= now + FUTURE_SLACK else _start_of_day(now)


def arrivals(modified_at: pl.Series, now: datetime) -> pl.Series:
    """`arrival` of each."""
    ahead = modified_at > now + FUTURE_SLACK
    return modified_at.set(ahead, _start_of_day(now)) if ahead.any() else modified_at


def _start_of_day(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def is_plausible(moment: datetime, arrived_at: datetime, history_start: date) -> bool:
    """Whether a reading may lie there: not before the history, not more than a day after arrival."""
    return utc_midnight(history_start) <= moment <= arrived_at + FUTURE_SLACK


@lru_cache(maxsize=16)
def utc_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
