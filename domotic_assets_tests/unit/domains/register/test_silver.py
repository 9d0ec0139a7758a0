"""The register in Silver: home ids instead of users, masked texts, exact schemas."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.register.silver import current_rows, register_history
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.register import SILVER_REGISTER, SILVER_REGISTER_HISTORY
from domotic_assets_tests.support.builders import REGISTRY, registry

State = dict[str, dict[str, dict[str, Any]]]
SEEN = datetime(2023, 9, 4, 7, 0, tzinfo=UTC)
LATER = datetime(2023, 9, 5, 7, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Version:
    row: dict[str, Any]
    valid_from: datetime = SEEN
    valid_to: datetime | None = None


def register_tables(state: State, of: Registry) -> dict[str, pl.DataFrame]:
    """Silver's current tables where nothing ever changed."""
    versions = {table: [Version(row) for row in rows.values()] for table, rows in state.items()}
    return current_rows(register_history(versions, of))


def building(number: int, user: str | None) -> dict[str, Any]:
    return {
        "idBuilding": number, "idBuildingType": 1, "houseName": user,
        "buildingYear": 1998, "nbPeople": None, "isHeatingOn": 1,
    }  # fmt: skip


def error(message: str, file: str | None = None) -> State:
    row = {
        "idError": 5, "idBuilding": 1, "creationDate": "2023-09-04 10:00", "errorMessage": message,
        "file": file,
    }  # fmt: skip
    return {"buildings": {"1": building(1, "OtherUser")}, "dierrors": {"5": row}}


def homes_of(state: State, of: Registry) -> dict[int, str | None]:
    return dict(register_tables(state, of)["buildings"].select("id_building", "home").iter_rows())


def test_ten_tables_with_their_schemas_even_when_empty() -> None:
    tables = register_tables({}, registry())
    assert len(tables) == 10
    for name, frame in tables.items():
        assert frame.schema == SILVER_REGISTER[name].schema
        assert frame.height == 0


def test_a_history_for_each_table_even_when_empty() -> None:
    history = register_history({}, registry())
    assert len(history) == 10
    for name, frame in history.items():
        assert frame.schema == SILVER_REGISTER_HISTORY[name].schema


def test_history_has_every_version_and_the_current_table_what_stands_still() -> None:
    office = {
        "idRoom": 2,
        "idBuilding": 1,
        "name": "Office",
        "nbSensors": 3,
        "orientation": "S",
        "surface": 9.0,
    }
    gone = office | {"idRoom": 1, "name": "Attic"}
    versions = [
        Version(office | {"surface": 12.5}, LATER),
        Version(office, SEEN, LATER),
        Version(gone, SEEN, LATER),
    ]
    history = register_history({"rooms": versions}, registry())
    assert history["rooms"].rows() == [
        (1, 1, "Attic", 3, "S", 9.0, SEEN, LATER),
        (2, 1, "Office", 3, "S", 9.0, SEEN, LATER),
        (2, 1, "Office", 3, "S", 12.5, LATER, None),
    ]
    assert current_rows(history)["rooms"].rows() == [(2, 1, "Office", 3, "S", 12.5)]


@pytest.mark.rule(11)
def test_a_name_that_a_building_had_once_goes_from_every_text_as_well() -> None:
    versions = {
        "buildings": [
            Version(building(1, "FormerUser"), SEEN, LATER),
            Version(building(1, "JimmyLoup"), LATER),
        ],
        "dierrors": [Version(error("FormerUser and jimmyloup are late")["dierrors"]["5"])],
    }
    history = register_history(versions, registry())
    assert history["dierrors"]["error_message"].item() == "*** and *** are late"
    assert history["buildings"]["home"].to_list() == [None, "jimmy"]
    assert current_rows(history)["dierrors"]["error_message"].item() == "*** and *** are late"


def test_a_building_gets_the_home_of_its_user() -> None:
    state = {
        "buildings": {
            str(n): building(n, u) for n, u in enumerate(["jimmyloup ", "Nobody", None, "JeremieVianin"])
        }
    }
    assert homes_of(state, registry()) == {0: "jimmy", 1: None, 2: None, 3: "jeremie"}


def test_a_home_that_names_its_building_has_that_one_and_no_other() -> None:
    named = registry(
        REGISTRY.replace("    feed_user: JimmyLoup\n", "    feed_user: JimmyLoup\n    register_building: 8\n")
    )
    state = {
        "buildings": {
            "1": building(1, "JimmyLoup"),
            "8": building(8, "renamed"),
            "9": building(9, "JeremieVianin"),
        }
    }
    assert homes_of(state, named) == {1: None, 8: "jimmy", 9: "jeremie"}


def test_values_and_sort_order() -> None:
    rows = {
        "10": {
            "idRoom": 10,
            "idBuilding": 1,
            "name": "Office",
            "nbSensors": 3,
            "orientation": "S",
            "surface": 12.5,
        },
        "9": {
            "idRoom": 9,
            "idBuilding": 1,
            "name": "Kitchen",
            "nbSensors": None,
            "orientation": None,
            "surface": None,
        },
    }
    frame = register_tables({"rooms": rows}, registry())["rooms"]
    assert frame.rows() == [(9, 1, "Kitchen", None, None, None), (10, 1, "Office", 3, "S", 12.5)]


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no file of JIMMYLOUP since 10:00", "no file of *** since ***"),
        ("JeremieVianin: api_token=q1w2 refused", "*** refused"),
        ("OtherUser is unknown", "*** is unknown"),
        ("pw Sommer2019 of J i m m y, 079 123 45 67", "*** of ***"),
        ("got tok-5f1c9be07a2d", "got ***"),
    ],
)
def test_error_messages_lose_users_and_tokens(message: str, expected: str) -> None:
    frame = register_tables(error(message), registry())["dierrors"]
    assert frame["error_message"].item() == expected


@pytest.mark.rule(11)
@pytest.mark.parametrize("user", ["JimmyLoup", "OtherUser", "NeverHeardOf"])
def test_file_names_of_errors_lose_their_user(user: str) -> None:
    frame = register_tables(error("cut off", f"04.09.2023 1000_{user}_received.json"), registry())["dierrors"]
    assert frame["file"].item() == "04.09.2023 1000_***_received.json"


@pytest.mark.rule(11)
def test_users_go_from_every_text_of_every_table() -> None:
    state = {
        "rooms": {"1": {"idRoom": 1, "idBuilding": 1, "name": "Room of jimmyloup"}},
        "devices": {"2": {"idDevice": 2, "idRoom": 1, "name": "OtherUser's TV", "type": "tv"}},
        "buildings": {"1": building(1, "OtherUser")},
    }
    tables = register_tables(state, registry())
    assert tables["rooms"]["name"].item() == "***"
    assert tables["devices"].select("name", "type").row(0) == ("***", "tv")
    for frame in tables.values():
        assert "user" not in repr(frame.rows()).lower()
