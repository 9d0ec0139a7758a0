"""Builds the tariff dimension, and computes what energy costs a home.

Prices come from the registry, which refuses overlaps. The energy of a minute is computed in `energy`.
"""

import polars as pl

from domotic_assets.localtime import MINUTE
from domotic_assets.registry.entry import WEEKDAYS
from domotic_assets.registry.homes import Band, Tariff
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.gold import DIM_TARIFF


def dim_tariff(registry: Registry) -> pl.DataFrame:
    """Build `DIM_TARIFF`: one row for each time-of-use band of each tariff in sites.yaml.

    Columns: provider, the local dates valid_from and valid_to (exclusive; null while it holds), band, days
    (its weekdays, comma-separated), local_from and local_to (HH:MM, exclusive), chf_per_kwh,
    feed_in_chf_per_kwh.
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
            tariff.feed_in_chf_per_kwh,
        )
        for tariff in registry.tariffs
        for band in tariff.bands
    ]
    return pl.DataFrame(rows, schema=DIM_TARIFF.schema, orient="row").sort(DIM_TARIFF.sort)


def cost_of(rows: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """Add `cost_chf` to rows with ts (UTC), since, home, energy_import_kwh and energy_export_kwh.

    What is taken costs the mean price of its minutes, those after `since` up to `ts` (null: `ts` alone). What
    is fed in earns the feed-in price of `ts`. The tariff is that of the home's provider on the local date,
    the band that of the local weekday and minute. Null if the home has no provider, or no tariff or band
    applies in one of the minutes.
    """
    numbered = rows.with_row_index("row")
    at_once = numbered.select("row", "home", "ts")
    gaps = numbered.filter((pl.col("ts") - pl.col("since")) > MINUTE)
    minutes = gaps.select("row", "home", ts=pl.datetime_ranges(pl.col("since") + MINUTE, "ts", "1m")).explode(
        "ts"
    )
    priced = _with_prices(pl.concat([at_once, minutes]) if gaps.height else at_once, registry)
    price = priced[: rows.height][_PRICE]
    if gaps.height:
        means = _means(priced[rows.height :])
        price = price.scatter(means["row"], means["mean"])
    cost = pl.col("energy_import_kwh") * price
    if _FEED_IN in priced.columns:
        cost -= pl.col("energy_export_kwh") * priced[: rows.height][_FEED_IN]
    return rows.with_columns(cost_chf=cost)


def _means(minutes: pl.DataFrame) -> pl.DataFrame:
    """Compute the mean price of each row's minutes: row, mean; null if a minute has none."""
    # Lists: in a list the order of adding, and so the last bit of a mean, is always the same.
    of_gap = pl.col(_PRICE).list
    return (
        minutes.group_by("row", maintain_order=True)
        .agg(_PRICE)
        .select(
            "row",
            mean=pl.when(of_gap.len() > of_gap.drop_nulls().list.len())
            .then(None)
            .when(of_gap.min() == of_gap.max())
            .then(of_gap.first())
            .otherwise(of_gap.mean()),
        )
    )


def _with_prices(rows: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """Add the price at each row's minute, and the feed-in price if any tariff has one.

    rows: ts and home among others.
    """
    homes_alike: dict[tuple[str, str], list[str]] = {}
    for home in registry.homes:
        if home.tariff is not None:
            homes_alike.setdefault((home.time_zone, home.tariff), []).append(home.id)
    # Many rows have the same minute: each minute is looked up once.
    minutes = rows.lazy().select("ts").unique()
    columns = [_PRICE, *([_FEED_IN] if any(t.feed_in_chf_per_kwh for t in registry.tariffs) else [])]
    prices: dict[str, list[pl.Expr]] = {column: [] for column in columns}
    for (zone_name, provider), homes in homes_alike.items():
        found = _prices(registry.tariffs, provider, zone_name)
        for column in columns:
            price = found[column]
            name = f"{column} {len(prices[column])}"
            minutes = minutes.with_columns(price.alias(name))
            prices[column].append(pl.when(pl.col("home").is_in(homes)).then(name))
    nothing = pl.lit(None, pl.Float64)
    return (
        rows.lazy()
        .join(minutes, on="ts", how="left", maintain_order="left")
        .select(*rows.columns, *(pl.coalesce(*found, nothing).alias(name) for name, found in prices.items()))
        .collect()
    )


_PRICE = DIM_TARIFF.column("chf_per_kwh").name
_FEED_IN = DIM_TARIFF.column("feed_in_chf_per_kwh").name


def _prices(tariffs: tuple[Tariff, ...], provider: str, zone_name: str) -> dict[str, pl.Expr]:
    """Build the expressions for a provider's prices at column `ts`, by a clock of that zone; null if none."""
    local = pl.col("ts").dt.convert_time_zone(zone_name)
    day, weekday = local.dt.date(), local.dt.weekday()
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    prices, feed_in = [], []
    for tariff in tariffs:
        if tariff.provider != provider:
            continue
        is_valid = day >= tariff.valid_from
        if tariff.valid_to is not None:
            is_valid &= day < tariff.valid_to
        feed_in.append(pl.when(is_valid).then(tariff.feed_in_chf_per_kwh))
        prices += [
            pl.when(is_valid & _covers(band, weekday, minute)).then(band.chf_per_kwh) for band in tariff.bands
        ]
    return {_PRICE: pl.coalesce(prices), _FEED_IN: pl.coalesce(feed_in)}


def _covers(band: Band, weekday: pl.Expr, minute: pl.Expr) -> pl.Expr:
    """Build `Band.covers` as an expression. weekday: 1 = Monday. minute: minute of the local day."""
    on_its_days = weekday.is_in([WEEKDAYS.index(day) + 1 for day in band.days])
    if band.start < band.end:
        return on_its_days & (minute >= band.start) & (minute < band.end)
    return on_its_days & ((minute >= band.start) | (minute < band.end))


def _clock(minute: int) -> str:
    """Format a minute of the day as HH:MM."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
