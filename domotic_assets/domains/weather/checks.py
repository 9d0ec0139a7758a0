"""Lists the checks of the forecasts: whether the newest one came, and whether it agrees with the contract."""

from datetime import UTC, datetime, timedelta

from domotic_assets.domains.weather import freshness
from domotic_assets.domains.weather.flows import SOURCE_NAME
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import zone
from domotic_assets.quality import installed_contract
from domotic_assets.quality.check import WARN_ERROR, Check, in_hours
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas.weather import WEATHER_FILES


def present_forecast(work: Workspace, now: datetime) -> Verdict:
    """Check that the newest forecast is not overdue; passes if sites.yaml names no source of forecasts."""
    if SOURCE_NAME not in work.registry.sources:
        return Verdict()
    held = work.lake.dates(WEATHER_FILES)
    own = zone(work.registry.calendar_time_zone)
    at = work.registry.settings.forecasts_at
    due = datetime.combine(
        (held[-1] + timedelta(days=1)) if held else now.astimezone(own).date(),
        datetime.min.time().replace(hour=at // 60 % 24, minute=at % 60),
        own,
    ).astimezone(UTC)
    return freshness.forecast_freshness(due if due <= now else None, now)


CHECKS = (
    Check(
        "header",
        WEATHER_FILES,
        WARN_ERROR,
        "The newest forecast differs from `contract.yaml` in its columns, measurements or units.",
        lambda judged: installed_contract.forecast_drift(judged.work),
    ),
    Check(
        "freshness",
        WEATHER_FILES,
        WARN_ERROR,
        f"A forecast did not come: WARN after {in_hours(freshness.FORECAST_WARN)}, ERROR after "
        f"{in_hours(freshness.FORECAST_ERROR)}.",
        lambda judged: present_forecast(judged.work, judged.now),
    ),
)
