"""Cuts the feed's time into pieces that fit the memory, and tells what lies in a set of windows."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import polars as pl

from domotic_assets.flow.windows import Window
from domotic_assets.localtime import MINUTE

FILES_AT_ONCE = 6_000
"""Files held in memory at once, and cut into pieces by: about 25 MB of bytes and 400,000 events."""


def parts(span: Window, files: int, homes: int) -> Iterator[Window]:
    """A span in parts of at most so many files of so many homes, or of a minute; no minute is in two."""
    step = MINUTE * max(1, files // max(1, homes))
    start = span.start
    while start < span.end:
        yield Window(start, min(start + step, span.end))
        start += step


def cut(files: Iterable[tuple[datetime, int]], most: int) -> list[list[tuple[datetime, int]]]:
    """Minutes and their files, in order, in pieces of at most `most` files, or of one minute.

    A piece ends at its last midnight, if that leaves it half full: a date of which one piece holds all
    becomes one file in each table, which nothing need compact.
    """
    pieces: list[list[tuple[datetime, int]]] = [[]]
    held = midnight = before_midnight = 0
    for minute, number in files:
        if pieces[-1] and minute.date() != pieces[-1][-1][0].date():
            midnight, before_midnight = len(pieces[-1]), held
        while pieces[-1] and held + number > most:
            piece = pieces.pop()
            at, before = len(piece), held
            if 2 * before_midnight >= most:
                at, before = midnight, before_midnight
            pieces += [piece[:at], piece[at:]]
            held -= before
            midnight = before_midnight = 0
        pieces[-1].append((minute, number))
        held += number
    return [piece for piece in pieces if piece]


def spans(windows: Iterable[Window]) -> list[tuple[datetime, datetime]]:
    """The windows as few spans [start, end), touching ones joined, oldest first."""
    joined: list[tuple[datetime, datetime]] = []
    for window in sorted(windows):
        if joined and window.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], window.end))
        else:
            joined.append((window.start, window.end))
    return joined


def membership(spans_of_time: Sequence[tuple[datetime, datetime]]) -> Callable[[datetime], bool]:
    """What tells whether a moment lies in one of such spans as `spans` makes: one search, however many."""
    starts = [start for start, _ in spans_of_time]

    def holds(moment: datetime) -> bool:
        number = bisect_right(starts, moment)
        return number > 0 and moment < spans_of_time[number - 1][1]

    return holds


def within(column: str, windows: Iterable[Window]) -> pl.Expr:
    """Whether a column of minutes lies in one of the windows."""
    return pl.any_horizontal(
        pl.lit(False),
        *(pl.col(column).is_between(start, end, closed="left") for start, end in spans(windows)),
    )
