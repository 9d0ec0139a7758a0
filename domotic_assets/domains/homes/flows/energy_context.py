"""Reads the events that energy depends on: of the minutes to rebuild, and of those around them.

Energy is a difference of counter readings, so each plug needs one before and one after. A counter that falls
or jumps needs more: enough to see whether it comes back, and what the plug draws.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.gold import energy
from domotic_assets.domains.homes.gold.counters import OWN_PAST
from domotic_assets.domains.homes.gold.plug_energy import Reach, calm_since, counted
from domotic_assets.flow.reading import of_minutes, read_within, utc_dates
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.arrival import utc_midnight
from domotic_assets.localtime import MINUTE
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.star.keys import time_of_key

USUAL_CONTEXT = timedelta(minutes=15)
"""Readings this far before and after a minute are enough for nearly every plug."""

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_PAST = MINUTE * OWN_PAST

_COLUMNS = ["ts", "home", "room", "device", "variable", "value", "is_outlier"]
_READING = ["ts", "device", "variable"]


@dataclass(frozen=True)
class Context:
    """What the energy of some minutes depends on.

    events: energy events of these minutes. plugs: `plug_readings` of them and around; marked: those with a
    counter, as `counted` does. reach: how far a change in the minutes reaches.
    """

    events: pl.DataFrame
    plugs: pl.DataFrame
    marked: pl.DataFrame
    reach: Reach

    @classmethod
    def of(cls, work: Workspace, events: pl.DataFrame, reach: Reach) -> "Context":
        """Make the context of events alone."""
        plugs = energy.plug_readings(events)
        return cls(events, plugs, counted(plugs, work.registry.settings.plug_power_bound_w), reach)

    def with_more(self, work: Workspace, more: list[pl.DataFrame]) -> "Context":
        """Add readings of plugs from events around; those that are there already are left out."""
        around = energy.plug_readings(pl.concat(more).unique(_READING, keep="first", maintain_order=True))
        new = around.join(self.plugs, on=["device", "ts"], how="anti", maintain_order="left")
        if new.is_empty():
            return self
        plugs = pl.concat([self.plugs, new])
        marked = counted(plugs, work.registry.settings.plug_power_bound_w)
        return replace(self, plugs=plugs, marked=marked)


def read_context(work: Workspace, first: datetime, last: datetime) -> Context:
    """Read the energy events from `first` to `last`, both included, and those around that they depend on."""
    days = _plugs_reached(work, first, last)
    span = Window(first - USUAL_CONTEXT, last + USUAL_CONTEXT + MINUTE)
    wanted = pl.col("variable").is_in(energy.VARIABLES)
    events = read_within(work, silver.SENSOR_EVENTS, "ts", [span], _COLUMNS, wanted)
    context = _with_neighbours(work, Context.of(work, events, Reach(first, last)), days)
    reach = _reach(work, context, days)
    return _with_surroundings(work, replace(context, reach=reach)) if reach.unsettled else context


def _with_neighbours(work: Workspace, context: Context, days: dict[str, list[date]]) -> Context:
    """Add the last counter reading before the change and the first after it, of plugs that lack them.

    Further away than the usual context, the rest of the day is read, then the nearest days on which the plug
    was seen, until a reading is found. days: UTC dates of each plug reached, from the change on.
    """
    first, last = context.reach.first, context.reach.last
    early, late = _lacking(context, days)
    before: dict[str, Iterator[date]] = {}
    after = {plug: iter([day for day in days[plug] if day >= last.date()]) for plug in days}
    while True:
        if unread := early - before.keys():
            older = _dates_of_plugs(work, None, pl.col("device").is_in([*unread]))
            for plug in unread:
                before[plug] = iter([day for day in reversed(older[plug]) if day <= first.date()])
        more = [
            *_next_days(work, late, after, (last + USUAL_CONTEXT + MINUTE, _EVER[1])),
            *_next_days(work, early, before, (_EVER[0], first - USUAL_CONTEXT - MINUTE)),
        ]
        if not more:
            return context
        if any(not found.is_empty() for found in more):
            context = context.with_more(work, more)
            early, late = _lacking(context, days)


def _lacking(context: Context, plugs: Collection[str]) -> tuple[set[str], set[str]]:
    """Find the plugs without a counter reading before the change, and those without one after it.

    A plug that has none from the change on needs none before.
    """
    first, last = context.reach.first, context.reach.last
    edges = context.marked.group_by("device").agg(oldest=pl.col("ts").min(), newest=pl.col("ts").max())
    before, since, after = (
        set(edges.filter(side)["device"])
        for side in (pl.col("oldest") < first, pl.col("newest") >= first, pl.col("newest") > last)
    )
    return since.intersection(plugs) - before, set(plugs) - after


def _reach(work: Workspace, context: Context, plugs: Collection[str]) -> Reach:
    """Find the plugs whose counter needs a look further around, and how far a change may affect them.

    Such a counter falls or jumps at the change or after it, or it did before and may come back with it. What
    counters did at other times is noted in Gold.
    """
    first, last = context.reach.first, context.reach.last
    settles = timedelta(hours=work.registry.settings.counter_settles_hours)
    marked = context.marked
    here = marked.filter(pl.col("ts") >= first, pl.col("before").is_null() | (pl.col("before") <= last))
    names = {surrogate_key(plug): plug for plug in plugs}
    notes = _notes(work, Window(first - settles, last + _PAST + settles), names)
    later = notes.filter(pl.col("ts") >= first)
    times = pl.concat([here["ts"], later["ts"]]).max()
    until = max(last, times if isinstance(times, datetime) else last) + settles
    latest = notes.filter(pl.col("ts") < first).group_by("device").last()
    returning = {
        plug
        for plug, at, note in latest.select("device", "ts", "counter_note").iter_rows()
        if (note in ("restart", "set_back") and _may_return(work, context.reach, marked, plug, at))
        # The next reading may rise alike.
        or (note == "jump" and marked.filter(pl.col("device") == plug, pl.col("before") == at).height)
    }
    unsettled = {*here.filter("breaks")["device"], *later["device"], *returning}
    return replace(context.reach, unsettled=unsettled, until=until, noted=notes.select("device", "ts"))


def _notes(work: Workspace, span: Window, plugs: Mapping[int, str]) -> pl.DataFrame:
    """Read what Gold notes of these plugs' counters in a span, in order: device, ts, counter_note.

    plugs: device by its key.
    """
    table = gold.FACT_ENERGY_MINUTE
    held = work.lake.read(
        table,
        dates=utc_dates([span]),
        between=of_minutes(table, span),
        where=pl.col("device_key").is_in([*plugs]),
        holding="counter_note",
        columns=["device_key", "datetime_key", "counter_note"],
    )
    device = pl.col("device_key").replace_strict(plugs, return_dtype=pl.String)
    return held.sort("datetime_key").select("counter_note", device=device, ts=time_of_key("datetime_key"))


def _may_return(work: Workspace, reach: Reach, marked: pl.DataFrame, plug: str, fell_at: datetime) -> bool:
    """Tell whether a counter that fell at `fell_at` may be back at its old level with the change or after it.

    marked: `counted` readings with the last one before the change.
    """
    own = marked.filter(pl.col("device") == plug)
    level = _counter_before(work, plug, fell_at)
    if level is None or not own.filter(pl.col("ts") > reach.last).is_empty():
        return True
    changed = own.filter(pl.col("ts").is_between(reach.first, reach.last))
    return bool((changed["counter_total"] >= level).any())


def _counter_before(work: Workspace, plug: str, fell_at: datetime) -> float | None:
    """Return the counter that Gold holds of a plug shortly before a minute; None if there is none."""
    table, span = gold.FACT_ENERGY_MINUTE, Window(fell_at - USUAL_CONTEXT, fell_at)
    held = work.lake.read(
        table,
        dates=utc_dates([span]),
        between=of_minutes(table, span),
        where=(pl.col("device_key") == surrogate_key(plug)) & pl.col("counter_total").is_not_null(),
        columns=["datetime_key", "counter_total"],
    ).sort("datetime_key")["counter_total"]
    return None if held.is_empty() else float(held[-1])


def _with_surroundings(work: Workspace, context: Context) -> Context:
    """Add what the judgement of unsettled counters needs.

    That is every reading from OWN_PAST before one whose level depends on nothing older, up to where the last
    one that may be affected settles.
    """
    reach, settings = context.reach, work.registry.settings
    assert reach.until is not None
    settles = timedelta(hours=settings.counter_settles_hours)
    dates = _dates_of_plugs(work, None, pl.col("device").is_in([*reach.unsettled]))
    start = utc_midnight((reach.first - settles - _PAST).date())
    context = _with_span(work, context, start, reach.until + settles)
    while older := [plug for plug, days in dates.items() if days[0] < start.date()]:
        calm = calm_since(context.marked, settles).filter(pl.col("ts") <= reach.first - settles)
        newest = dict(calm.group_by("device").agg(pl.col("ts").max()).iter_rows())
        needed = [newest[plug] - _PAST if plug in newest else start - timedelta(days=1) for plug in older]
        earliest = utc_midnight(min(needed).date())
        if earliest >= start:
            break
        context, start = _with_span(work, context, earliest, start), earliest
    return context


def _with_span(work: Workspace, context: Context, start: datetime, end: datetime) -> Context:
    """Add the readings of unsettled plugs from `start` to `end`, both included."""
    wanted = pl.col("device").is_in([*context.reach.unsettled]) & pl.col("variable").is_in(energy.VARIABLES)
    # What lies in the usual context is there already.
    before = Window(start, min(end + MINUTE, context.reach.first - USUAL_CONTEXT))
    after = Window(max(start, context.reach.last + USUAL_CONTEXT + MINUTE), end + MINUTE)
    spans = [span for span in (before, after) if span.start < span.end]
    more = [read_within(work, silver.SENSOR_EVENTS, "ts", [span], _COLUMNS, wanted) for span in spans]
    return context.with_more(work, more) if more else context


def _next_days(
    work: Workspace,
    plugs: Collection[str],
    days: Mapping[str, Iterator[date]],
    within: tuple[datetime, datetime],
) -> list[pl.DataFrame]:
    """Read the energy events of each plug's next day that lie in `within`; empty list if no day is left."""
    wanted = [(plug, day) for plug in plugs if (day := next(days[plug], None)) is not None]
    if not wanted:
        return []
    chosen = pl.DataFrame(wanted, schema={"device": pl.String, "day": pl.Date}, orient="row")
    events = work.lake.read(
        silver.SENSOR_EVENTS,
        dates=chosen["day"].unique(),
        between=("ts", *within),
        where=pl.col("device").is_in(chosen["device"].implode()) & pl.col("variable").is_in(energy.VARIABLES),
        columns=_COLUMNS,
    )
    of_plugs_and_days = [pl.col("device"), pl.col("ts").dt.date()]
    return [events.join(chosen, left_on=of_plugs_and_days, right_on=["device", "day"], how="semi")]


