"""Checks clocks: the time that devices state against the minute that their file states."""

import polars as pl

from domotic_assets.quality.verdict import Breach, Verdict

CLOCKS = ("plugs.timePlug", "consumptions.timeConsumption")

DRIFT_SECONDS = 300
"""Largest offset that is not reported: a device may lag by some minutes, as a file holds its last report."""

HOUR = 3600


def clocks(readings: pl.DataFrame) -> Verdict:
    """Find devices, or whole homes, whose clock is off by more than DRIFT_SECONDS.

    readings: ts, home, device, value (unix seconds) of CLOCKS. If all devices of a home are off alike, the
    home's own clock is wrong, and with it every minute that it stamps: an ERROR.
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
    """Compute the largest `offset` less the smallest, in seconds."""
    spread: float = offsets.select(pl.col("offset").max() - pl.col("offset").min()).item()
    return spread


def _reason(seconds: float) -> str:
    """Return the reason code: an offset of whole hours is the zone's fault, any other the clock's."""
    hours = round(seconds / HOUR)
    return "clock_zone" if hours and abs(seconds - hours * HOUR) <= DRIFT_SECONDS else "home_clock"


def _figures(seconds: float) -> dict[str, str | float]:
    """Build a breach's figures from seconds: by how many minutes the clock is ahead (negative: behind)."""
    return {"minutes ahead": round(seconds / 60, 1)}
