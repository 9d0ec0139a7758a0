"""Lists the tables of Bronze; each is declared in its domain's module."""

from domotic_assets.schemas.homes.bronze import SENSOR_FILES
from domotic_assets.schemas.register import REGISTER_ROWS
from domotic_assets.schemas.weather import WEATHER_FILES

TABLES = (SENSOR_FILES, WEATHER_FILES, REGISTER_ROWS)
