"""Judges the forecasts as a feed: whether the newest one is overdue."""

from datetime import UTC, datetime, timedelta

from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import zone
from domotic_assets.quality import files
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas import weather


def present_forecast(work: Workspace, now: datetime) -> Verdict:
    """Whether the newest forecast is overdue."""
    held = work.lake.dates(weather.WEATHER_FILES)
    own = zone(work.registry.calendar_time_zone)
    at = work.registry.settings.forecasts_at
    due = datetime.combine(
        (held[-1] + timedelta(days=1)) if held else now.astimezone(own).date(),
        datetime.min.time().replace(hour=at // 60 % 24, minute=at % 60),
        own,
    ).astimezone(UTC)
    return files.forecast_freshness(due if due <= now else None, now)
