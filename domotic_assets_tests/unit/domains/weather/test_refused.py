"""The check of refused forecast values: which forecast, why, how many, and how severe."""

from datetime import date

import polars as pl
import pytest

from domotic_assets.domains.weather.refused import refused_values
from domotic_assets.quality.verdict import Breach

FIRST, SECOND = date(2026, 11, 16), date(2026, 11, 17)


def rejects(*rows: tuple[date, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={"utc_date": pl.Date, "reason": pl.String, "json_path": pl.String, "raw_text": pl.String},
        orient="row",
    )


def forecasts(**rows: int) -> pl.DataFrame:
    days = [day for day, name in ((FIRST, "first"), (SECOND, "second")) for _ in range(rows.get(name, 0))]
    return pl.DataFrame({"utc_date": days}, schema={"utc_date": pl.Date})


def test_each_forecast_and_reason_is_named_with_an_example() -> None:
    verdict = refused_values(
        rejects(
            (SECOND, "contradicted", "line 3: Value", "10.0"),
            (FIRST, "unknown_unit", "line 9: Unit", "51.0 x"),
            (FIRST, "unknown_unit", "line 8: Unit", "50.0 x"),
        ),
        forecasts(first=100, second=10),
    )
    assert verdict.breaches == [
        Breach(
            "forecast of 2026-11-16",
            "unknown_unit",
            "WARN",
            {"refused": 2, "rows": 100, "such as": "line 8: Unit: 50.0 x"},
        ),
        Breach(
            "forecast of 2026-11-17",
            "contradicted",
            "ERROR",
            {"refused": 1, "rows": 10, "such as": "line 3: Value: 10.0"},
        ),
    ]
    assert verdict.figures == {"forecasts": 2}


@pytest.mark.parametrize(("rows", "severity"), [(0, "ERROR"), (1, "ERROR"), (20, "ERROR"), (21, "WARN")])
def test_from_five_percent_of_the_values_it_is_an_error(rows: int, severity: str) -> None:
    verdict = refused_values(rejects((FIRST, "not_csv", "line 1", "<html>")), forecasts(first=rows))
    assert [breach.severity for breach in verdict.breaches] == [severity]


def test_a_forecast_without_rejects_passes() -> None:
    assert refused_values(rejects(), forecasts(first=3)).passed
