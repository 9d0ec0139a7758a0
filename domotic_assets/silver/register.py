"""The register's current state as Silver tables: home ids instead of user names, texts masked.

Which home a building is, and what must not be told of it, is decided here; joining register rows to
the feed's devices is Gold's.
"""

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from domotic_assets.registry import Registry
from domotic_assets.schemas.register import REGISTER, SILVER_REGISTER, RegisterTable, silver_name
from domotic_assets.silver.masking import mask, mask_log_text

Row = Mapping[str, Any]

_LOG_TABLE = "dierrors"


def register_tables(state: Mapping[str, Mapping[str, Row]], registry: Registry) -> dict[str, pl.DataFrame]:
    """The ten `SILVER_REGISTER` frames by register table, from table → key → row as bronze replays it."""
    buildings = state.get("buildings", {}).values()
    # A building that no home names still carries a user name.
    house_names = {str(row["houseName"]).strip() for row in buildings if row.get("houseName")}
    secrets = {home.feed_user for home in registry.homes} | house_names
    return {
        name: _frame(table, state.get(name, {}).values(), registry, secrets)
        for name, table in REGISTER.items()
    }


def _frame(
    table: RegisterTable, rows: Collection[Row], registry: Registry, secrets: Collection[str]
) -> pl.DataFrame:
    silver = SILVER_REGISTER[table.name]
    masked = mask_log_text if table.name == _LOG_TABLE else mask
    records = []
    for row in rows:
        record: dict[str, Any] = {}
        for column in table.columns:
            value = row.get(column.name)
            if column.name == "houseName":
                record["home"] = _home_of(row, registry)
            elif isinstance(value, str):
                record[silver_name(column.name)] = masked(value, secrets)
            else:
                record[silver_name(column.name)] = value
        records.append(record)
    return pl.DataFrame(records, schema=silver.schema).sort(silver.sort)


def _home_of(building: Row, registry: Registry) -> str | None:
    """The home that names this building, else the home of its user unless that names another building."""
    for home in registry.homes:
        if home.register_building is not None and home.register_building == building["idBuilding"]:
            return home.id
    user = str(building.get("houseName") or "").strip().lower()
    for home in registry.homes:
        if home.register_building is None and home.feed_user.lower() == user:
            return home.id
    return None
