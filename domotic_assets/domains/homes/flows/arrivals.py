"""Finds files that arrived and chooses the run to request next: the logic of the sensors, without Dagster.

A tick looks for the names that are due, adds what is new to the work list, and picks one run from it.

Why: docs/decisions/0013-one-wildcard-a-tick.md
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import polars as pl

from domotic_assets.domains.homes.flows import facts, landing, reading
from domotic_assets.domains.homes.flows.landing import Discovery
from domotic_assets.flow.windows import (
    assign,
    date_window,
    detailed_days,
    is_day,
    keys_between,
    ranges,
    read_key,
)
from domotic_assets.flow.worklist import LISTED_WHOLE, WINDOWS, PendingWork, Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import MINUTE, floor_minute
from domotic_assets.registry.registry import Tunables
from domotic_assets.schemas.homes import bronze

Kind = Literal["live", "late", "history"]
Look = Literal["looked", "nothing due", "listing needed"]

DUE = timedelta(minutes=15)
"""How long a name is looked for at every tick; later files are found by the listings."""

CATCH_UP = timedelta(hours=48)
CATCH_UP_FILES = 50_000
"""A longer gap, or one with more files, is left to a listing, which runs beside the live feed."""

FILES_PER_RUN = 6_000
"""Files of a history run, which takes some ten seconds: the live minutes wait no longer than that."""

LISTED_RECENT = "listed recent"

REACH = timedelta(days=3)
"""How far ahead of now a key may lie: a file a day, its reading hours more, and a home's date another day."""

RECENT_DAYS = 2
"""Days whose names the hourly listing looks at; the nightly one looks at all names."""


@dataclass(frozen=True)
class RunChoice:
    """One run to request. keys: partition keys of its windows, in order. register: those that Dagster lacks.

    kind: as `choose` describes it. whole_listing: whether the run must list the whole share to find its
    files.
    """

    keys: tuple[str, ...]
    register: tuple[str, ...]
    kind: Kind
    whole_listing: bool


def look(work: Workspace, registered: Collection[str], now: datetime) -> Look:
    """Look for the file names that are due on the share, and add the windows of new files to the work list.

    Once a minute it lists the names since a quarter of an hour before the last look. In between it lists only
    while a home that sent a file in the last quarter hour has not sent the present minute or the one before.
    Returns `listing needed` if there was no last look, or if the gap since it exceeds CATCH_UP or
    CATCH_UP_FILES.
    """
    held = work.worklist.read()
    forget_keys_outside_calendar(work, held)
    looked_until = held.looked(now)
    if looked_until is None or now - looked_until > CATCH_UP:
        return "listing needed"
    minute = floor_minute(now)
    if now - looked_until < MINUTE:
        if _all_here(work, minute):
            return "nothing due"
        # A sender may lag or run ahead a little.
        spans = [(minute - 3 * MINUTE, minute + 2 * MINUTE)]
    else:
        start = floor_minute(looked_until) - DUE
        if (now - start) // MINUTE * len(work.registry.homes) > CATCH_UP_FILES:
            return "listing needed"
        spans = [(start, minute + 2 * MINUTE)]
        looked_until = now
    found = landing.discover_sensor_files(work, spans)
    _remember(work, found, registered, now, looked_until)
    return "looked"


def forget_keys_outside_calendar(work: Workspace, held: PendingWork) -> None:
    """Take keys off the work list that no run can take: before `history_start`, or days in the future.

    held: the work list as it was just read. An earlier version, or a wrong clock, may have put them there.
    """
    last = (work.now() + REACH).date()
    # A home's date may begin before the UTC date of the same name.
    lost = held.outside(work.registry.history_start - timedelta(days=1), last)
    lost[WINDOWS] = held.outside(work.registry.history_start, last).get(WINDOWS, [])

    def change(listed: PendingWork) -> None:
        for job, keys in lost.items():
            listed.done(job, keys)

    if any(lost.values()):
        work.worklist.change(change)


def _all_here(work: Workspace, minute: datetime) -> bool:
    """Return whether every home heard in the last quarter hour sent this minute and the one before.

    False if no home was heard.
    """
    heard = landing.homes_heard(work, minute - DUE, minute + MINUTE)
    latest = heard.filter(pl.col("window") >= minute - MINUTE)
    return latest.height == 2 * heard["home"].n_unique() > 0


def _remember(
    work: Workspace,
    found: Discovery,
    registered: Collection[str],
    now: datetime,
    looked_until: datetime,
    *,
    mark: str | None = None,
    more_minutes: Iterable[datetime] = (),
) -> None:
    """Add the windows of found files and of `more_minutes` to the work list, and record that a look was made.

    registered: partition keys that Dagster has. looked_until: up to when the due names were looked for. mark:
    name of the mark to set to `now`; None for none. more_minutes: minutes whose files or facts are missing in
    a later layer.
    """
    minutes = dict(found.minutes)
    for minute in more_minutes:
        minutes.setdefault(minute, 1)
    windows = assign(minutes, now, detailed_days(registered))
    irregular = {minute for minute in found.irregular if minute in minutes}
    tasks = {
        window.key: Task(files, any(window.start <= minute < window.end for minute in irregular))
        for window, files in windows.items()
    }

    def change(held: PendingWork) -> None:
        held.add(WINDOWS, tasks)
        held.looked_until = looked_until
        if mark is not None:
            held.marks[mark] = now

    work.worklist.change(change)


