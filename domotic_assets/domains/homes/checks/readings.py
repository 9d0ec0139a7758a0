"""Checks readings against their bounds and their own recent past: outliers, changed units, stuck sensors."""

import polars as pl

from domotic_assets.quality.verdict import Breach, Verdict, error_if
from domotic_assets.schemas.homes.variables import VARIABLES

OUTLIERS_WARN, OUTLIERS_ERROR, OUTLIERS_TIMES_PAST = 0.01, 0.20, 5.0
"""Shares of readings out of bounds; below ERROR a share must also be this many times that of the past."""

SCALE_FACTOR = 10.0
"""Factor by which low, middle and high readings all differ from the past if a unit has changed."""

SCALE_UNITS = ("W", "A", "ppm", "%", "dB", "hPa", "V")
"""Units with a true zero, in which a changed unit shows as a factor."""

STUCK_READINGS, STUCK_TIMES_PAST = 360, 10.0
"""Readings in a row of one value (six hours of minutes), and how many times longer than in the past."""

WHOLE_DAY, WHOLE_DAY_TIMES_PAST = 0.98, 4.0
"""One value for this share of a day is stuck if it lasts this many times longer than in the past."""

PAST_DAYS = 2
"""Number of past days that a comparison needs."""

ENOUGH = 60
"""Number of readings below which a share or a scale means nothing."""

NUMBERS = tuple(variable.id for variable in VARIABLES.values() if variable.kind == "number")
SCALED = tuple(
    variable.id
    for variable in VARIABLES.values()
    if variable.kind == "number" and variable.unit in SCALE_UNITS and "battery" not in variable.field
    and variable.field not in ("overpower", "devicePower")
)  # fmt: skip
RESTLESS = tuple(
    variable.id
    for variable in VARIABLES.values()
    if variable.kind == "number"
    and (variable.unit in ("°C", "ppm", "dB", "V") or variable.field.lower() == "humidity")
)
"""Measures of air and grid that vary by themselves; not air pressure, which may stay equal for half a day."""


def reading_days(events: pl.DataFrame) -> pl.DataFrame:
    """Summarise a span of readings, one row per device and variable.

    events: ts, home, device, variable, value, is_outlier of numeric variables. Columns: home, device,
    variable, readings, outliers, low, middle, high (10 %, 50 % and 90 % quantiles of the absolute values that
    are neither 0 nor out of bounds), longest_flat (most readings in a row of one exact value).
    """
    series = ["device", "variable"]
    sizes = pl.col("value").filter((pl.col("value") != 0) & ~pl.col("is_outlier")).abs()
    return (
        events.drop_nulls("value")
        .sort(*series, "ts")
        .with_columns(stretch=pl.struct(*series, "value").rle_id())
        .group_by("home", *series)
        .agg(
            readings=pl.len().cast(pl.Int64),
            outliers=pl.col("is_outlier").sum().cast(pl.Int64),
            low=sizes.quantile(0.1, "nearest"),
            middle=sizes.quantile(0.5, "nearest"),
            high=sizes.quantile(0.9, "nearest"),
            longest_flat=pl.col("stretch").unique_counts().max().cast(pl.Int64),
        )
        .sort(*series)
    )


def outliers(present: pl.DataFrame, past: pl.DataFrame) -> Verdict:
    """Find homes and variables with too many readings out of bounds, by themselves or against their past.

    present: `reading_days` of the judged span. past: the same of days before it, with utc_date.
    """
    by = ["home", "variable"]
    counts = [pl.col("readings").sum(), pl.col("outliers").sum()]
    shares = (
        present.group_by(by)
        .agg(counts)
        .join(past.group_by(by).agg(counts), on=by, how="left", suffix="_before")
        .with_columns(
            share=pl.col("outliers") / pl.col("readings"),
            before=pl.col("outliers_before") / pl.col("readings_before"),
        )
        .filter(pl.col("readings") >= ENOUGH, pl.col("share") >= OUTLIERS_WARN)
        .filter(
            (pl.col("share") >= OUTLIERS_ERROR)
            | (pl.col("share") >= OUTLIERS_TIMES_PAST * pl.col("before").fill_null(0))
        )
        .sort("share", descending=True)
    )
    breaches = [
        Breach(
            row["variable"],
            "out_of_bounds",
            error_if(row["share"] >= OUTLIERS_ERROR),
            {
                "share": round(row["share"], 4),
                "share before": None if row["before"] is None else round(row["before"], 4),
                "readings": row["readings"],
            },
            row["home"],
        )
        for row in shares.iter_rows(named=True)
    ]
    seen = {"readings": int(present["readings"].sum()), "out of bounds": int(present["outliers"].sum())}
    return Verdict(breaches, seen)


