"""Declares every table's columns once: name, type, unit, meaning, range and aggregation kind."""

from domotic_assets.schemas import bronze, gold, silver
from domotic_assets.schemas.homes import silver as homes_silver
from domotic_assets.schemas.register import SILVER_REGISTER, SILVER_REGISTER_HISTORY
from domotic_assets.schemas.table import Table

ALL_TABLES: dict[str, Table] = {
    table.id: table
    for table in (
        *bronze.TABLES,
        *silver.TABLES,
        homes_silver.READING_DAYS,
        *SILVER_REGISTER.values(),
        *SILVER_REGISTER_HISTORY.values(),
        *gold.TABLES,
    )
}