def _plugs_reached(work: Workspace, first: datetime, last: datetime) -> dict[str, list[date]]:
    """Find plugs that a change in [first, last] can affect, each with its UTC dates from `first` on.

    A plug not seen since then is included, with all its dates, only if Gold still holds a reading of it that
    is to be replaced.
    """
    since = [day for day in work.lake.dates(silver.DEVICES) if day >= first.date()]
    days = _dates_of_plugs(work, since)
    table, span = gold.FACT_ENERGY_MINUTE, Window(first, last + MINUTE)
    held = work.lake.read(
        table,
        dates=utc_dates([span]),
        between=of_minutes(table, span),
        where=pl.col("counter_total").is_not_null(),
        columns=["device_key"],
    )
    if lost := set(held["device_key"].unique()) - {surrogate_key(device) for device in days}:
        every = _dates_of_plugs(work, None)
        days |= {device: every[device] for device in every if surrogate_key(device) in lost}
    return days


def _dates_of_plugs(
    work: Workspace, dates: list[date] | None, where: pl.Expr | None = None
) -> dict[str, list[date]]:
    """Find the UTC dates that saw each plug, oldest first. dates: search only these; None for all."""
    plugs = pl.col("category") == "plugs"
    seen = work.lake.read(
        silver.DEVICES,
        dates=dates,
        where=plugs if where is None else plugs & where,
        columns=["device", "utc_date"],
    )
    return {device: sorted(found) for device, found in seen.group_by("device").agg("utc_date").iter_rows()}
