"""Judges how many lines of forecasts were refused, and why."""

import polars as pl

from domotic_assets.quality.verdict import Breach, Verdict, error_if

REFUSED_ERROR = 0.05
"""Share of a forecast's values from which refused ones are an error; fewer are a warning."""


def refused_values(rejects: pl.DataFrame, forecasts: pl.DataFrame) -> Verdict:
    """Find forecasts with refused values, by reason.

    rejects: rows of `REJECTS` of forecasts. forecasts: utc_date of each row of `WEATHER_FORECASTS`.
    """
    rows = dict(forecasts.group_by("utc_date").len().iter_rows())
    counts = (
        rejects.sort("utc_date", "reason", "json_path")
        .group_by("utc_date", "reason", maintain_order=True)
        .agg(pl.len(), pl.col("json_path", "raw_text").first())
    )
    breaches = [
        Breach(
            f"forecast of {issue}",
            reason,
            error_if(values >= REFUSED_ERROR * max(rows.get(issue, 0), 1)),
            {"refused": values, "rows": rows.get(issue, 0), "such as": f"{path}: {text}"},
        )
        for issue, reason, values, path, text in counts.iter_rows()
    ]
    return Verdict(breaches, {"forecasts": len(rows)})
