"""The register's contract: ten tables, and nothing personal among them."""

import pytest

from domotic_assets.schemas import ALL_TABLES
from domotic_assets.schemas.records import silver_name
from domotic_assets.schemas.register import NEVER_READ, REGISTER, SILVER_REGISTER, SILVER_REGISTER_HISTORY

PERSONAL_COLUMNS = {
    "iduser", "firstname", "lastname", "phonenumber", "address", "npa", "city", "latitude", "longitude",
    "ipaddress",
}  # fmt: skip


def test_the_ten_tables_of_the_register() -> None:
    assert set(REGISTER) == {
        "buildings", "buildingtype", "rooms", "sensors", "devices", "profilereference", "profile",
        "parameters", "parameterstype", "dierrors",
    }  # fmt: skip


@pytest.mark.rule(11)
def test_no_table_that_must_never_be_read_is_listed() -> None:
    assert {
        "users", "actions", "achievements", "badges", "events", "eventsgeneric", "eventsignore", "categories",
        "userrelationships",
    } == NEVER_READ  # fmt: skip
    assert not NEVER_READ & {name.lower() for name in REGISTER}


@pytest.mark.rule(11)
@pytest.mark.parametrize("name", REGISTER)
def test_no_personal_column_is_listed(name: str) -> None:
    assert not PERSONAL_COLUMNS & {column.name.lower() for column in REGISTER[name].columns}


@pytest.mark.parametrize("name", REGISTER)
def test_the_key_is_a_required_column(name: str) -> None:
    table = REGISTER[name]
    assert table.key in {column.name for column in table.columns if column.required}


@pytest.mark.rule(11)
def test_silver_knows_the_home_and_not_the_users_name() -> None:
    columns = [column.name for column in SILVER_REGISTER["buildings"].columns]
    assert columns == [
        "id_building", "id_building_type", "home", "building_year", "nb_people", "is_heating_on"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "name"), [("idBuilding", "id_building"), ("name", "name"), ("kwhPerYear", "kwh_per_year")]
)
def test_silver_names_are_snake_case(column: str, name: str) -> None:
    assert silver_name(column) == name


@pytest.mark.parametrize("name", REGISTER)
def test_a_history_has_the_current_columns_and_an_interval(name: str) -> None:
    current, history = SILVER_REGISTER[name], SILVER_REGISTER_HISTORY[name]
    assert history.name == f"register_{name}_history"
    assert history.schema.names() == [*current.schema.names(), "valid_from", "valid_to"]
    assert history.primary_key == (*current.primary_key, "valid_from")
    assert [history.column(end).nullable for end in ("valid_from", "valid_to")] == [False, True]
    assert ALL_TABLES[history.id] is history
