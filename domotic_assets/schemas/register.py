"""Declares the register's contract: the tables and columns that may be read, and their Silver tables.

Whatever is not listed is never selected. Personal columns (names, phone numbers, addresses,
coordinates) and personal tables are therefore out of reach, not filtered afterwards.
"""

import polars as pl

from domotic_assets.schemas.records import RecordColumn, RecordTable, history_table, silver_table
from domotic_assets.schemas.table import Cadence, Subject, Table, moment, text, whole

NEVER_READ = frozenset(
    {
        "users", "actions", "achievements", "badges", "events", "eventsgeneric", "eventsignore",
        "categories", "userrelationships",
    }
)  # fmt: skip


def _int(name: str, description: str, *, required: bool = True) -> RecordColumn:
    """Declare a column of whole numbers that may be read; required: its absence raises ContractError."""
    return RecordColumn(name, pl.Int64(), description, required)


def _float(name: str, description: str, *, required: bool = True) -> RecordColumn:
    """Declare a column of numbers that may be read; required: its absence raises ContractError."""
    return RecordColumn(name, pl.Float64(), description, required)


def _text(name: str, description: str, *, required: bool = True) -> RecordColumn:
    """Declare a column of texts that may be read; required: its absence raises ContractError."""
    return RecordColumn(name, pl.String(), description, required)


REGISTER: dict[str, RecordTable] = {
    t.name: t
    for t in (
        RecordTable(
            "buildings",
            "idBuilding",
            (
                _int("idBuilding", "building"),
                _int("idBuildingType", "building type"),
                _text("houseName", "feed user; becomes the home id right of bronze"),
                _int("buildingYear", "year of construction", required=False),
                _int("nbPeople", "people living there", required=False),
                _int("isHeatingOn", "1 while heating is on", required=False),
            ),
        ),
        RecordTable(
            "buildingtype",
            "idBuildingType",
            (_int("idBuildingType", "building type"), _text("name", "Maison or Appartement")),
        ),
        RecordTable(
            "rooms",
            "idRoom",
            (
                _int("idRoom", "room"),
                _int("idBuilding", "building"),
                _text("name", "room name"),
                _int("nbSensors", "sensors in the room", required=False),
                _text("orientation", "orientation", required=False),
                _float("surface", "surface in m²", required=False),
            ),
        ),
        RecordTable(
            "sensors",
            "idSensor",
            (
                _int("idSensor", "sensor"),
                _int("idRoom", "room"),
                _text("type", "plug, door, window, motion, climate, humidity or meter"),
            ),
        ),
        RecordTable(
            "devices",
            "idDevice",
            (
                _int("idDevice", "appliance"),
                _int("idRoom", "room"),
                _text("name", "appliance name"),
                _text("type", "fridge, washer, …"),
            ),
        ),
        RecordTable(
            "profilereference",
            "idProfileReference",
            (
                _int("idProfileReference", "reference"),
                _text("type", "appliance type"),
                _float("kwhPerYear", "reference consumption in kWh a year"),
            ),
        ),
        RecordTable(
            "profile",
            "idProfile",
            (
                _int("idProfile", "snapshot"),
                _int("idBuilding", "building"),
                _text("creationDate", "local time of the snapshot"),
                _float("power", "power in W"),
            ),
        ),
        RecordTable(
            "parameters",
            "idParameter",
            (
                _int("idParameter", "threshold"),
                _int("idBuilding", "building"),
                _int("idParameterType", "what it limits"),
                _float("value", "threshold"),
            ),
        ),
        RecordTable(
            "parameterstype",
            "idParameterType",
            (_int("idParameterType", "threshold type"), _text("name", "e.g. temperature_max")),
        ),
        RecordTable(
            "dierrors",
            "idError",
            (
                _int("idError", "error"),
                _int("idBuilding", "building"),
                _text("errorMessage", "message; its harmless words alone right of bronze"),
                _text("creationDate", "local time of the error"),
                _text("file", "sensor file; without its user right of bronze", required=False),
            ),
        ),
    )
}

_REPLACED = {"houseName": text("home", "home id; null where no home has this building")}
_OF_ALL_BUILDINGS = ("buildingtype", "profilereference", "parameterstype")

SILVER_REGISTER: dict[str, Table] = {
    name: silver_table(
        table, "register", Subject.NOBODY if name in _OF_ALL_BUILDINGS else Subject.BUILDING, _REPLACED
    )
    for name, table in REGISTER.items()
}

SILVER_REGISTER_HISTORY: dict[str, Table] = {
    name: history_table(table) for name, table in SILVER_REGISTER.items()
}

REGISTER_ROWS = Table(
    layer="bronze",
    name="register_rows",
    grain="one row per change of a register row",
    columns=(
        text("source", "the register's kind", nullable=False),
        text("table", "register table, lower case", nullable=False),
        text("key", "primary key of the row as text", nullable=False),
        text("op", "insert, update or delete", nullable=False),
        whole("sequence", "number of the change within the source, from 1", nullable=False),
        moment("ts", "when the change was seen", nullable=False),
        text("before", "the row before, as JSON; allowed columns only"),
        text("after", "the row after, as JSON; allowed columns only"),
    ),
    primary_key=("source", "sequence"),
    subject=Subject.BUILDING,
    cadence=Cadence.WHOLE,
    place=None,
    sort=("sequence",),
)
