"""The tables of Silver that the feeds decide. Each is declared in its domain's module."""

from domotic_assets.schemas.homes.silver import DEVICE_TYPES, DEVICES, SENSOR_EVENTS, SENSOR_FILES, VARIABLES
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets.schemas.weather import WEATHER_FORECASTS

# What a check looked at, and when, decides its rows: it is not among the tables that the feed alone decides.
TABLES = (SENSOR_EVENTS, SENSOR_FILES, REJECTS, DEVICES, VARIABLES, DEVICE_TYPES, WEATHER_FORECASTS)
