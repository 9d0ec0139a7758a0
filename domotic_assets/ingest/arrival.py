"""Judges when a file arrived: at its last write, unless that contradicts the time that the file is of.

Nothing here asks a clock what time it is: a last write is compared with what the file itself says, so that it
is judged alike by every machine, and again at any later time.

Why: docs/decisions/0032-arrival-is-a-hint.md
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import polars as pl

FUTURE_SLACK = timedelta(days=1)
"""Most that a file may be of a time after its last write, or after now: a clock, or a zone, may be off by
hours."""

MOST_LATE = timedelta(days=366)
"""Most that a last write may lie after the time that a file is of, to be its arrival. A later one is that of
a copy, or of a clock that was not set."""


def is_arrival(written: datetime, moment: datetime, history_start: date) -> bool:
    """Tell whether a file of this moment may have arrived at its last write."""
    return utc_midnight(history_start) <= written and moment - FUTURE_SLACK <= written <= moment + MOST_LATE


def arrival(written: datetime, moment: datetime, history_start: date) -> datetime:
    """Return when a file arrived that is of this moment: its last write, else that moment."""
    return written if is_arrival(written, moment, history_start) else moment


def arrivals(written: pl.Series, moments: pl.Series, history_start: date) -> pl.Series:
    """Return when each file arrived: `arrival` of each last write (UTC) and moment, in columns."""
    believed = (
        (written >= utc_midnight(history_start))
        & (written >= moments - FUTURE_SLACK)
        & (written <= moments + MOST_LATE)
    )
    return written if believed.all() else written.zip_with(believed, moments)


def is_ahead(written: datetime, moment: datetime, history_start: date) -> bool:
    """Tell whether a moment contradicts a last write: that lies in the history, and over a day before it."""
    return utc_midnight(history_start) <= written < moment - FUTURE_SLACK


@lru_cache(maxsize=16)
def utc_midnight(day: date) -> datetime:
    """Return the start of a UTC date."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
