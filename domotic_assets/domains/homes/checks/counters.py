"""Checks meters: what counters did, power that their meter denies, plugs that took more than the house."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from domotic_assets.domains.homes.gold.counters import SHORT
from domotic_assets.quality.verdict import Breach, Figures, Severity, Verdict, error_if
from domotic_assets.schemas.homes.counter_notes import NOTES
from domotic_assets.star.keys import time_of_key

POWER_FACTOR, POWER_LEAST_WH = 10.0, 50.0
"""Factor between summed power and the meter's rise from which it is a breach, once either is this many Wh."""

PLUGS_OVER_HOUSE_WARN, PLUGS_OVER_HOUSE_ERROR, BALANCE_LEAST_WH = 1.1, 2.0, 200.0
"""Ratios of all plugs to the house meter, and the margin in Wh on top: a little more is sampling, twice is a
wrong meter."""

HOUSE_COVERAGE = 0.95
"""Share of minutes with a house-meter reading that a balance needs: no counter makes up for a missing one."""

_NEGATIVE, _SWAPPED = "negative", "swapped"
_MEANINGS: Mapping[str, str] = {
    _NEGATIVE: "below zero, which no meter shows",
    _SWAPPED: "two meters go on from each other's level",
    **{str(note): meaning for note, meaning in NOTES.items()},
}
_REASONS: Mapping[str, tuple[str, Severity]] = {
    _NEGATIVE: ("counter_negative", "ERROR"),
    _SWAPPED: ("rooms_swapped", "ERROR"),
    "set_back": ("counter_set_back", "WARN"),
    "jump": ("counter_jumped", "WARN"),
    "restart": ("counter_restarted", "WARN"),
    "overflow": ("counter_overflowed", "WARN"),
    "dip": ("counter_dipped", "WARN"),
    "spike": ("counter_spiked", "WARN"),
}
"""Reason code and severity by what a counter did; the notes of Gold that are missing here are no news."""

NEAR = 1.05
"""Two meters are swapped if each goes on within this factor of the other's level."""


def counters(readings: pl.DataFrame) -> Verdict:
    """Find meters that do not simply count on, and say what they did.

    readings: ts, home, device, value (Wh) of a counter, believed or not, and counter_note, what Gold notes of
    it.
    """
    series = readings.drop_nulls("value").sort("device", "ts")
    around = series.with_columns(before=pl.col("value").shift().over("device"))
    negative = around.filter(pl.col("value") < 0)
    noted = around.filter(pl.col("value") >= 0, pl.col("counter_note").is_in([*_REASONS]))
    jumped = noted.filter(pl.col("counter_note") == "jump")
    found: list[tuple[Mapping[str, Any], str, str | None]] = []
    found += [(row, _NEGATIVE, None) for row in negative.iter_rows(named=True)]
    swapped: set[tuple[str, datetime]] = set()
    for row in noted.filter(pl.col("counter_note") == "set_back").iter_rows(named=True):
        if (other := _swapped_with(row, jumped)) is not None:
            found.append((row, _SWAPPED, other))
            swapped |= {(row["device"], row["ts"]), (other, row["ts"])}
    found += [
        (row, row["counter_note"], None)
        for row in noted.iter_rows(named=True)
        if (row["device"], row["ts"]) not in swapped
    ]
    return Verdict(_by_device(found), {"readings": series.height, "not counting on": noted.height})


def _swapped_with(row: Mapping[str, Any], jumped: pl.DataFrame) -> str | None:
    """Find the device with which a lower reading changed places; None if there is none.

    row: ts, home, value and the reading before. jumped: the readings that rose without cause.
    """
    if row["before"] is None:
        return None
    goes_on_here = pl.lit(row["value"]).is_between(pl.col("before"), pl.col("before") * NEAR)
    goes_on_there = pl.col("value").is_between(row["before"], row["before"] * NEAR)
    same = (pl.col("home") == row["home"]) & (pl.col("ts") == row["ts"])
    others = jumped.filter(same & goes_on_here & goes_on_there)
    return None if others.is_empty() else str(others["device"][0])


