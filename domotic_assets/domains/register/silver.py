"""Builds the Silver register tables, history and current state: home ids for user names, texts by form.

Which home a building belongs to, and which texts pass, is decided here. Joining register rows to
the feed's devices belongs to Gold.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from domotic_assets.escaping import without_unseen
from domotic_assets.ingest.harmless import LONGEST
from domotic_assets.ingest.masking import MASK
from domotic_assets.ingest.secrets import Secrets, masked_words, passes
from domotic_assets.registry.registry import Registry
from domotic_assets.same_name import name_key, plain_name
from domotic_assets.schemas.records import RecordTable, silver_name
from domotic_assets.schemas.register import REGISTER, SILVER_REGISTER, SILVER_REGISTER_HISTORY

Row = Mapping[str, Any]

_MESSAGE, _TIMES = "errorMessage", ("creationDate",)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?Z?", re.ASCII
)
_FILE = re.compile(r"([0-9]{2}\.[0-9]{2}\.[0-9]{4} [0-9]{4}_).{1,200}(_received\.json)", re.ASCII)


class RowVersion(Protocol):
    """A version of a register row and when it was valid, as replayed from Bronze."""

    @property
    def row(self) -> Row:
        """The values of the row, by register column."""

    @property
    def valid_from(self) -> datetime:
        """When this version was first seen, UTC."""

    @property
    def valid_to(self) -> datetime | None:
        """When this version was seen changed or gone (exclusive), UTC; None while it is current."""


def register_history(
    versions: Mapping[str, Collection[RowVersion]], registry: Registry
) -> dict[str, pl.DataFrame]:
    """Build the ten `SILVER_REGISTER_HISTORY` frames, by register table."""
    secrets = Secrets.of({home.feed_user for home in registry.homes})
    homes = BuildingHomes(registry)
    return {
        name: _history(table, versions.get(name, ()), registry, homes, secrets)
        for name, table in REGISTER.items()
    }


def current_rows(history: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Build the ten `SILVER_REGISTER` frames, by register table: the versions that are still valid."""
    return {
        name: history[name].filter(pl.col("valid_to").is_null()).select(table.schema.names()).sort(table.sort)
        for name, table in SILVER_REGISTER.items()
    }


def _history(
    table: RecordTable,
    versions: Collection[RowVersion],
    registry: Registry,
    homes: "BuildingHomes",
    secrets: Secrets,
) -> pl.DataFrame:
    """Build the `SILVER_REGISTER_HISTORY` frame of a register table, one row per row version.

    The column `houseName` becomes `home`, the id of the building's home or null. Other texts pass by their
    form: a time, the name of a sensor file without its user, a room that sites.yaml names, and what is
    harmless. Of the messages of the error log each word passes by itself.
    """
    silver = SILVER_REGISTER_HISTORY[table.name]
    rooms = {room for home in registry.homes for room in home.room_ids()}
    names = [(column.name, silver_name(column.name)) for column in table.columns]
    records = []
    for version in versions:
        record: dict[str, Any] = {"valid_from": version.valid_from, "valid_to": version.valid_to}
        for name, called in names:
            value = version.row.get(name)
            if name == "houseName":
                record["home"] = homes.of(version.row)
            else:
                shown = without_unseen(value) if isinstance(value, str) else value
                record[called] = _shown(name, shown, rooms, secrets) if isinstance(shown, str) else shown
        records.append(record)
    return pl.DataFrame(records, schema=silver.schema).sort(silver.sort)


def _shown(column: str, text: str, rooms: Collection[str], secrets: Secrets) -> str:
    """Show a text of a register column by its form; rooms: keys (`name_key`) of those in sites.yaml."""
    if column == _MESSAGE:
        return masked_words(text, secrets)
    if column in _TIMES and _TIME.fullmatch(text):
        return text
    named = _FILE.match(text) if column == "file" else None
    if named is not None:
        return f"{named[1]}{MASK}{named[2]}"
    if passes(text, secrets) or (len(text) <= LONGEST and name_key(text) in rooms):
        return plain_name(text)
    return MASK


class BuildingHomes:
    """Finds the home of a register building: the home whose entry in sites.yaml names the building.

    Else it is the home whose feed user is the building's `houseName`, unless that home names another
    building. If two homes match, the first of sites.yaml counts.
    """

    def __init__(self, registry: Registry) -> None:
        last_first = registry.homes[::-1]
        self._named = {
            home.register_building: home.id for home in last_first if home.register_building is not None
        }
        self._users = {
            name_key(home.feed_user): home.id for home in last_first if home.register_building is None
        }

    def of(self, building: Row) -> str | None:
        """Return the home's id; None if no home has this building."""
        user = name_key(str(building.get("houseName") or ""))
        return self._named.get(building["idBuilding"]) or self._users.get(user)