@dataclass(frozen=True)
class UnderWay:
    """Runs of windows that are queued or running: their kinds and keys."""

    kinds: Collection[Kind] = ()
    keys: Collection[str] = ()


NOTHING_UNDER_WAY = UnderWay()


def choose(
    held: PendingWork, registered: Sequence[str], now: datetime, under_way: UnderWay = NOTHING_UNDER_WAY
) -> RunChoice | None:
    """Choose the next run of pending windows; None if no key is ready, or runs under way exclude all.

    held: the pending windows by partition key. registered: the keys that Dagster has, in order of
    registration. A key is ready once its back-off is over, unless a run under way has it. The first choice
    that is possible is made:

    live: minutes and hours that Dagster does not have yet, oldest first.

    late: minutes and hours that Dagster has; else one key of any length that was requested before, alone, as
    it may be what fails.

    history: days that Dagster does not have yet, newest first; else days that it has.

    Keys that Dagster has run together only if it registered no other key between them, as it runs them as a
    range. Apart from that one late key, only keys that were never requested are taken. A run takes the first
    keys up to FILES_PER_RUN, but at least one. One run of a kind is under way at a time, and no late run is
    chosen while a live one is under way.
    """
    ready = {
        key: task for key, task in held.windows.items() if task.is_ready(now) and key not in under_way.keys
    }
    again = sorted(key for key, task in ready.items() if task.attempts)
    fresh = sorted(key for key, task in ready.items() if not task.attempts)
    known = set(registered)
    fine = [key for key in fresh if not is_day(key)]
    days = [key for key in fresh if is_day(key)]
    options: list[tuple[Kind, list[str]]] = [
        ("live", [key for key in fine if key not in known]),
        ("late", _first_range([key for key in fine if key in known], registered)),
        ("late", again[:1]),
        ("history", [key for key in reversed(days) if key not in known]),
        ("history", _first_range([key for key in days if key in known], registered)),
    ]
    for kind, keys in options:
        if not keys or kind in under_way.kinds or (kind == "late" and "live" in under_way.kinds):
            continue
        taken = _bounded(keys, held)
        return RunChoice(
            tuple(taken),
            tuple(key for key in taken if key not in known),
            kind,
            any(held.windows[key].whole_listing for key in taken),
        )
    return None


def _first_range(keys: Sequence[str], registered: Sequence[str]) -> list[str]:
    """Return the first keys that Dagster would run as one range; empty if there are none."""
    for first, last in ranges(set(keys), registered):
        return list(keys_between(first, last, registered))
    return []


def _bounded(keys: Sequence[str], held: PendingWork) -> list[str]:
    """Take the first keys that together have at most FILES_PER_RUN new files, but at least one key."""
    taken: list[str] = []
    files = 0
    for key in keys:
        files += held.windows[key].files
        if taken and files > FILES_PER_RUN:
            break
        taken.append(key)
    return taken


def list_share(work: Workspace, registered: Collection[str], *, whole: bool, now: datetime) -> Discovery:
    """Compare the share with Bronze, and the layers with each other; add what is missing to the work list.

    whole: list all names, else those of the last RECENT_DAYS.
    """
    spans = None if whole else [(now - timedelta(days=RECENT_DAYS), now + MINUTE)]
    found = landing.discover_sensor_files(work, spans)
    undone = reading.unflattened_minutes(work)
    days = [window.start for window in facts.days_without_gold(work)]
    mark = LISTED_WHOLE if whole else LISTED_RECENT
    _remember(work, found, registered, now, now, mark=mark, more_minutes=[*undone, *days])
    return found


def listing_due(held: PendingWork, settings: Tunables, now: datetime) -> Literal["recent", "whole"] | None:
    """Return which listing is due: of all names at first and once a UTC day, of the last days in between.

    None if no listing is due.
    """
    whole, recent = held.mark(LISTED_WHOLE, now), held.mark(LISTED_RECENT, now)
    if whole is None or whole.date() < now.date():
        return "whole"
    latest = max(whole, recent or whole)
    return "recent" if now - latest >= timedelta(minutes=settings.list_every_minutes) else None


def days_to_seal(work: Workspace, held: PendingWork, registered: Sequence[str], now: datetime) -> list[date]:
    """List the UTC days to seal, oldest first.

    A day is sealed if it has minute or hour keys, has been over for `seal_after_hours`, has no pending
    window, and had no file arrive for `seal_quiet_minutes`.
    """
    settings = work.registry.settings
    pending = {read_key(key).start.date() for key in held.windows}
    found: list[date] = []
    for day in sorted(detailed_days(registered) - pending):
        end = date_window(day).end
        if now - end < timedelta(hours=settings.seal_after_hours):
            continue
        landed = work.lake.read(bronze.SENSOR_FILES, dates=[day], columns=["arrived_at"])
        # A last write in the future is that of a wrong clock, and tells nothing.
        newest = landed.filter(pl.col("arrived_at") <= now)["arrived_at"].max()
        if not isinstance(newest, datetime) or now - newest >= timedelta(minutes=settings.seal_quiet_minutes):
            found.append(day)
    return found
