"""Writes the building register as a SQLite file: all tables of the field's `pidb`, personal ones included.

All people, numbers and addresses are invented. Each such value has its own marker, so that a search for leaks
can name what leaked; `personal_values` lists them.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from domotic_assets.registry.homes import Home
from domotic_assets.simulator.defects import FOREIGN_TOKEN, FOREIGN_USER
from domotic_assets.simulator.household import PLUG_APPLIANCES, ROOMS, UNPLUGGED_APPLIANCES, furnish, token_of

MARKER = "PLANTED"

TABLES: dict[str, str] = {
    "buildings": "idBuilding INTEGER PRIMARY KEY, idUser INTEGER, idBuildingType INTEGER, houseName TEXT, "
    "latitude REAL, longitude REAL, address TEXT, npa TEXT, city TEXT, buildingYear INTEGER, "
    "nbPeople INTEGER, isHeatingOn INTEGER, firstName TEXT, lastName TEXT, phoneNumber TEXT",
    "buildingtype": "idBuildingType INTEGER PRIMARY KEY, name TEXT",
    "rooms": "idRoom INTEGER PRIMARY KEY, idBuilding INTEGER, name TEXT, nbSensors INTEGER, "
    "orientation TEXT, surface REAL",
    "sensors": "idSensor INTEGER PRIMARY KEY, idRoom INTEGER, type TEXT, ipAddress TEXT",
    "devices": "idDevice INTEGER PRIMARY KEY, idRoom INTEGER, name TEXT, type TEXT",
    "profilereference": "idProfileReference INTEGER PRIMARY KEY, type TEXT, kwhPerYear REAL",
    "profile": "idProfile INTEGER PRIMARY KEY, idBuilding INTEGER, creationDate TEXT, power REAL",
    "parameters": "idParameter INTEGER PRIMARY KEY, idBuilding INTEGER, idParameterType INTEGER, value REAL",
    "parameterstype": "idParameterType INTEGER PRIMARY KEY, name TEXT",
    "dierrors": "idError INTEGER PRIMARY KEY, idBuilding INTEGER, errorMessage TEXT, creationDate TEXT, "
    "file TEXT",
    "users": "idUser INTEGER PRIMARY KEY, firstName TEXT, lastName TEXT, email TEXT, phoneNumber TEXT, "
    "password TEXT",
    "actions": "idAction INTEGER PRIMARY KEY, idUser INTEGER, description TEXT",
    "achievements": "idAchievement INTEGER PRIMARY KEY, idUser INTEGER, name TEXT",
    "badges": "idBadge INTEGER PRIMARY KEY, idUser INTEGER, name TEXT",
    "events": "idEvent INTEGER PRIMARY KEY, idUser INTEGER, description TEXT",
    "eventsgeneric": "idEventGeneric INTEGER PRIMARY KEY, idUser INTEGER, description TEXT",
    "eventsignore": "idEventIgnore INTEGER PRIMARY KEY, idUser INTEGER, description TEXT",
    "categories": "idCategory INTEGER PRIMARY KEY, idUser INTEGER, name TEXT",
    "userrelationships": "idUserRelationship INTEGER PRIMARY KEY, idUser INTEGER, description TEXT",
}
"""Table to its columns, as SQL."""

_APP_TABLES = (
    "actions", "achievements", "badges", "events", "eventsgeneric", "eventsignore", "categories",
    "userrelationships",
)  # fmt: skip
_BUILDING_TYPES = ((1, "Maison"), (2, "Appartement"))
_REFERENCES = (
    ("fridge", 180.0), ("washer", 190.0), ("television", 150.0), ("desk", 160.0), ("stove", 450.0),
    ("kettle", 60.0), ("dishwasher", 230.0), ("boiler", 1100.0),
)  # fmt: skip
_PARAMETERS = (
    ("temperature_min", 18.0), ("temperature_max", 26.0), ("humidity_min", 30.0), ("humidity_max", 65.0),
)  # fmt: skip
_ORIENTATIONS = ("N", "E", "S", "W")
PROFILES_PER_HOME = 250
ERRORS_PER_HOME = 6

Value = str | int | float
Rows = dict[str, list[tuple[Value, ...]]]


def planted(table: str, number: int, column: str) -> str:
    """Return the marker of a personal value, which names where it was planted."""
    return f"{MARKER}-{table}-{number}-{column}"


def write_register(file: Path, seed: int, homes: Sequence[Home], start: datetime) -> None:
    """Write the register anew; the same arguments give the same bytes."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    connection = sqlite3.connect(part)
    try:
        with connection:
            rows = register_rows(seed, homes, start)
            for table, columns in TABLES.items():
                connection.execute(f"CREATE TABLE {table} ({columns})")
                marks = ", ".join("?" * (columns.count(",") + 1))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[table])  # noqa: S608
    finally:
        connection.close()
    part.replace(file)
    os.utime(file, (start.timestamp(), start.timestamp()))


