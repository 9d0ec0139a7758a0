"""The dimensions and the published file: whole, small, and written only when they differ."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domotic_assets.flow.workspace import Workspace
from domotic_assets.gold import calendar, dims
from domotic_assets.gold.tariffs import dim_tariff
from domotic_assets.schemas import calendar as schemas_calendar
from domotic_assets.schemas import gold as schemas_gold
from domotic_assets.schemas import predictions, weather
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.register import SILVER_REGISTER


@dataclass(frozen=True)
class WrittenDims:
    """What `write_dims` did: rows of each dimension and whether it changed; what found no partner."""

    tables: dict[str, tuple[int, bool]]
    unmatched: dict[str, int]


def write_dims(work: Workspace) -> WrittenDims:
    """Write all dimensions that differ from what the lake holds."""
    registry, lake = work.registry, work.lake
    devices = lake.read(silver.DEVICES)
    register = {name: lake.read(table) for name, table in SILVER_REGISTER.items()}
    newest: datetime | None = devices["last_ts"].max()  # type: ignore[assignment]
    sites = lake.read(weather.WEATHER_FORECASTS, columns=["site"])["site"].unique().to_list()
    first, last = _calendar_days(work)
    zones = {registry.calendar_time_zone, *registry.time_zones().values()}
    of_devices = dims.dim_device(registry, devices, register, newest)
    frames = {
        schemas_calendar.DIM_DATETIME: calendar.dim_datetime(first, last, registry.calendar_time_zone),
        schemas_calendar.DIM_DATE: calendar.dim_date(first, last, zones),
        homes_gold.DIM_APARTMENT: dims.dim_apartment(registry, register, devices),
        homes_gold.DIM_ROOM: dims.dim_room(registry, devices),
        homes_gold.DIM_DEVICE: of_devices.devices,
        homes_gold.DIM_TARIFF: dim_tariff(registry),
        weather.DIM_WEATHER_SITE: dims.dim_weather_site(registry, sites),
        predictions.DIM_MODEL: dims.dim_model(),
        predictions.DIM_HORIZON: dims.dim_horizon(),
        predictions.DIM_TARGET: dims.dim_target(),
    }
    tables = {table.name: (frame.height, lake.replace_all(table, frame)) for table, frame in frames.items()}
    return WrittenDims(tables, _unmatched(of_devices))


def lacks_devices(work: Workspace) -> bool:
    """Whether silver has devices that the dimension does not know, or there are no dimensions yet."""
    if any(work.lake.version(table) is None for table in schemas_gold.DIMS):
        return True
    seen = work.lake.read(silver.DEVICES, columns=["device"]).unique()
    known = work.lake.read(homes_gold.DIM_DEVICE, columns=["device_id"])
    return not seen.join(known, left_on="device", right_on="device_id", how="anti").is_empty()


def _unmatched(found: dims.DeviceDimension) -> dict[str, int]:
    """How many register rows and feed devices found no partner."""
    return {
        "register sensors unmatched": found.sensors.register_unmatched,
        "feed devices unmatched": found.sensors.feed_unmatched,
        "register appliances unmatched": found.appliances.register_unmatched,
        "feed plugs unmatched": found.appliances.feed_unmatched,
    }


def _calendar_days(work: Workspace) -> tuple[date, date]:
    """First UTC day of the data, and the last one plus the days that forecasts and predictions reach."""
    issues = work.lake.dates(weather.WEATHER_FORECASTS)
    days = [*work.lake.dates(silver.SENSOR_EVENTS), *issues]
    if issues:
        # An issue may start on the evening before its date.
        earliest = work.lake.read(weather.WEATHER_FORECASTS, dates=issues[:1], columns=["valid_at"])
        days += earliest["valid_at"].dt.date().unique().to_list()
    start = work.registry.history_start
    return min(days, default=start), max(days, default=start) + timedelta(days=calendar.DAYS_AHEAD)
