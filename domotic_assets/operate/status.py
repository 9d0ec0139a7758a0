"""Reads the status of the feed: each home's last minute, lag, missing minutes and refused values of today."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.flows.reading import COUNTING
from domotic_assets.escaping import Markdown, markdown_table
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import MINUTE, floor_minute, local_day_bounds, zone
from domotic_assets.registry.homes import Home
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import silver

HEADINGS = ("home", "last minute", "lag", "today", "missing", "bad files", "refused values")

UNREACHABLE = "unreachable: "
"""Prefix of the work list's marks of sources that could not be read; the id of the source's table follows."""


@dataclass(frozen=True)
class HomeStatus:
    """The feed of a home today (its local date).

    last_minute: newest minute (UTC) with a file whose readings count; None before the first. lag: from that
    minute's end to now. present, missing: minutes of today, up to the last one that is over, with and
    without such a file. quarantined: files of today. refused: values of today, by reason.
    """

    home: str
    last_minute: datetime | None
    lag: timedelta | None
    present: int
    missing: int
    quarantined: int
    refused: Counter[str]


@dataclass(frozen=True)
class FeedStatus:
    """The status of all feeds.

    waiting: number of pending windows. failing: keys of windows that were requested more than once.
    unreachable: since when (UTC) a source cannot be read, by the id of its table.
    """

    homes: list[HomeStatus]
    waiting: int
    failing: list[str]
    unreachable: dict[str, datetime]

    def as_markdown(self) -> Markdown:
        """Render the homes as a Markdown table for the asset's page."""
        return markdown_table(HEADINGS, map(cells, self.homes))


def cells(home: HomeStatus) -> list[str]:
    """Format a home's row as texts, in the order of HEADINGS."""
    refused = ", ".join(f"{number:,} {reason}" for reason, number in sorted(home.refused.items()))
    return [
        home.home,
        "none" if home.last_minute is None else f"{home.last_minute:%Y-%m-%d %H:%M}",
        "–" if home.lag is None else duration(home.lag),
        f"{home.present:,}",
        f"{home.missing:,}",
        f"{home.quarantined:,}",
        refused or "none",
    ]


def duration(length: timedelta) -> str:
    """Format a duration as `3 min`, `5 h 10 min` or `12 d`; a negative one is `0 min`."""
    minutes = max(int(length / MINUTE), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} d"


def feed_status(work: Workspace, now: datetime) -> FeedStatus:
    """Read the status of the feed from silver and the work list."""
    held = work.worklist.read()
    return FeedStatus(
        [_home_status(work, home, now) for home in work.registry.homes],
        len(held.windows),
        sorted(key for key, task in held.windows.items() if task.attempts > 1),
        {
            mark.removeprefix(UNREACHABLE): since
            for mark, since in held.marks.items()
            if mark.startswith(UNREACHABLE)
        },
    )


def _home_status(work: Workspace, home: Home, now: datetime) -> HomeStatus:
    """Read the status of one home today, its local date at `now` (UTC), from silver."""
    today = now.astimezone(zone(home.time_zone)).date()
    start, _ = local_day_bounds(today, home.time_zone)
    end = floor_minute(now)
    mine = pl.col("home") == home.id
    files = work.lake.read(silver.SENSOR_FILES, where=mine, columns=["minute", "window", "status"])
    counting = files.filter(pl.col("status").is_in(COUNTING))
    last: datetime | None = counting.select(pl.col("minute").max()).item()
    inside = pl.col("minute").is_between(start, end, closed="left")
    present = counting.filter(inside)["minute"].n_unique()
    bad = files.filter((pl.col("status") == "quarantined") & (pl.col("window") >= start))
    rejects = work.lake.read(
        refusals.REJECTS,
        dates=[start.date(), now.astimezone(UTC).date()],
        where=mine & (pl.col("window") >= start),
        columns=["reason"],
    )
    return HomeStatus(
        home.id,
        last,
        None if last is None else now - (last + MINUTE),
        present,
        int((end - start) / MINUTE) - present,
        bad.height,
        Counter(rejects["reason"].to_list()),
    )
