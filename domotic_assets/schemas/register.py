"""The register's contract: the tables and columns that may be read, and the Silver tables they become.

Whatever is not listed is never selected. Personal columns (names, phone numbers, addresses,
coordinates) and personal tables are therefore out of reach, not filtered afterwards.
"""

from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.table import Column, Table, moment, text

NEVER_READ = frozenset(
    {
        "users", "actions", "achievements", "badges", "events", "eventsgeneric", "eventsignore",
        "categories", "userrelationships",
    }
)  # fmt: skip


@dataclass(frozen=True)
class RegisterColumn:
    """A column that may be read: its name (matched without regard to case), type and meaning."""

    name: str
    dtype: pl.DataType
    description: str
    required: bool = True


@dataclass(frozen=True)
class RegisterTable:
    """A table that may be read. `key` is its primary key; `home_from` the column that leads to a building."""

    name: str
    key: str
    columns: tuple[RegisterColumn, ...]


def _int(name: str, description: str, *, required: bool = True) -> RegisterColumn:
    return RegisterColumn(name, pl.Int64(), description, required)


def _float(name: str, description: str, *, required: bool = True) -> RegisterColumn:
    return RegisterColumn(name, pl.Float64(), description, required)


def _text(name: str, description: str, *, required: bool = True) -> RegisterColumn:
    return RegisterColumn(name, pl.String(), description, required)


REGISTER: dict[str, RegisterTable] = {
    t.name: t
    for t in (
        RegisterTable(
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
        RegisterTable(
            "buildingtype",
            "idBuildingType",
            (_int("idBuildingType", "building type"), _text("name", "Maison or Appartement")),
        ),
        RegisterTable(
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
        RegisterTable(
            "sensors",
            "idSensor",
            (
                _int("idSensor", "sensor"),
                _int("idRoom", "room"),
                _text("type", "plug, door, window, motion, climate, humidity or meter"),
            ),
        ),
        RegisterTable(
            "devices",
            "idDevice",
            (
                _int("idDevice", "appliance"),
                _int("idRoom", "room"),
                _text("name", "appliance name"),
                _text("type", "fridge, washer, …"),
            ),
        ),
        RegisterTable(
            "profilereference",
            "idProfileReference",
            (
                _int("idProfileReference", "reference"),
                _text("type", "appliance type"),
                _float("kwhPerYear", "reference consumption in kWh a year"),
            ),
        ),
        RegisterTable(
            "profile",
            "idProfile",
            (
                _int("idProfile", "snapshot"),
                _int("idBuilding", "building"),
                _text("creationDate", "local time of the snapshot"),
                _float("power", "power in W"),
            ),
        ),
        RegisterTable(
            "parameters",
            "idParameter",
            (
                _int("idParameter", "threshold"),
                _int("idBuilding", "building"),
                _int("idParameterType", "what it limits"),
                _float("value", "threshold"),
            ),
        ),
        RegisterTable(
            "parameterstype",
            "idParameterType",
            (_int("idParameterType", "threshold type"), _text("name", "e.g. temperature_max")),
        ),
        RegisterTable(
            "dierrors",
            "idError",
            (
                _int("idError", "error"),
                _int("idBuilding", "building"),
                _text("errorMessage", "message; masked right of bronze"),
                _text("creationDate", "local time of the error"),
                _text("file", "sensor file; masked right of bronze", required=False),
            ),
        ),
    )
}


def silver_name(column: str) -> str:
    """`idBuilding` → `id_building`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in column).lstrip("_")


def silver_table(table: RegisterTable) -> Table:
    """The Silver table of a register table: current state; `houseName` becomes `home`."""
    columns = [
        text("home", "home id; null where no home has this building")
        if column.name == "houseName"
        else Column(silver_name(column.name), column.dtype, column.description)
        for column in table.columns
    ]
    return Table(
        layer="silver",
        name=f"register_{table.name}",
        grain=f"one row per row of the register's table {table.name}, current state",
        columns=tuple(columns),
        primary_key=(silver_name(table.key),),
        sort=(silver_name(table.key),),
    )


SILVER_REGISTER: dict[str, Table] = {name: silver_table(table) for name, table in REGISTER.items()}


def history_table(current: Table) -> Table:
    """The history of a Silver register table: its columns, and from when to when they stood so."""
    return Table(
        layer="silver",
        name=f"{current.name}_history",
        grain=f"one row per version of a row of {current.name}",
        columns=(
            *current.columns,
            moment("valid_from", "when this version was first seen", nullable=False),
            moment("valid_to", "when it was seen changed or gone (exclusive); null while it is current"),
        ),
        primary_key=(*current.primary_key, "valid_from"),
        sort=(*current.sort, "valid_from"),
    )


SILVER_REGISTER_HISTORY: dict[str, Table] = {
    name: history_table(table) for name, table in SILVER_REGISTER.items()
}
