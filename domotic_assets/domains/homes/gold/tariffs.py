"""Builds the tariff dimension, and looks up the price of a minute at a home.

Prices come from the registry, which refuses overlaps. The energy of a minute is computed in `energy`.
"""

import polars as pl

from domotic_assets.registry.entry import WEEKDAYS
from domotic_assets.registry.homes import Band, Tariff
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.gold import DIM_TARIFF


def dim_tariff(registry: Registry) -> pl.DataFrame:
    """Build `DIM_TARIFF`: one row for each time-of-use band of each tariff in sites.yaml.

    Columns: provider, the local dates valid_from and valid_to (exclusive; null while it holds), band, days
    (its weekdays, comma-separated), local_from and local_to (HH:MM, exclusive), chf_per_kwh.
    """
    rows = [
        (
            tariff.provider,
            tariff.valid_from,
            tariff.valid_to,
            band.name,
            ",".join(band.days),
            _clock(band.start),
            _clock(band.end),
            band.chf_per_kwh,
        )
        for tariff in registry.tariffs
        for band in tariff.bands
    ]
    return pl.DataFrame(rows, schema=DIM_TARIFF.schema, orient="row").sort(DIM_TARIFF.sort)


def price_of_minutes(rows: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """Add `chf_per_kwh` to rows with ts (UTC) and home: the price at that local minute of that home.

    The tariff is that of the home's provider on the local date, the band that of the local weekday and
    minute. Null if the home has no provider, no tariff is valid or no band applies.
    """
    homes_alike: dict[tuple[str, str], list[str]] = {}
    for home in registry.homes:
        if home.tariff is not None:
            homes_alike.setdefault((home.time_zone, home.tariff), []).append(home.id)
    # Many rows have the same minute: each minute is looked up once.
    minutes = rows.lazy().select("ts").unique()
    prices: list[pl.Expr] = []
    for (zone_name, provider), homes in homes_alike.items():
        name = f"price {len(prices)}"
        minutes = minutes.with_columns(_price(registry.tariffs, provider, zone_name).alias(name))
        prices.append(pl.when(pl.col("home").is_in(homes)).then(name))
    return (
        rows.lazy()
        .join(minutes, on="ts", how="left", maintain_order="left")
        .select(*rows.columns, pl.coalesce(*prices, pl.lit(None, pl.Float64)).alias(_PRICE))
        .collect()
    )


_PRICE = DIM_TARIFF.column("chf_per_kwh").name


def _price(tariffs: tuple[Tariff, ...], provider: str, zone_name: str) -> pl.Expr:
    """Build the expression for a provider's price at column `ts`, by a clock of that zone; null if none."""
    local = pl.col("ts").dt.convert_time_zone(zone_name)
    day, weekday = local.dt.date(), local.dt.weekday()
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    prices = []
    for tariff in tariffs:
        if tariff.provider != provider:
            continue
        is_valid = day >= tariff.valid_from
        if tariff.valid_to is not None:
            is_valid &= day < tariff.valid_to
        prices += [
            pl.when(is_valid & _covers(band, weekday, minute)).then(band.chf_per_kwh) for band in tariff.bands
        ]
    return pl.coalesce(prices)


def _covers(band: Band, weekday: pl.Expr, minute: pl.Expr) -> pl.Expr:
    """Build `Band.covers` as an expression. weekday: 1 = Monday. minute: minute of the local day."""
    on_its_days = weekday.is_in([WEEKDAYS.index(day) + 1 for day in band.days])
    if band.start < band.end:
        return on_its_days & (minute >= band.start) & (minute < band.end)
    return on_its_days & ((minute >= band.start) | (minute < band.end))


def _clock(minute: int) -> str:
    """Format a minute of the day as HH:MM."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
