"""Computes the energy of plugs from their counters, and from their power where there is no counter.

Most counters only rise by a little: those need one subtraction of columns. The others are judged by their
neighbours (`counters`). Both give the same rows however the feed was cut into runs.

Why: docs/decisions/0035-counters-by-their-neighbours.md
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.gold.counters import Series
from domotic_assets.localtime import MINUTE
from domotic_assets.registry.registry import Tunables
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.star.arithmetic import divided

ALONE = timedelta(minutes=7)
"""Power tells the energy of a reading without a counter if no counter was read so near to it; if one was, it
tells that energy at its next reading."""

_ENERGY = pl.Schema(
    {
        "device": pl.String(),
        "ts": UTC_TIME,
        "energy_wh": pl.Float64(),
        "since": UTC_TIME,
        "energy_source": pl.String(),
        "counter_note": pl.String(),
    }
)


_READING = {"device": pl.String(), "ts": UTC_TIME}


@dataclass(frozen=True)
class Reach:
    """How far a change in the minutes from `first` to `last` reaches.

    unsettled: plugs whose counter needs a look further around, as it falls or jumps near the change. until:
    up to where their readings may be affected; those after it are only context. noted: device and ts of
    readings around that were noted as not simply going on.
    """

    first: datetime
    last: datetime
    unsettled: Collection[str] = ()
    until: datetime | None = None
    noted: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_READING))


def counted(readings: pl.DataFrame, bound_w: float) -> pl.DataFrame:
    """Select the readings with a counter, by device and time, each compared with the one before.

    Columns: device, ts, counter_total, power_w, `before` (ts of the device's previous reading; null for the
    first), rise_wh (null for the first) and breaks (it falls, or rises by more than a minute's `bound_w`).
    """
    follows = pl.col("device") == pl.col("device").shift()
    rise = pl.col("counter_total") - pl.col("counter_total").shift()
    return (
        readings.filter(pl.col("counter_total").is_not_null())
        .sort("device", "ts")
        .select(
            "device",
            "ts",
            "counter_total",
            "power_w",
            before=pl.when(follows).then(pl.col("ts").shift()),
            rise_wh=pl.when(follows).then(rise),
        )
        .with_columns(breaks=~(pl.col("rise_wh") * 60).is_between(0, bound_w).fill_null(True))
    )


def calm_since(marked: pl.DataFrame, settles: timedelta) -> pl.DataFrame:
    """Find the readings before which a counter was calm for so long that its level depends on nothing older.

    marked: `counted`. Columns: device, ts; the first reading of a device is not known to be calm.
    """
    broke = pl.when(pl.col("breaks") | pl.col("before").is_null()).then("ts").forward_fill().over("device")
    return marked.select("device", "ts", calm=pl.col("ts") - broke >= settles).filter("calm").drop("calm")


def plug_energy(
    readings: pl.DataFrame, marked: pl.DataFrame, reach: Reach, settings: Tunables
) -> pl.DataFrame:
    """Compute the energy of every plug reading that a change in `reach` can affect.

    readings: `plug_readings`, of each plug from its last counter reading before the change to its first after
    it; of unsettled ones as far as `Reach` and `counters` need. marked: `counted` of them. Columns: device,
    ts, energy_wh, since (from when the energy is counted), energy_source, counter_note.
    """
    judged = pl.col("device").is_in([*reach.unsettled])
    rows = [_differences(marked.filter(~judged), reach)]
    rows += [_judged(own, reach, settings) for own in marked.filter(judged).partition_by("device")]
    by_counter = pl.concat(rows)
    by_power = _by_power(readings, marked)
    if by_power.is_empty():
        return by_counter
    near = by_power.filter(pl.col("ts").is_between(reach.first - ALONE, reach.last + ALONE))
    return pl.concat([_less(by_counter, by_power, marked), near])


def _differences(marked: pl.DataFrame, reach: Reach) -> pl.DataFrame:
    """Compute the energy of calm counters as differences, in the changed minutes and at the next reading."""
    return _as_differences(marked.filter(_is_changed(reach)))


def _is_changed(reach: Reach) -> pl.Expr:
    """Build the condition for `counted` readings that lie in the change, or are the first after it."""
    inside = pl.col("ts").is_between(reach.first, reach.last)
    is_next = (pl.col("ts") > reach.last) & (pl.col("before").is_null() | (pl.col("before") <= reach.last))
    return inside | is_next


def _as_differences(marked: pl.DataFrame) -> pl.DataFrame:
    """Build the energy of counter readings that simply go on from the one before. marked: `counted`."""
    return marked.select(
        "device",
        "ts",
        energy_wh=pl.col("rise_wh").fill_null(0.0),
        since="before",
        energy_source=pl.lit("counter"),
        counter_note=pl.lit(None, pl.String),
    )


def _judged(own: pl.DataFrame, reach: Reach, settings: Tunables) -> pl.DataFrame:
    """Judge the readings of one unsettled counter. own: its rows of `counted`."""
    settles = timedelta(hours=settings.counter_settles_hours)
    calm = calm_since(own, settles).filter(pl.col("ts") <= reach.first - settles)["ts"]
    begin = 0 if calm.is_empty() else int(own["ts"].search_sorted(calm[-1]))
    minutes = (own["ts"].dt.epoch("s") // 60).to_list()
    counters, powers = own["counter_total"].to_list(), own["power_w"].to_list()
    series = Series(minutes, counters, powers, settings.plug_power_bound_w, settles // MINUTE)
    found = series.notable([place for place in own["breaks"].arg_true() if place > begin])
    # Where nothing older is known, the very first reading adds nothing.
    first = 0 if calm.is_empty() else begin + 1
    rows = _as_differences(own).with_columns(
        pl.Series("energy_wh", own["rise_wh"].fill_null(0.0)).scatter(
            [*found], [step.energy_wh for step in found.values()]
        ),
        pl.Series("since", own["before"]).scatter(
            [*found], own["ts"][[step.since for step in found.values()]]
        ),
        pl.repeat(None, own.height, dtype=pl.String, eager=True)
        .scatter([*found], [step.note for step in found.values()])
        .alias("counter_note"),
    )
    # Elsewhere a reading that simply goes on, and did so before, is as it was.
    noted = reach.noted.filter(pl.col("device") == own["device"][0])["ts"]
    may_differ = (
        own.select(_is_changed(reach)).to_series()
        | rows["counter_note"].is_not_null()
        | rows["ts"].is_in(noted.implode())
    )
    reached = rows.filter(may_differ & (pl.int_range(own.height, eager=True) >= first))
    return reached if reach.until is None else reached.filter(pl.col("ts") <= reach.until)


def _by_power(readings: pl.DataFrame, marked: pl.DataFrame) -> pl.DataFrame:
    """Compute the energy of readings with power and no counter, of which none lies within ALONE."""
    lone = readings.filter(pl.col("counter_total").is_null(), pl.col("power_w").is_not_null())
    if lone.is_empty():
        return pl.DataFrame(schema=_ENERGY)
    times = marked.select("device", "ts", read="ts").sort("ts")
    near = lone.select("device", "ts", "power_w").sort("ts")
    near = near.join_asof(times, on="ts", by="device", strategy="nearest", check_sortedness=False).filter(
        (pl.col("read") - pl.col("ts")).abs().fill_null(timedelta.max) > ALONE
    )
    return near.select(
        "device",
        "ts",
        energy_wh=divided(pl.col("power_w"), 60),
        since=pl.lit(None, UTC_TIME),
        energy_source=pl.lit("power"),
        counter_note=pl.lit(None, pl.String),
    )


def _less(by_counter: pl.DataFrame, by_power: pl.DataFrame, marked: pl.DataFrame) -> pl.DataFrame:
    """Take from each step of a counter the energy that its power told since the reading before, if it can."""
    readings = marked.select("device", "ts").with_columns(next="ts").sort("ts")
    told = (
        by_power.sort("ts")
        .join_asof(readings, on="ts", by="device", strategy="forward", check_sortedness=False)
        .group_by("device", "next", maintain_order=True)
        # A list: its order of adding, and so the last bit of its sum, is always the same.
        .agg("energy_wh")
        .select("device", ts="next", told=pl.col("energy_wh").list.sum())
    )
    rest = (pl.col("energy_wh") - pl.col("told").fill_null(0.0)).clip(lower_bound=0.0)
    return (
        by_counter.join(told, on=["device", "ts"], how="left", maintain_order="left")
        .with_columns(energy_wh=rest)
        .select(by_counter.columns)
    )
