"""Lists the tables of Silver whose rows the feeds alone decide; each is declared in its domain's module."""

from domotic_assets.schemas.homes.silver import DEVICE_TYPES, DEVICES, SENSOR_EVENTS, SENSOR_FILES, VARIABLES
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets.schemas.weather import WEATHER_FORECASTS

# Without READING_DAYS: its rows also depend on what a check looked at, and when.
TABLES = (SENSOR_EVENTS, SENSOR_FILES, REJECTS, DEVICES, VARIABLES, DEVICE_TYPES, WEATHER_FORECASTS)