def register_rows(seed: int, homes: Sequence[Home], start: datetime) -> Rows:
    """Return the rows of every table."""
    rows: Rows = {table: [] for table in TABLES}
    rows["buildingtype"] += _BUILDING_TYPES
    rows["profilereference"] += [(n, *reference) for n, reference in enumerate(_REFERENCES, 1)]
    rows["parameterstype"] += [(n, name) for n, (name, _) in enumerate(_PARAMETERS, 1)]
    for user, (home, building) in enumerate(zip(homes, building_numbers(homes), strict=True), 1):
        _add_building(rows, seed, home, building, user)
        _add_people(rows, user)
        _add_rooms(rows, seed, home, building)
        _add_logs(rows, seed, home, building, start)
    return rows


def building_numbers(homes: Sequence[Home]) -> list[int]:
    """Return the register's number of each home: the one in sites.yaml, otherwise the next free one."""
    taken = {home.register_building for home in homes}
    free = (number for number in range(1, 2 * len(homes) + 2) if number not in taken)
    return [home.register_building or next(free) for home in homes]


def _add_building(rows: Rows, seed: int, home: Home, building: int, user: int) -> None:
    """Add the home's row to `buildings` in `rows`, with marked personal values.

    building, user: its numbers in the register.
    """
    rng = Random(f"{seed}/{home.id}/register")
    household = furnish(seed, home)
    rows["buildings"].append(
        (
            building,
            user,
            rng.choice(_BUILDING_TYPES)[0],
            home.feed_user,
            *_coordinates(building),
            f"Chemin Inventé {building}, {planted('buildings', building, 'address')}",
            f"0000-{planted('buildings', building, 'npa')}",
            f"Fauxbourg {planted('buildings', building, 'city')}",
            rng.randint(1955, 2021),
            household.people,
            1,
            f"Prénom {planted('buildings', building, 'firstName')}",
            f"Nom {planted('buildings', building, 'lastName')}",
            f"+41 00 000 {building:02d} 01 {planted('buildings', building, 'phoneNumber')}",
        )
    )


def _coordinates(building: int) -> tuple[float, float]:
    """Return latitude and longitude in the middle of a lake, with digits that occur nowhere else."""
    return 46.4219377 + building / 10_000, 6.5719733 + building / 10_000


def _add_people(rows: Rows, user: int) -> None:
    """Add the user with this number to `users` in `rows`, and one row of that user to each app table."""
    rows["users"].append(
        (
            user,
            f"Prénom {planted('users', user, 'firstName')}",
            f"Nom {planted('users', user, 'lastName')}",
            f"{planted('users', user, 'email')}@example.invalid",
            f"+41 00 000 {user:02d} 02 {planted('users', user, 'phoneNumber')}",
            f"hash-{planted('users', user, 'password')}",
        )
    )
    for table in _APP_TABLES:
        column = TABLES[table].split(", ")[-1].split()[0]
        rows[table].append((user, user, f"invented {planted(table, user, column)}"))


