"""Checks meters: readings that fall (negative, swapped, restarted, glitch), and power their meter denies."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from domotic_assets.quality.verdict import Breach, Figures, Severity, Verdict, error_if

POWER_FACTOR, POWER_LEAST_WH = 10.0, 50.0
"""Factor between summed power and the meter's rise from which it is a breach, once either is this many Wh."""

PLUGS_OVER_HOUSE_WARN, PLUGS_OVER_HOUSE_ERROR, BALANCE_LEAST_WH = 1.1, 2.0, 200.0
"""Ratios of all plugs to the house meter, and the margin in Wh on top: a little more is sampling, twice is a
wrong meter."""

HOUSE_COVERAGE = 0.95
"""Share of minutes with a house-meter reading that a balance needs: no counter makes up for a missing one."""

_REASONS: Mapping[str, tuple[Severity, str]] = {
    "counter_negative": ("ERROR", "below zero, which no meter shows"),
    "counter_backwards": ("ERROR", "lower than before, and not from zero"),
    "rooms_swapped": ("ERROR", "two meters go on from each other's level"),
    "counter_restarted": ("WARN", "starts again from zero"),
    "counter_glitch": ("WARN", "lower for a single reading"),
}


def counters(readings: pl.DataFrame, bound_w: float) -> Verdict:
    """Find meters whose readings fall.

    readings: ts, home, device, value (Wh) of a counter, in bounds or not. bound_w: the most power that a
    device can draw, by which a restart and a swap differ from a jump.
    """
    series = readings.drop_nulls("value").sort("device", "ts")
    around = series.with_columns(
        before=pl.col("value").shift().over("device"),
        after=pl.col("value").shift(-1).over("device"),
        most=(pl.col("ts") - pl.col("ts").shift().over("device")).dt.total_seconds() * bound_w / 3600,
    )
    negative = around.filter(pl.col("value") < 0)
    fallen = around.filter(pl.col("value") >= 0, pl.col("value") < pl.col("before"))
    risen = around.filter(pl.col("value") - pl.col("before") > pl.col("most"))
    found: list[tuple[Mapping[str, Any], str, str | None]] = []
    found += [(row, "counter_negative", None) for row in negative.iter_rows(named=True)]
    found += [(row, *_fall(row, risen)) for row in fallen.iter_rows(named=True)]
    return Verdict(_by_device(found), {"readings": series.height, "falls": fallen.height})


def _fall(row: Mapping[str, Any], risen: pl.DataFrame) -> tuple[str, str | None]:
    """Classify a lower reading: its reason code, and for swapped rooms the other device, else None.

    row: ts, home, value, the readings before and after, and `most`, the Wh that it may rise since the one
    before. risen: readings of all devices that rose by more than their `most`.
    """
    if row["after"] is not None and row["after"] >= row["before"]:
        return "counter_glitch", None
    goes_on_here = pl.col("before").is_between(row["value"] - row["most"], row["value"])
    goes_on_there = pl.col("value").is_between(row["before"], row["before"] + row["most"])
    same = (pl.col("home") == row["home"]) & (pl.col("ts") == row["ts"])
    others = risen.filter(same & goes_on_here & goes_on_there)
    if not others.is_empty():
        return "rooms_swapped", others["device"][0]
    return "counter_restarted" if row["value"] <= row["most"] else "counter_backwards", None


def _by_device(found: Iterable[tuple[Mapping[str, Any], str, str | None]]) -> list[Breach]:
    """Build one breach per device and reason, with the number of its readings and figures of the first.

    found: readings, each with its reason code and, for swapped rooms, the other device.
    """
    grouped: dict[tuple[str, str], list[tuple[Mapping[str, Any], str | None]]] = {}
    for row, reason, other in found:
        grouped.setdefault((row["device"], reason), []).append((row, other))
    breaches = []
    for (device, reason), struck in sorted(grouped.items()):
        first, other = struck[0]
        severity, meaning = _REASONS[reason]
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

    energy: device, home, category, power_w, energy_wh, one row a minute.
    """
    sums = (
        energy.filter(pl.col("category") == "plugs")
        .drop_nulls(["power_w", "energy_wh"])
        .group_by("home", "device")
        .agg(from_power=pl.col("power_w").sum() / 60, from_meter=pl.col("energy_wh").sum(), minutes=pl.len())
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


def balance(energy: pl.DataFrame, minutes: int) -> Verdict:
    """Find homes whose plugs together used more than their house meter shows.

    energy: as in `power_against_meter`. minutes: the length of the span; a house meter with readings in less
    than HOUSE_COVERAGE of it is not compared.
    """
    sums = energy.group_by("home").agg(
        plugs=pl.col("energy_wh").filter(pl.col("category") == "plugs").sum(),
        house=pl.col("energy_wh").filter(pl.col("category") == "consumptions").sum(),
        covered=pl.col("energy_wh").filter(pl.col("category") == "consumptions").count(),
    )
    compared = sums.filter(pl.col("covered") >= HOUSE_COVERAGE * minutes)
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
    return Verdict(breaches, {"homes compared": compared.height})
