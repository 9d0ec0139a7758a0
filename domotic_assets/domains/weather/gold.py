"""Builds the forecast facts: one column per measurement and variant, and daily figures by horizon.

What a value means for a day is decided here. Reading files and judging values belongs to Silver.
"""

from collections.abc import Collection, Iterable
from datetime import date

import polars as pl

from domotic_assets.localtime import local_day_bounds
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.table import UTC_TIME, surrogate_key
from domotic_assets.schemas.weather import (
    DIM_WEATHER_SITE,
    FACT_WEATHER_DAY,
    FACT_WEATHER_HOUR,
    WEATHER_MEASUREMENTS,
    WEATHER_VARIANTS,
)
from domotic_assets.star.arithmetic import divided
from domotic_assets.star.keys import date_key, datetime_key, key_of

CONTROL_VARIANT = "ctrl"

_MEASURES = [f"{m.column}_{variant}" for m in WEATHER_MEASUREMENTS.values() for variant in WEATHER_VARIANTS]

_TEMPERATURE, _HUMIDITY = "PRED_T_2M", "PRED_RELHUM_2M"
_PRECIPITATION, _RADIATION = "PRED_TOT_PREC", "PRED_GLOB"
_DAILY_MEASUREMENTS = (_TEMPERATURE, _HUMIDITY, _PRECIPITATION, _RADIATION)


def weather_hour(forecasts: pl.DataFrame, calendar_time_zone: str) -> pl.DataFrame:
    """Build `FACT_WEATHER_HOUR`: one row per site, issue, step and valid time of Silver `WEATHER_FORECASTS`.

    Outliers are null. Measurements and variants without a column stay in Silver.
    """
    by_minute = (
        forecasts.lazy()
        .with_columns(measure=_measure())
        .drop_nulls("measure")
        .with_columns(measure=pl.when(~pl.col("is_outlier")).then(pl.col("measure")))
        .group_by("utc_date", "site", "valid_at", "step")
        .agg("measure", "value")
        # Of several valid times in one minute the last counts, measure by measure.
        .sort("valid_at")
        .group_by("utc_date", "site", pl.col("valid_at").dt.truncate("1m"), "step", maintain_order=True)
        .agg(pl.col("measure", "value").explode())
        .collect()
    )
    return (
        by_minute.drop("measure", "value")
        .hstack(_columns(by_minute))
        .with_columns(
            datetime_key=datetime_key("valid_at"),
            date_key=date_key(pl.col("valid_at").dt.convert_time_zone(calendar_time_zone).dt.date()),
            site_key=key_of("site"),
            issue_date_key=date_key(pl.col("utc_date")),
            step=pl.col("step").cast(pl.Int32),
        )
        .select(list(FACT_WEATHER_HOUR.schema))
        .sort("utc_date", *FACT_WEATHER_HOUR.sort)
    )


def _measure() -> pl.Expr:
    """Build the place of a forecast's column in `_MEASURES`; null if it has none."""
    measurement, variant = (
        pl.col(name).cast(pl.Enum(list(known)), strict=False).to_physical()
        for name, known in (("measurement", WEATHER_MEASUREMENTS), ("variant", WEATHER_VARIANTS))
    )
    return measurement.cast(pl.Int64) * len(WEATHER_VARIANTS) + variant


def _columns(rows: pl.DataFrame) -> list[pl.Series]:
    """Build one column per measure from each row's lists of measures (null: none) and values.

    Of several values of a measure the last counts. All values are put in their places in one step, in one
    column after the other: an aggregation for each measure would go through all rows that often.
    """
    cells = rows.with_row_index("row").explode("measure", "value").drop_nulls("measure")
    places = cells.select(pl.col("measure") * rows.height + pl.col("row")).to_series()
    grid = pl.repeat(None, len(_MEASURES) * rows.height, dtype=pl.Float64, eager=True)
    grid = grid.scatter(places, cells["value"])
    return [grid.slice(place * rows.height, rows.height).alias(name) for place, name in enumerate(_MEASURES)]