def _add_rooms(rows: Rows, seed: int, home: Home, building: int) -> None:
    """Add the home's rooms, sensors and appliances to `rooms`, `sensors` and `devices` in `rows`.

    building: the home's number in the register.
    """
    rng = Random(f"{seed}/{home.id}/register-rooms")
    sensors = sensors_of(seed, home)
    for room in (*ROOMS, "Outdoor", "House"):
        room_id = len(rows["rooms"]) + 1
        found = [kind for place, kind in sensors if place == room]
        surface = round(rng.uniform(5, 34), 1)
        rows["rooms"].append((room_id, building, room, len(found), rng.choice(_ORIENTATIONS), surface))
        for kind in found:
            sensor = len(rows["sensors"]) + 1
            rows["sensors"].append(
                (sensor, room_id, kind, f"192.0.2.{sensor % 250} {planted('sensors', sensor, 'ipAddress')}")
            )
        plugged = (PLUG_APPLIANCES[room],) if room in PLUG_APPLIANCES else ()
        for kind in (*plugged, *UNPLUGGED_APPLIANCES.get(room, ())):
            rows["devices"].append((len(rows["devices"]) + 1, room_id, kind.capitalize(), kind))


def sensors_of(seed: int, home: Home) -> list[tuple[str, str]]:
    """Return room spelling and register type of every sensor in the home's files."""
    household = furnish(seed, home)
    return [
        *((room, "plug") for room in PLUG_APPLIANCES),
        *((room, kind.lower()) for room, kinds in household.openings.items() for kind in kinds),
        *((room, "motion") for room in household.motion_rooms),
        *((room, "climate") for room in (*household.stations, "Outdoor")),
        *((room, "humidity") for room in household.humidity_rooms),
        ("House", "meter"),
    ]


def _add_logs(rows: Rows, seed: int, home: Home, building: int, start: datetime) -> None:
    """Add the home's `profile`, `parameters` and `dierrors` to `rows`.

    Profiles are every 15 minutes from `start` on, errors within 24 hours of it. building: the home's number
    in the register.
    """
    rng = Random(f"{seed}/{home.id}/{start:%Y-%m-%d}/register-logs")
    for snapshot in range(PROFILES_PER_HOME):
        at = start + timedelta(minutes=15 * snapshot)
        rows["profile"].append(
            (len(rows["profile"]) + 1, building, f"{at:%Y-%m-%d %H:%M:%S}", round(rng.uniform(60, 900), 1))
        )
    for kind, (_, value) in enumerate(_PARAMETERS, 1):
        rows["parameters"].append((len(rows["parameters"]) + 1, building, kind, value))
    for _ in range(ERRORS_PER_HOME):
        at = start + timedelta(minutes=rng.randint(0, 1439))
        name = f"{at:%d.%m.%Y %H%M}_{home.feed_user}_received.json"
        message = rng.choice(
            (
                f"no answer from the gateway of {home.feed_user}",
                f"cannot parse {name}",
                f"token {token_of(seed, home.id)} refused",
            )
        )
        rows["dierrors"].append(
            (len(rows["dierrors"]) + 1, building, message, f"{at:%Y-%m-%d %H:%M:%S}", name)
        )


def personal_values(seed: int, homes: Sequence[Home]) -> tuple[str, ...]:
    """Return every text that the sources hold and no layer after bronze may hold, to search for.

    These are feed users, tokens and the register's personal values as written; coordinates as their digits.
    """
    return tuple(dict.fromkeys(_personal(seed, homes)))


def _personal(seed: int, homes: Sequence[Home]) -> Iterator[str]:
    """Yield the texts of `personal_values`; a text may come more than once."""
    yield from (FOREIGN_USER, FOREIGN_TOKEN)
    rows = register_rows(seed, homes, datetime(2000, 1, 1))
    for home in homes:
        yield home.feed_user
        yield token_of(seed, home.id)
    for table in rows.values():
        for row in table:
            yield from (value for value in row if isinstance(value, str) and MARKER in value)
    for building in building_numbers(homes):
        yield from (str(degrees) for degrees in _coordinates(building))
