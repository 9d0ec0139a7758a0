"""Cuts the feed's time into pieces that fit in memory, and finds what lies within a set of windows."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import polars as pl

from domotic_assets.flow.windows import Window
from domotic_assets.localtime import MINUTE

FILES_AT_ONCE = 6_000
"""Most files in a piece, which memory holds at a time: about 25 MB of bytes and 400,000 events."""


def parts(span: Window, files: int, homes: int) -> Iterator[Window]:
    """Split a span into consecutive windows of at most `files` files, if each home sends one a minute.

    A window is at least one minute long.
    """
    step = MINUTE * max(1, files // max(1, homes))
    start = span.start
    while start < span.end:
        yield Window(start, min(start + step, span.end))
        start += step


def cut(files: Iterable[tuple[datetime, int]], most: int) -> list[list[tuple[datetime, int]]]:
    """Split minutes, in order, into pieces of at most `most` files, or of one minute.

    files: pairs of minute and number of files. A piece ends at its last midnight if that leaves it at least
    half full: a date that lies in one piece becomes one file in each table, and needs no compaction.
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
    """Merge the windows into as few spans [start, end) as possible, oldest first; join those that touch."""
    joined: list[tuple[datetime, datetime]] = []
    for window in sorted(windows):
        if joined and window.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], window.end))
        else:
            joined.append((window.start, window.end))
    return joined


def membership(spans_of_time: Sequence[tuple[datetime, datetime]]) -> Callable[[datetime], bool]:
    """Make a function that tells whether a moment lies in one of the spans, by one binary search.

    spans_of_time: as `spans` returns them, sorted and disjoint.
    """
    starts = [start for start, _ in spans_of_time]

    def holds(moment: datetime) -> bool:
        number = bisect_right(starts, moment)
        return number > 0 and moment < spans_of_time[number - 1][1]

    return holds


def within(column: str, windows: Iterable[Window]) -> pl.Expr:
    """Make an expression that is true where a column of minutes lies in one of the windows."""
    return pl.any_horizontal(
        pl.lit(False),
        *(pl.col(column).is_between(start, end, closed="left") for start, end in spans(windows)),
    )
