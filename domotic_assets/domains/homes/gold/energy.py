"""Builds the energy fact by minute: readings of plugs and house meters, their energy, and what it costs.

What a plug's counter adds is computed in `plug_energy`.
"""

from collections.abc import Sequence

import polars as pl

from domotic_assets.domains.homes.gold.plug_energy import ALONE, Reach, plug_energy
from domotic_assets.domains.homes.gold.tariffs import cost_of
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.counter_notes import ADDS_NOTHING
from domotic_assets.schemas.homes.gold import FACT_ENERGY_MINUTE
from domotic_assets.schemas.table import UTC_TIME
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

    The power is the total that the meter states. If a phase is invalid, or there is no sound total, it is the
    sum of the valid phases. Power out of bounds is null.
    """
    total, *rest = HOUSE_VARIABLES
    phases, valids = rest[:3], rest[3:]
    wide = _pivot(events, HOUSE_VARIABLES).filter(pl.any_horizontal(pl.col(total, *phases).is_not_null()))
    valid = [pl.col(name).fill_null(1.0) == 1.0 for name in valids]
    good = [
        pl.when(pl.col(phase).is_not_null() & ~pl.col(f"{phase} outlier")).then(phase) for phase in phases
    ]
    # A null among the valid phases makes the sum null: without that phase it is not the house's power.
    # A phase of which the meter says nothing at all is none: it may have one or two.
    told = [
        pl.col(phase).is_not_null() | pl.col(flag).is_not_null()
        for phase, flag in zip(phases, valids, strict=True)
    ]
    valid_sum = pl.sum_horizontal(
        *(
            pl.when(ok & here).then(value).otherwise(0.0)
            for ok, here, value in zip(valid, told, good, strict=True)
        ),
        ignore_nulls=False,
    )
    all_valid, in_bounds = pl.all_horizontal(*valid), ~pl.col(f"{total} outlier")
    power = (
        pl.when(all_valid & in_bounds & pl.col(total).is_not_null())
        .then(total)
        .when(pl.any_horizontal(*(ok & here for ok, here in zip(valid, told, strict=True))))
        .then(valid_sum)
    )
    return wide.select(
        *_ID,
        power_w=power,
        counter_total=pl.lit(None, pl.Float64),
        is_valid=all_valid & in_bounds & power.is_not_null(),
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


def energy_minutes(
    events: pl.DataFrame,
    plugs: pl.DataFrame,
    marked: pl.DataFrame,
    minutes: pl.Series,
    reach: Reach,
    registry: Registry,
) -> pl.DataFrame:
    """Build FACT_ENERGY_MINUTE rows of the given minutes, and of the readings that a change in them affects.

    events: of VARIABLES. plugs: `plug_readings`, with the context that `plug_energy` needs; marked: those
    that are `counted`. minutes: those to rebuild, all within `reach`.
    """
    inside = pl.col("ts").is_in(minutes.implode())
    # A counter read nearby takes the energy of such a reading, or leaves it to its power.
    alone = pl.col("counter_total").is_null() & pl.col("ts").is_between(
        reach.first - ALONE, reach.last + ALONE
    )
    steps = plug_energy(plugs, marked, reach, registry.settings)
    plug_rows = (
        plugs.join(steps, on=["device", "ts"], how="left")
        .filter(inside | alone | pl.col("energy_source").is_not_null())
        .with_columns(
            is_valid=pl.col("is_valid") & ~pl.col("counter_note").is_in(ADDS_NOTHING).fill_null(False)
        )
    )
    house_rows = house_readings(events.filter(inside)).with_columns(
        energy_wh=divided(pl.col("power_w"), 60),
        since=pl.lit(None, UTC_TIME),
        energy_source=pl.when(pl.col("power_w").is_not_null()).then(pl.lit("power")),
        counter_note=pl.lit(None, pl.String),
    )
    rows = pl.concat([plug_rows.select(house_rows.columns), house_rows])
    net = pl.col("energy_kwh")
    priced = cost_of(
        rows.with_columns(energy_kwh=divided(pl.col("energy_wh"), 1000)).with_columns(
            energy_import_kwh=net.clip(lower_bound=0.0), energy_export_kwh=(-net).clip(lower_bound=0.0)
        ),
        registry,
    )
    return minute_fact(
        priced.with_columns(
            device_key=key_of("device"), room_key=key_of("room"), apartment_key=key_of("home")
        ),
        FACT_ENERGY_MINUTE,
        registry.time_zones(),
    )
