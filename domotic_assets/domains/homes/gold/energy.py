"""Computes energy by minute: counter differences of plugs, integrated power of house meters, cost by tariff.

A counter is judged against its neighbours in the data, before and after, never against "the previous run". So
the result is the same however the feed was cut into runs.

Why: docs/decisions/0003-whole-minutes-and-anchors.md
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import polars as pl

from domotic_assets.domains.homes.gold.tariffs import price_of_minutes
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.gold import FACT_ENERGY_MINUTE
from domotic_assets.star.arithmetic import divided
from domotic_assets.star.keys import key_of, minute_fact

PLUG_VARIABLES = ("plugs.power", "plugs.total", "plugs.is_valid")
HOUSE_VARIABLES = (
    "consumptions.total_power",
    *(f"consumptions.power{n}" for n in (1, 2, 3)),
    *(f"consumptions.is_valid{n}" for n in (1, 2, 3)),
)
VARIABLES = (*PLUG_VARIABLES, *HOUSE_VARIABLES)

_ID = ("ts", "home", "room", "device")
_STEPS = ("device", "ts", "energy_wh", "is_sound")


def counter_steps(
    minutes: Sequence[int],
    counters: Sequence[float],
    bound_w: float,
    level: tuple[int, float] | None = None,
) -> list[tuple[float, bool]]:
    """Compute for each reading of a counter its energy in Wh since the one before, and whether it is sound.

    minutes: minute of each reading, strictly rising. counters: accepted readings in Wh. bound_w: the most
    power that the device can draw. level: minute and Wh of the reading before the first; None at the very
    first reading, which adds nothing.

    A lower reading is a restart at 0 and adds its own value, unless the next one is back at or above the
    level: then it was a glitch and adds nothing. A step that needs more power than the bound adds nothing,
    and becomes the level only if the next reading continues from it.
    """
    steps: list[tuple[float, bool]] = []
    last = len(counters) - 1
    for place, (minute, counter) in enumerate(zip(minutes, counters, strict=True)):
        if level is None:
            steps.append((0.0, True))
            level = (minute, counter)
            continue
        since, before = level
        following = counters[place + 1] if place < last else None
        if counter < before and following is not None and following >= before:
            steps.append((0.0, False))
            continue
        step = counter - before if counter >= before else counter
        if step * 60 <= bound_w * (minute - since):
            steps.append((step, True))
            level = (minute, counter)
            continue
        steps.append((0.0, False))
        if following is not None and _goes_on(minute, counter, minutes[place + 1], following, bound_w):
            level = (minute, counter)
    return steps


def _goes_on(minute: int, counter: float, next_minute: int, following: float, bound_w: float) -> bool:
    """Return whether a counter's next reading rises no faster than the bound allows, and does not fall.

    minute, next_minute: minutes of the two readings. counter, following: the two readings in Wh. bound_w:
    most power in W.
    """
    return 0 <= (following - counter) * 60 <= bound_w * (next_minute - minute)


def plug_readings(events: pl.DataFrame) -> pl.DataFrame:
    """Pivot plug events to one row per plug and minute.

    Columns: ts, home, room, device, power_w, counter_total, is_valid. An invalid reading gives neither power
    nor counter. Power out of bounds is null, and so is a counter below zero, which no meter shows.
    """
    power, total, valid = PLUG_VARIABLES
    sound = pl.col(valid).fill_null(1.0) == 1.0
    in_bounds = ~pl.col(f"{power} outlier")
    counts = pl.col(total) >= 0
    return (
        _pivot(events, PLUG_VARIABLES)
        .filter(pl.any_horizontal(pl.col(power, total).is_not_null()))
        .select(
            *_ID,
            power_w=pl.when(sound & in_bounds).then(power),
            counter_total=pl.when(sound & counts).then(total),
            is_valid=sound & in_bounds & counts.fill_null(True),
        )
    )


def house_readings(events: pl.DataFrame) -> pl.DataFrame:
    """Pivot house-meter events to one row per meter and minute, shaped as `plug_readings`, without a counter.

    If a phase is invalid, the power is the sum of the valid ones. Power out of bounds is null.
    """
    total, *rest = HOUSE_VARIABLES
    phases, valids = rest[:3], rest[3:]
    wide = _pivot(events, HOUSE_VARIABLES).filter(pl.any_horizontal(pl.col(total, *phases).is_not_null()))
    valid = [pl.col(name).fill_null(1.0) == 1.0 for name in valids]
    good = [
        pl.when(pl.col(phase).is_not_null() & ~pl.col(f"{phase} outlier")).then(phase) for phase in phases
    ]
    # A null among the valid phases makes the sum null: without that phase it is not the house's power.
    valid_sum = pl.sum_horizontal(
        *(pl.when(ok).then(value).otherwise(0.0) for ok, value in zip(valid, good, strict=True)),
        ignore_nulls=False,
    )
    all_valid = pl.all_horizontal(*valid)
    power = (
        pl.when(all_valid)
        .then(pl.when(~pl.col(f"{total} outlier")).then(total))
        .when(pl.any_horizontal(*valid))
        .then(valid_sum)
    )
    return wide.select(
        *_ID,
        power_w=power,
        counter_total=pl.lit(None, pl.Float64),
        is_valid=all_valid & power.is_not_null(),
    )


def _pivot(events: pl.DataFrame, variables: Sequence[str]) -> pl.DataFrame:
    """Pivot events to one row per device and minute: a column per variable, and `<variable> outlier`."""
    of = {name: pl.col("variable") == name for name in variables}
    return (
        events.filter(pl.col("variable").is_in(variables))
        .group_by(_ID, maintain_order=True)
        .agg(
            *(pl.col("value").filter(condition).first().alias(name) for name, condition in of.items()),
            *(
                pl.col("is_outlier").filter(condition).any().alias(f"{name} outlier")
                for name, condition in of.items()
            ),
        )
    )


def anchors(readings: pl.DataFrame, bound_w: float) -> pl.DataFrame:
    """Mark the anchors among accepted counter readings, one row per reading, by device and time.

    Columns: device, ts, counter_total, `before` (ts of the device's previous reading, null for the first) and
    is_anchor. An anchor is at or above the reading before it and within the bound. The level after it does
    not depend on anything earlier, so a recalculation may start after any anchor and end at the second one
    after the change.
    """
    # Sorted by device and time, the row before is the device's previous reading if it is of the same device.
    follows = pl.col("device") == pl.col("device").shift()
    minutes = (pl.col("ts") - pl.col("before")).dt.total_minutes()
    rise = pl.col("counter_total") - pl.col("counter_total").shift()
    return (
        readings.filter(pl.col("counter_total").is_not_null())
        .sort("device", "ts")
        .select("device", "ts", "counter_total", before=pl.when(follows).then(pl.col("ts").shift()))
        .with_columns(
            is_anchor=pl.when(follows).then((rise * 60).is_between(0, bound_w * minutes)).fill_null(False)
        )
    )


def energy_steps(readings: pl.DataFrame, first: datetime, last: datetime, bound_w: float) -> pl.DataFrame:
    """Compute the energy of every counter reading that a change in [first, last] can affect.

    readings: `plug_readings` from the reading before an anchor earlier than `first` (or the very first) to
    the first anchor after `last` whose previous reading is also after `last` (or the very last). Returns one
    row per device and reading: device, ts, energy_wh, is_sound.
    """
    place, begin = pl.col("place"), pl.col("begin")
    marked = anchors(readings, bound_w).with_columns(place=pl.int_range(pl.len()).over("device"))
    reach = marked.group_by("device").agg(
        # Judging begins after the last anchor before `first`, or at the very first reading.
        begin=place.filter("is_anchor", pl.col("ts") < first).max().add(1).fill_null(0),
        end=place.filter("is_anchor", pl.col("before") > last).min().fill_null(pl.len() - 1),
    )
    judged = (
        marked.join(reach, on="device", maintain_order="left")
        .filter(place.is_between(begin - 1, "end"))
        # The first row is the level from which the others continue.
        .with_columns(goes_on=(pl.col("is_anchor") | (place == (begin - 1).clip(0))).all().over("device"))
    )
    # Nearly every counter only rises: all of those need one subtraction of columns.
    rises = (
        judged.filter("goes_on")
        .with_columns(energy_wh=pl.col("counter_total").diff().over("device").fill_null(0.0), is_sound=True)
        .filter(place >= begin)
    )
    others = judged.filter(~pl.col("goes_on")).partition_by("device", maintain_order=True)
    return pl.concat(
        [rises.select(_STEPS), *(_steps_of(own, own["begin"][0] == 0, bound_w) for own in others)]
    )


def _steps_of(readings: pl.DataFrame, from_first: bool, bound_w: float) -> pl.DataFrame:
    """Compute one device's steps reading by reading: device, ts, energy_wh, is_sound.

    from_first: whether the readings begin with the device's very first one. If not, the first reading has no
    step: it is only what the next one is compared with.
    """
    minutes = (readings["ts"].dt.epoch("s") // 60).to_list()
    counters = readings["counter_total"].to_list()
    level = None if from_first else (minutes[0], counters[0])
    skip = 0 if from_first else 1
    steps = counter_steps(minutes[skip:], counters[skip:], bound_w, level)
    return readings[skip:].select(
        "device",
        "ts",
        energy_wh=pl.Series([energy for energy, _ in steps], dtype=pl.Float64),
        is_sound=pl.Series([sound for _, sound in steps], dtype=pl.Boolean),
    )


def lacking_context(
    readings: pl.DataFrame, devices: Collection[str], first: datetime, last: datetime, bound_w: float
) -> tuple[set[str], set[str]]:
    """Find the devices that need readings from further back, and those that need readings from further on.

    The first set has no anchor before `first`, the second no anchor whose previous reading is after `last`.
    devices: those to judge, with or without readings.
    """
    marked = anchors(readings, bound_w)
    early = marked.filter("is_anchor", pl.col("ts") < first)["device"]
    late = marked.filter("is_anchor", pl.col("before") > last)["device"]
    return set(devices) - set(early), set(devices) - set(late)


def energy_minutes(
    events: pl.DataFrame,
    plugs: pl.DataFrame,
    minutes: pl.Series,
    first: datetime,
    last: datetime,
    registry: Registry,
) -> pl.DataFrame:
    """Build FACT_ENERGY_MINUTE rows of the given minutes, and of the readings that a change in them affects.

    events: of VARIABLES, with the context that `energy_steps` needs. plugs: their `plug_readings`. minutes:
    those to rebuild, all within [first, last].
    """
    steps = energy_steps(plugs, first, last, registry.settings.plug_power_bound_w)
    inside = pl.col("ts").is_in(minutes.implode())
    plug_rows = (
        plugs.join(steps, on=["device", "ts"], how="left")
        .filter(inside | pl.col("energy_wh").is_not_null())
        .with_columns(is_valid=pl.col("is_valid") & pl.col("is_sound").fill_null(True))
        .drop("is_sound")
    )
    house_rows = house_readings(events.filter(inside)).with_columns(energy_wh=divided(pl.col("power_w"), 60))
    rows = pl.concat([plug_rows.select(house_rows.columns), house_rows])
    priced = price_of_minutes(rows.with_columns(energy_kwh=divided(pl.col("energy_wh"), 1000)), registry)
    return minute_fact(
        priced.with_columns(
            cost_chf=pl.col("energy_kwh") * pl.col("chf_per_kwh"),
            device_key=key_of("device"),
            room_key=key_of("room"),
            apartment_key=key_of("home"),
        ),
        FACT_ENERGY_MINUTE,
        registry.time_zones(),
    )
