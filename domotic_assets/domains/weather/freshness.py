"""Judges whether the newest forecast is overdue."""

from datetime import datetime, timedelta

from domotic_assets.quality.verdict import Breach, Figures, Verdict, error_if

FORECAST_WARN, FORECAST_ERROR = timedelta(hours=2), timedelta(hours=24)
"""How long after its hour a forecast may be missing before a warning, and before an error."""


def forecast_freshness(due: datetime | None, now: datetime) -> Verdict:
    """Check that no forecast is overdue. due: when the oldest missing one was due; None if none is."""
    overdue = timedelta(0) if due is None else now - due
    if due is None or overdue <= FORECAST_WARN:
        return Verdict()
    figures: Figures = {
        "was due": f"{due:%Y-%m-%d %H:%M} UTC",
        "hours overdue": round(overdue / timedelta(hours=1), 1),
    }
    return Verdict([Breach("forecast", "overdue", error_if(overdue > FORECAST_ERROR), figures)])
