"""Lists the tables of Gold, dimensions and facts; each is declared in its domain's module."""

from domotic_assets.schemas.calendar import DIM_DATE, DIM_DATETIME
from domotic_assets.schemas.homes.gold import (
    DIM_APARTMENT,
    DIM_DEVICE,
    DIM_ROOM,
    DIM_TARIFF,
    FACT_DEVICE_HEALTH_DAY,
    FACT_ENERGY_MINUTE,
    FACT_ENVIRONMENT_MINUTE,
    FACT_PRESENCE_MINUTE,
)
from domotic_assets.schemas.predictions import DIM_HORIZON, DIM_MODEL, DIM_TARGET
from domotic_assets.schemas.table import Cadence
from domotic_assets.schemas.weather import DIM_WEATHER_SITE, FACT_WEATHER_DAY, FACT_WEATHER_HOUR

DIMS = (
    DIM_DATETIME,
    DIM_DATE,
    DIM_APARTMENT,
    DIM_ROOM,
    DIM_DEVICE,
    DIM_TARIFF,
    DIM_WEATHER_SITE,
    DIM_MODEL,
    DIM_HORIZON,
    DIM_TARGET,
)
FACTS = (
    FACT_ENERGY_MINUTE,
    FACT_ENVIRONMENT_MINUTE,
    FACT_PRESENCE_MINUTE,
    FACT_DEVICE_HEALTH_DAY,
    FACT_WEATHER_HOUR,
    FACT_WEATHER_DAY,
)
MINUTE_FACTS = tuple(table for table in FACTS if table.cadence is Cadence.MINUTE)
TABLES = (*DIMS, *FACTS)