def _by_device(found: Iterable[tuple[Mapping[str, Any], str, str | None]]) -> list[Breach]:
    """Build one breach per device and reason, with the number of its readings and figures of the first.

    found: readings, each with what its counter did and, for swapped rooms, the other device.
    """
    grouped: dict[tuple[str, str], list[tuple[Mapping[str, Any], str | None]]] = {}
    for row, did, other in found:
        grouped.setdefault((row["device"], did), []).append((row, other))
    breaches = []
    for (device, did), struck in sorted(grouped.items()):
        first, other = struck[0]
        (reason, severity), meaning = _REASONS[did], _MEANINGS[did]
        figures: Figures = {
            "times": len(struck),
            "first at": f"{first['ts']:%Y-%m-%d %H:%M} UTC",
            "before": first["before"],
            "reading": first["value"],
            "meaning": meaning if other is None else f"{meaning}: {other}",
        }
        breaches.append(Breach(device, reason, severity, figures, first["home"]))
    return breaches


def power_against_meter(energy: pl.DataFrame) -> Verdict:
    """Find plugs whose summed power differs from their meter's rise by POWER_FACTOR: another unit.

    energy: datetime_key, device, home, category, power_w, energy_wh, energy_source, counter_note, one row a
    minute. Gaps of over SHORT minutes are left out, as no power tells of them; so is what does not simply go
    on.
    """
    hours = pl.col("ts").diff().over("device").dt.total_minutes() / 60
    power = (pl.col("power_w") + pl.col("power_w").shift().over("device")) / 2
    sums = (
        energy.filter(pl.col("category") == "plugs", pl.col("energy_source") == "counter")
        .drop_nulls(["power_w", "energy_wh"])
        .with_columns(ts=time_of_key("datetime_key"))
        .sort("device", "ts")
        .with_columns(from_power=power * hours)
        .with_columns(hours=hours)
        .filter(
            pl.col("from_power").is_not_null(),
            pl.col("hours") * 60 <= SHORT,
            pl.col("counter_note").is_null(),
        )
        .group_by("home", "device")
        .agg(pl.col("from_power").sum(), from_meter=pl.col("energy_wh").sum())
        .filter(pl.max_horizontal("from_power", "from_meter") >= POWER_LEAST_WH)
    )
    apart = sums.filter(
        (pl.col("from_power") >= POWER_FACTOR * pl.col("from_meter"))
        | (pl.col("from_meter") >= POWER_FACTOR * pl.col("from_power"))
    ).sort("device")
    breaches = [
        Breach(
            row["device"],
            "power_denied_by_meter",
            "ERROR",
            {"Wh from power": round(row["from_power"], 1), "Wh from meter": round(row["from_meter"], 1)},
            row["home"],
        )
        for row in apart.iter_rows(named=True)
    ]
    return Verdict(breaches, {"plugs compared": sums.height})


def balance(energy: pl.DataFrame, houses: Collection[str], minutes: int) -> Verdict:
    """Find homes whose plugs together used more than their house meter shows, or whose meter only says 0.

    A home that fed in is not compared: its plugs may draw what never passes the meter.

    energy: device, home, room, category, energy_wh, one row a minute. houses: room ids whose meter is that of
    the home. minutes: the length of the span; a house meter with readings in less than HOUSE_COVERAGE of it
    is not compared.
    """
    of_house = pl.col("energy_wh").filter(
        pl.col("category") == "consumptions", pl.col("room").is_in([*houses])
    )
    sums = energy.group_by("home").agg(
        plugs=pl.col("energy_wh").filter(pl.col("category") == "plugs").sum(),
        house=of_house.sum(),
        covered=of_house.count(),
        fed_in=(of_house < 0).any(),
        says_zero=(of_house == 0).all() & (of_house.count() > 0),
    )
    silent = sums.filter("says_zero", pl.col("plugs") >= POWER_LEAST_WH).sort("home")
    compared = sums.filter(
        pl.col("covered") >= HOUSE_COVERAGE * minutes, ~pl.col("says_zero"), ~pl.col("fed_in")
    )
    over = compared.filter(pl.col("plugs") > PLUGS_OVER_HOUSE_WARN * pl.col("house") + BALANCE_LEAST_WH).sort(
        "home"
    )
    breaches = [
        Breach(
            row["home"],
            "plugs_over_house",
            error_if(row["plugs"] > PLUGS_OVER_HOUSE_ERROR * row["house"] + BALANCE_LEAST_WH),
            {"Wh of plugs": round(row["plugs"], 1), "Wh of house": round(row["house"], 1)},
            row["home"],
        )
        for row in over.iter_rows(named=True)
    ]
    breaches += [
        Breach(
            row["home"], "house_meter_says_zero", "WARN", {"Wh of plugs": round(row["plugs"], 1)}, row["home"]
        )
        for row in silent.iter_rows(named=True)
    ]
    return Verdict(breaches, {"homes compared": compared.height})
