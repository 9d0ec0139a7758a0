"""Computes the keys that all facts share: surrogate keys of ids, the UTC minute and the local date."""

from collections.abc import Mapping

import polars as pl

from domotic_assets.schemas.table import Table, surrogate_key


def key_of(column: str) -> pl.Expr:
    """Compute surrogate keys of a column of natural ids, null for null; each distinct id is hashed once."""
    return pl.col(column).map_batches(_keys, return_dtype=pl.Int64)


def _keys(ids: pl.Series) -> pl.Series:
    """Compute the surrogate key of each natural id, null for null; each distinct id is hashed once."""
    distinct = ids.drop_nulls().unique()
    keys = pl.Series([surrogate_key(natural_id) for natural_id in distinct], dtype=pl.Int64)
    return ids.replace_strict(distinct, keys, default=None, return_dtype=pl.Int64)


def datetime_key(column: str = "ts") -> pl.Expr:
    """Convert UTC times to minute keys, YYYYMMDDHHMM; in UTC the repeated autumn hour stays unique."""
    ts = pl.col(column).dt
    minute = ts.hour().cast(pl.Int64) * 100 + ts.minute()
    return (date_key(ts.date()).cast(pl.Int64) * 10_000 + minute).alias("datetime_key")


def time_of_key(column: str) -> pl.Expr:
    """Convert minute keys to UTC times."""
    return pl.col(column).cast(pl.String).str.to_datetime("%Y%m%d%H%M", time_unit="us", time_zone="UTC")


def date_key(dates: pl.Expr) -> pl.Expr:
    """Convert dates to date keys, YYYYMMDD."""
    return (dates.dt.year() * 10_000 + dates.dt.month().cast(pl.Int32) * 100 + dates.dt.day()).cast(pl.Int32)


def local_date(zones: Mapping[str, str], home: str = "home", ts: str = "ts") -> pl.Expr:
    """Find the date that each home's clock shows; zones: home id to IANA zone, UTC for a home without one."""
    by_zone: dict[str, list[str]] = {}
    for home_id, zone in zones.items():
        by_zone.setdefault(zone, []).append(home_id)
    # A home that left the registry keeps its rows, dated by UTC: its events are still in the lake.
    chosen = pl.col(ts).dt.date()
    for zone, homes in by_zone.items():
        local = pl.col(ts).dt.convert_time_zone(zone).dt.date()
        chosen = pl.when(pl.col(home).is_in(homes)).then(local).otherwise(chosen)
    return chosen


def minute_fact(rows: pl.DataFrame, table: Table, zones: Mapping[str, str]) -> pl.DataFrame:
    """Shape rows as a minute fact: add the time keys, then select and cast the table's columns.

    rows: with `ts` (UTC), `home` and all other columns of the table. zones: home id to IANA zone.
    """
    keys = {
        "datetime_key": datetime_key(),
        "date_key": date_key(pl.col("local_date")),
        "utc_date": pl.col("ts").dt.date(),
    }
    # A column of its own: an expression is evaluated at each use, and date_key uses the date three times.
    rows = rows.with_columns(local_date=local_date(zones))
    return rows.with_columns(**keys).select(pl.col(name).cast(dtype) for name, dtype in table.schema.items())