def scales(present: pl.DataFrame, past: pl.DataFrame) -> Verdict:
    """Find devices whose readings all grew, or all shrank, by SCALE_FACTOR against the past: another unit."""
    compared = _beside_past(
        present.filter(pl.col("variable").is_in(SCALED), pl.col("readings") >= ENOUGH).drop_nulls("middle"),
        past.drop_nulls("middle"),
        [pl.col(name).median().alias(f"{name}_before") for name in ("low", "middle", "high")],
    ).with_columns(
        *(
            (pl.col(name) / pl.col(f"{name}_before")).alias(f"{name}_factor")
            for name in ("low", "middle", "high")
        )
    )
    factors = pl.col("low_factor", "middle_factor", "high_factor")
    moved = compared.filter(
        pl.all_horizontal(factors >= SCALE_FACTOR) | pl.all_horizontal(factors <= 1 / SCALE_FACTOR)
    ).sort("device", "variable")
    breaches = [
        Breach(
            f"{row['device']} {row['variable']}",
            "unit_changed",
            "ERROR",
            {
                "factor": float(f"{row['middle_factor']:.3g}"),
                "middle": row["middle"],
                "middle before": row["middle_before"],
            },
            row["home"],
        )
        for row in moved.iter_rows(named=True)
    ]
    return Verdict(breaches, {"compared with their past": compared.height})


def flat_lines(present: pl.DataFrame, past: pl.DataFrame) -> Verdict:
    """Find sensors that report one exact value for hours, which they did not do in the past."""
    watched = present.filter(pl.col("variable").is_in(RESTLESS))
    compared = _beside_past(watched, past, [pl.col("longest_flat").max().alias("before")])
    flat, before = pl.col("longest_flat"), pl.col("before")
    stuck = compared.filter(
        flat >= STUCK_READINGS,
        (flat >= STUCK_TIMES_PAST * before)
        | ((flat >= WHOLE_DAY * pl.col("readings")) & (flat >= WHOLE_DAY_TIMES_PAST * before)),
    ).sort("device", "variable")
    breaches = [
        Breach(
            f"{row['device']} {row['variable']}",
            "stuck",
            "WARN",
            {"readings in a row": row["longest_flat"], "most before": row["before"]},
            row["home"],
        )
        for row in stuck.iter_rows(named=True)
    ]
    return Verdict(breaches, {"compared with their past": compared.height})


def refused(present: pl.DataFrame, rejects: pl.DataFrame) -> Verdict:
    """Find homes and variables with too many refused values.

    present: `reading_days` of the judged span. rejects: home and variable, one row a refused value.
    """
    taken = present.group_by("home", "variable").agg(pl.col("readings").sum())
    counts = (
        rejects.drop_nulls(["home", "variable"])
        .group_by("home", "variable")
        .agg(refused=pl.len())
        .join(taken, on=["home", "variable"], how="left")
        .with_columns(values=pl.col("refused") + pl.col("readings").fill_null(0))
        .with_columns(share=pl.col("refused") / pl.col("values"))
        .filter(pl.col("values") >= ENOUGH, pl.col("share") >= OUTLIERS_WARN)
        .sort("share", descending=True)
    )
    breaches = [
        Breach(
            row["variable"],
            "refused_values",
            error_if(row["share"] >= OUTLIERS_ERROR),
            {"share": round(row["share"], 4), "refused": row["refused"]},
            row["home"],
        )
        for row in counts.iter_rows(named=True)
    ]
    return Verdict(breaches, {"values refused": rejects.height})


def _beside_past(present: pl.DataFrame, past: pl.DataFrame, measures: list[pl.Expr]) -> pl.DataFrame:
    """Join measures of the past to rows of the present; drops rows with fewer than PAST_DAYS of past."""
    on = ["device", "variable"]
    before = past.group_by(on).agg(*measures, days=pl.len()).filter(pl.col("days") >= PAST_DAYS)
    return present.join(before.drop("days"), on=on, how="inner")
