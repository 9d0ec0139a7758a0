"""Lists the checks of the forecasts: whether they come, agree with the contract, and can be read."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.domains.weather import freshness, refused
from domotic_assets.domains.weather.flows import SOURCE_NAME
from domotic_assets.domains.weather.silver import SOURCE
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import zone
from domotic_assets.quality import installed_contract
from domotic_assets.quality.check import WARN_ERROR, Check, in_hours, in_percent
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets.schemas.weather import WEATHER_FILES, WEATHER_FORECASTS


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


def judged_issues(judged: Round) -> list[date]:
    """List the dates of issue of the forecasts in the round's span, and of the newest one."""
    landed = judged.work.lake.dates(WEATHER_FILES)
    first, last = judged.span.start.date(), judged.span.end.date()
    return [issue for issue in landed if first <= issue <= last or issue == landed[-1]]


def refused_of(judged: Round) -> Verdict:
    """Check the forecasts of a round for refused values."""
    work, issues = judged.work, judged_issues(judged)
    of_forecasts = pl.col("source") == SOURCE
    return refused.refused_values(
        work.lake.read(REJECTS, dates=issues, where=of_forecasts),
        work.lake.read(WEATHER_FORECASTS, dates=issues, columns=["utc_date"]),
    )


CHECKS = (
    Check(
        "header",
        WEATHER_FILES,
        WARN_ERROR,
        "A forecast of the day, or the newest one, differs from `contract.yaml` in its columns, measurements "
        "or units. A unit from which values can be converted, and another order of columns: WARN.",
        lambda judged: installed_contract.forecast_drift(judged.work, judged_issues(judged)),
    ),
    Check(
        "refused",
        WEATHER_FORECASTS,
        WARN_ERROR,
        "Values of a forecast of the day, or of the newest one, were refused: lines that contradict each "
        "other, a unit that is not known, what is no number: WARN; "
        f"from {in_percent(refused.REFUSED_ERROR)} ERROR.",
        refused_of,
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
