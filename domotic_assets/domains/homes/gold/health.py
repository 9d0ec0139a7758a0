"""Computes device health by local day: minutes expected, minutes missing, errors and battery charge."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from domotic_assets.domains.homes.gold.places import begins_of_runs
from domotic_assets.localtime import MINUTE, local_day_bounds
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.gold import FACT_DEVICE_HEALTH_DAY
from domotic_assets.schemas.homes.variables import BATTERY_VARIABLES, VALIDITY_VARIABLES
from domotic_assets.star.keys import date_key, key_of, local_date

_DEVICE_DAY = ["device", "local_date"]


def lifetimes(devices: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """Build one row per device: home, room, first_ts, first_date (local), and last_date, its home's last one.

    devices: Silver `DEVICES`, one row per device and UTC date.
    """
    zones = registry.time_zones()
    last_day = devices.group_by("home").agg(pl.col("last_ts").max())
    last_day = last_day.with_columns(last_date=local_date(zones, ts="last_ts")).drop("last_ts")
    return (
        devices.sort("utc_date")
        .group_by("device")
        .agg(pl.col("home", "room").last(), pl.col("first_ts").min())
        .with_columns(first_date=local_date(zones, ts="first_ts"))
        .join(last_day, on="home")
    )


def expected_days(devices: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """List the health rows that must exist, one per device and local date.

    Columns: device, home, room, first_ts, local_date.
    """
    return (
        lifetimes(devices, registry)
        .with_columns(local_date=pl.date_ranges("first_date", "last_date"))
        .explode("local_date")
        .drop("first_date", "last_date")
    )


def days_to_refresh(
    devices: pl.DataFrame, held: pl.DataFrame, touched: Collection[date], registry: Registry
) -> list[date]:
    """List the local dates whose health rows may differ from those held, oldest first.

    These are: dates whose devices are not the ones held (a home fell silent); the old and the new first date
    of a device that begins earlier or later than before; and the touched dates, whose minutes changed. If any
    date was touched, also all dates from that of the newest reading on, as held or as wanted, whichever is
    earlier: the expected minutes end there. held: local_date and device_key of FACT_DEVICE_HEALTH_DAY.
    """
    wanted = expected_days(devices, registry).select("local_date", device_key=key_of("device"))
    on = ["local_date", "device_key"]
    differing = pl.concat(
        [wanted.join(held, on=on, how="anti"), held.select(on).join(wanted, on=on, how="anti")]
    )
    firsts = [frame.group_by("device_key").agg(pl.col("local_date").min()) for frame in (wanted, held)]
    began = pl.concat(firsts).filter(~pl.struct(on).is_duplicated())
    days = {*differing["local_date"].to_list(), *began["local_date"].to_list(), *touched}
    if touched and not held.is_empty() and not wanted.is_empty():
        last = min(max(held["local_date"].to_list()), max(wanted["local_date"].to_list()))
        if len(set(registry.time_zones().values())) > 1:
            # For a home further west the same moment is on the date before.
            last -= timedelta(days=1)
        days |= {day for day in wanted["local_date"].unique().to_list() if day >= last}
    return sorted(days)


@dataclass(frozen=True)
class Seen:
    """Counts of what devices sent, by local date, in some minutes; counts of disjoint minutes add up.

    counts: device, local_date, present (minutes with a reading), wrong (outliers and readings that the feed
    marks invalid). levels: device, local_date, value (battery charge), readings (how often it was read).
    """

    counts: pl.DataFrame
    levels: pl.DataFrame


def seen_in(events: pl.DataFrame, registry: Registry) -> Seen:
    """Count what devices sent in the minutes of these Silver events, which hold all events of each minute."""
    dated = local_date(registry.time_zones()).alias("local_date")
    present = (
        events.select("ts", "home", "device")
        .filter(begins_of_runs(events))
        .unique(["device", "ts"])
        .with_columns(dated)
        .group_by(_DEVICE_DAY)
        .agg(present=pl.len().cast(pl.Int64))
    )
    invalid = pl.col("variable").is_in(VALIDITY_VARIABLES) & (pl.col("value") == 0.0)
    wrong = (
        events.filter(pl.col("is_outlier") | invalid)
        .with_columns(dated)
        .group_by(_DEVICE_DAY)
        .agg(wrong=pl.len().cast(pl.Int64))
    )
    charge = pl.col("variable").is_in(BATTERY_VARIABLES) & ~pl.col("is_outlier")
    return Seen(
        present.join(wrong, on=_DEVICE_DAY, how="left").with_columns(pl.col("wrong").fill_null(0)),
        events.filter(charge & pl.col("value").is_not_null())
        .with_columns(dated)
        .group_by(*_DEVICE_DAY, "value")
        .agg(readings=pl.len().cast(pl.Int64)),
    )


def seen_together(parts: Iterable[Seen]) -> Seen:
    """Add up the counts of disjoint minutes."""
    counts, levels = zip(*((part.counts, part.levels) for part in parts), strict=True)
    return Seen(
        pl.concat(counts).group_by(_DEVICE_DAY).agg(pl.col("present", "wrong").sum()),
        pl.concat(levels).group_by(*_DEVICE_DAY, "value").agg(pl.col("readings").sum()),
    )


def health_days(
    seen: Seen,
    rejects: pl.DataFrame,
    devices: pl.DataFrame,
    days: Collection[date],
    registry: Registry,
) -> pl.DataFrame:
    """Build FACT_DEVICE_HEALTH_DAY rows of the given local dates.

    seen, rejects: of all minutes of these dates in every home's zone. devices: all of Silver `DEVICES`.
    """
    zones = registry.time_zones()
    expected = expected_days(devices, registry).filter(pl.col("local_date").is_in(list(days)))
    newest: datetime = devices["last_ts"].max()  # type: ignore[assignment]
    expected = expected.with_columns(expected=_expected_minutes(expected, newest, zones))
    charges = (
        # Sorted, as a sum of floats depends on the order.
        seen.levels.sort(*_DEVICE_DAY, "value")
        .group_by(_DEVICE_DAY, maintain_order=True)
        .agg(
            battery_min_pct=pl.col("value").min(),
            battery_avg_pct=(pl.col("value") * pl.col("readings")).sum() / pl.col("readings").sum(),
        )
    )
    refused = (
        rejects.filter(pl.col("minute").is_not_null() & pl.col("device").is_not_null())
        .with_columns(local_date=local_date(zones, ts="minute"))
        .group_by(_DEVICE_DAY)
        .agg(refused=pl.len().cast(pl.Int64))
    )
    rows = (
        expected.join(seen.counts, on=_DEVICE_DAY, how="left")
        .join(charges, on=_DEVICE_DAY, how="left")
        .join(refused, on=_DEVICE_DAY, how="left")
        .with_columns(pl.col("present", "wrong", "refused").fill_null(0))
        .with_columns(
            date_key=date_key(pl.col("local_date")),
            device_key=key_of("device"),
            room_key=key_of("room"),
            apartment_key=key_of("home"),
            error_count=pl.col("wrong") + pl.col("refused"),
            missing_readings=pl.col("expected") - pl.col("present"),
            uptime_pct=pl.when(pl.col("expected") > 0).then(pl.col("present") / pl.col("expected") * 100),
        )
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in FACT_DEVICE_HEALTH_DAY.schema.items())


def _expected_minutes(expected: pl.DataFrame, newest: datetime, zones: dict[str, str]) -> pl.Series:
    """Count the minutes of each row's local day from the device's first reading to the newest of all data."""
    numbers: list[int] = []
    for home, day, first in expected.select("home", "local_date", "first_ts").iter_rows():
        start, end = local_day_bounds(day, zones.get(home, "UTC"))
        span = min(end, newest + MINUTE) - max(start, first)
        numbers.append(max(span, timedelta(0)) // MINUTE)
    return pl.Series(numbers, dtype=pl.Int64)


def local_days_of(minutes: pl.DataFrame, registry: Registry) -> list[date]:
    """List the local dates of (home, minute) pairs, oldest first."""
    if minutes.is_empty():
        return []
    return sorted(
        minutes.select(local_date(registry.time_zones(), ts="minute").alias("day"))["day"].unique().to_list()
    )


def utc_dates_of(days: Collection[date]) -> list[date]:
    """List the UTC dates that can hold minutes of these local dates, whatever the zone."""
    around = {day + timedelta(days=offset) for day in days for offset in (-1, 0, 1)}
    return sorted(around)
