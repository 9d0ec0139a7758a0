"""Writes the calendar dimensions: UTC minutes and local dates of the data, and of the days predicted."""

from datetime import date, timedelta

from domotic_assets.flow.dims import DIMS, replace_dims
from domotic_assets.flow.flow import Asked, Flow, Made
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.calendar import DAYS_AHEAD, DIM_DATE, DIM_DATETIME
from domotic_assets.schemas.homes.silver import SENSOR_EVENTS
from domotic_assets.schemas.weather import WEATHER_FORECASTS
from domotic_assets.star import calendar


def write_dims(work: Workspace, _asked: Asked) -> Made:
    """Write gold/dim_datetime and gold/dim_date if they differ from what the lake holds."""
    registry = work.registry
    first, last = _days(work)
    zones = {registry.calendar_time_zone, *registry.time_zones().values()}
    return replace_dims(
        work,
        {
            DIM_DATETIME: calendar.dim_datetime(first, last, registry.calendar_time_zone),
            DIM_DATE: calendar.dim_date(first, last, zones),
        },
    )


def _days(work: Workspace) -> tuple[date, date]:
    """Find the first UTC date of the data, and the last one plus DAYS_AHEAD for forecasts and predictions."""
    issues = work.lake.dates(WEATHER_FORECASTS)
    days = [*work.lake.dates(SENSOR_EVENTS), *issues]
    if issues:
        # An issue may start on the evening before its date.
        earliest = work.lake.read(WEATHER_FORECASTS, dates=issues[:1], columns=["valid_at"])
        days += earliest["valid_at"].dt.date().unique().to_list()
    start = work.registry.history_start
    return min(days, default=start), max(days, default=start) + timedelta(days=DAYS_AHEAD)


FLOWS = (
    Flow(
        name="calendar_dims",
        about="The calendar of the data, minute by minute and date by date.",
        writes=(DIM_DATETIME, DIM_DATE),
        reads=(SENSOR_EVENTS, WEATHER_FORECASTS),
        run=write_dims,
        job=DIMS,
    ),
)
