"""Clocks: the seconds that devices state against the minute that their file states."""

import polars as pl

from domotic_assets.quality.verdict import Breach, Verdict

CLOCKS = ("plugs.timePlug", "consumptions.timeConsumption")

DRIFT_SECONDS = 300
"""A device may lag its file by some minutes: the file holds its last report."""

HOUR = 3600


def clocks(readings: pl.DataFrame) -> Verdict:
    """Devices, or homes as a whole, whose clock is off by minutes.

    readings: ts, home, device, value (unix seconds) of CLOCKS. Where every device of a home says the
    same it is the home's own clock that is wrong, and with it every minute that it stamps: an ERROR.
    """
    offsets = (
        readings.drop_nulls("value")
        .with_columns(offset=pl.col("value") - pl.col("ts").dt.epoch("s"))
        .group_by("home", "device")
        .agg(offset=pl.col("offset").median(), readings=pl.len())
        .sort("home", "device")
    )
    breaches: list[Breach] = []
    for (home,), own in offsets.group_by("home", maintain_order=True):
        off = own.filter(pl.col("offset").abs() > DRIFT_SECONDS)
        together = off.height == own.height > 1 and _spread(off) <= DRIFT_SECONDS
        if together:
            seconds = off.select(pl.col("offset").median()).item()
            breaches.append(Breach(str(home), _reason(seconds), "ERROR", _figures(-seconds), str(home)))
            continue
        breaches += [
            Breach(row["device"], "device_clock", "WARN", _figures(row["offset"]), row["home"])
            for row in off.iter_rows(named=True)
        ]
    return Verdict(breaches, {"clocks compared": offsets.height})


def _spread(offsets: pl.DataFrame) -> float:
    spread: float = offsets.select(pl.col("offset").max() - pl.col("offset").min()).item()
    return spread


def _reason(seconds: float) -> str:
    """Off by whole hours it is the zone and not the clock."""
    hours = round(seconds / HOUR)
    return "clock_zone" if hours and abs(seconds - hours * HOUR) <= DRIFT_SECONDS else "home_clock"


def _figures(seconds: float) -> dict[str, str | float]:
    return {"minutes ahead": round(seconds / 60, 1)}