def weather_day(forecasts: pl.DataFrame, calendar_time_zone: str) -> pl.DataFrame:
    """Build `FACT_WEATHER_DAY`: one row per site, horizon and local date of Silver `WEATHER_FORECASTS`.

    Of each valid time the lowest step with a good control value counts, measurement by measurement. That
    value covers the time since the measurement's valid time before it in the same issue. So an issue's first
    valid time covers nothing, as what came before it is not known. A valid time without a good value leaves
    its own interval uncovered and does not stretch the next one. An interval across local midnight is split
    by duration. `hours` are those of the least covered measure in the row.
    """
    if forecasts.is_empty():
        return FACT_WEATHER_DAY.empty()
    shares = _shares_of_days(_intervals(forecasts), calendar_time_zone)
    issue_site_day = ["utc_date", "site", "local_date"]
    daily = (
        shares.group_by(*issue_site_day, "measurement")
        .agg(
            mean=(pl.col("value") * pl.col("hours")).sum() / pl.col("hours").sum(),
            amount=(pl.col("value") * pl.col("hours") / pl.col("interval_hours")).sum(),
            value_hours=(pl.col("value") * pl.col("hours")).sum(),
            hours=pl.col("hours").sum(),
        )
        .group_by(issue_site_day)
        .agg(
            temperature_c_avg=_of(_TEMPERATURE, "mean"),
            humidity_pct_avg=_of(_HUMIDITY, "mean"),
            precipitation_mm_sum=_of(_PRECIPITATION, "amount"),
            radiation_whm2_sum=_of(_RADIATION, "value_hours"),
            hours=pl.col("hours").min(),
        )
    )
    return (
        daily.with_columns(
            date_key=date_key(pl.col("local_date")),
            site_key=key_of("site"),
            horizon_days=(pl.col("local_date") - pl.col("utc_date")).dt.total_days().cast(pl.Int32),
        )
        .select(list(FACT_WEATHER_DAY.schema))
        .sort("utc_date", *FACT_WEATHER_DAY.sort)
    )


def _intervals(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Build one row per issue, site, measurement and covered interval (start, valid_at], with its value."""
    good = pl.col("value").filter(pl.col("value").is_not_null() & ~pl.col("is_outlier"))
    series = ["utc_date", "site", "measurement"]
    return (
        forecasts.filter(
            pl.col("variant") == CONTROL_VARIANT, pl.col("measurement").is_in(_DAILY_MEASUREMENTS)
        )
        .sort("step")
        .group_by(*series, "valid_at", maintain_order=True)
        .agg(value=good.first())
        .sort(*series, "valid_at")
        .with_columns(start=pl.col("valid_at").shift(1).over(series))
        .drop_nulls(["start", "value"])
    )


def _shares_of_days(intervals: pl.DataFrame, zone_name: str) -> pl.DataFrame:
    """Split intervals by local date: one row per interval and date that it reaches, with its hours there."""
    first = pl.col("start").dt.convert_time_zone(zone_name).dt.date()
    # The last microsecond inside: an interval that ends at midnight lies wholly in the day before.
    last = pl.col("valid_at").dt.offset_by("-1us").dt.convert_time_zone(zone_name).dt.date()
    shares = intervals.with_columns(local_date=pl.date_ranges(first, last)).explode("local_date")
    bounds = _day_bounds(shares["local_date"].unique().to_list(), zone_name)
    from_ = pl.max_horizontal("start", "day_start")
    until = pl.min_horizontal("valid_at", "day_end")
    return shares.join(bounds, on="local_date").with_columns(
        hours=_hours(until - from_), interval_hours=_hours(pl.col("valid_at") - pl.col("start"))
    )


def _day_bounds(days: Iterable[date], zone_name: str) -> pl.DataFrame:
    """Build one row per local date, with its first and its following midnight in UTC."""
    return pl.DataFrame(
        [(day, *local_day_bounds(day, zone_name)) for day in days],
        schema={"local_date": pl.Date(), "day_start": UTC_TIME, "day_end": UTC_TIME},
        orient="row",
    )


def _of(measurement: str, figure: str) -> pl.Expr:
    """Select column `figure` of a measurement's row in each group; null if the group has no such row."""
    return pl.col(figure).filter(pl.col("measurement") == measurement).first()


def _hours(duration: pl.Expr) -> pl.Expr:
    """Convert a duration to hours."""
    return divided(duration.dt.total_microseconds(), 3.6e9)


def dim_weather_site(registry: Registry, forecast_sites: Collection[str]) -> pl.DataFrame:
    """Build `DIM_WEATHER_SITE`: one row per site of sites.yaml or of the forecasts."""
    described = {site.name: site for site in registry.weather_sites}
    rows = []
    for name in sorted({*registry.site_names().values(), *forecast_sites}):
        site = described.get(name)
        place = (name.lower(), name, None, None) if site is None else (site.code, name, site.lat, site.lon)
        rows.append((surrogate_key(name), *place))
    return pl.DataFrame(rows, schema=DIM_WEATHER_SITE.schema, orient="row").sort(DIM_WEATHER_SITE.sort)
