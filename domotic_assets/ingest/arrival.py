"""Determines when a file arrived: at its last write, unless no arrival can lie there."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import polars as pl

FUTURE_SLACK = timedelta(days=1)
"""Most that a reading may lie after its arrival, or a last write after now; else the clock is not trusted."""


def arrival(modified_at: datetime, now: datetime, history_start: date) -> datetime:
    """Return when a file arrived: its last write, unless no arrival can lie there.

    A last write before `history_start`, or more than a day after `now`, is that of a clock that was not set
    (1970, 1980, 2099). The start of the present UTC day is used instead: it is the same all day long, so that
    a listing and the read after it agree.
    """
    trusted = utc_midnight(history_start) <= modified_at <= now + FUTURE_SLACK
    return modified_at if trusted else _start_of_day(now)


def arrivals(modified_at: pl.Series, now: datetime, history_start: date) -> pl.Series:
    """Return when each file arrived: `arrival` of each last write (UTC) in a column."""
    trusted = modified_at.is_between(utc_midnight(history_start), now + FUTURE_SLACK)
    return modified_at if trusted.all() else modified_at.set(~trusted, _start_of_day(now))


def _start_of_day(now: datetime) -> datetime:
    """Return 00:00 of the UTC day that contains `now`."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def is_plausible(moment: datetime, arrived_at: datetime, history_start: date) -> bool:
    """Tell whether a reading may be of this moment: not before the history, nor over a day after arrival."""
    return utc_midnight(history_start) <= moment <= arrived_at + FUTURE_SLACK


@lru_cache(maxsize=16)
def utc_midnight(day: date) -> datetime:
    """Return the start of a UTC date."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
