"""The register: the field's tables, invented people, and markers that a search can find."""

import sqlite3
from pathlib import Path

import pytest

from domotic_assets.schemas.register import NEVER_READ, REGISTER
from domotic_assets.simulator.register import MARKER, TABLES, personal_values, register_rows, write_register
from domotic_assets_tests.support.worlds import MONDAY, registry

HOMES = registry(2).homes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_register(tmp_path / "register.sqlite", 7, HOMES, MONDAY)
    return tmp_path / "register.sqlite"


def test_it_has_every_table_and_column_that_is_read_and_those_that_never_are(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert tables == set(REGISTER) | NEVER_READ
        for table in REGISTER.values():
            found = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
            assert {column.name for column in table.columns} <= found
        for table in tables:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0  # noqa: S608


def test_it_is_the_size_of_the_fields() -> None:
    rows = register_rows(7, HOMES, MONDAY)
    assert len(rows["buildings"]) == 2
    assert len(rows["rooms"]) == 16
    assert 30 <= len(rows["sensors"]) <= 50
    assert len(rows["profile"]) == 500
    assert {row[2] for row in rows["sensors"]} == {
        "plug",
        "door",
        "window",
        "motion",
        "climate",
        "humidity",
        "meter",
    }


def test_the_same_arguments_give_the_same_bytes_and_time(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    write_register(other, 7, HOMES, MONDAY)
    write_register(other, 7, HOMES, MONDAY)
    assert other.read_bytes() == file.read_bytes()
    assert other.stat().st_mtime == MONDAY.timestamp()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["other.sqlite", "register.sqlite"]


def test_every_personal_text_carries_its_own_marker(file: Path) -> None:
    personal = {
        "firstName",
        "lastName",
        "phoneNumber",
        "address",
        "npa",
        "city",
        "email",
        "password",
        "ipAddress",
    }
    values = personal_values(7, HOMES)
    marked = [value for value in values if MARKER in value]
    assert len(marked) == len(set(marked))
    with sqlite3.connect(file) as connection:
        for table, columns in TABLES.items():
            for column in [part.split()[0] for part in columns.split(", ")]:
                if column in personal or (table in NEVER_READ and column in ("description", "name")):
                    for (value,) in connection.execute(f"SELECT {column} FROM {table}"):  # noqa: S608
                        assert f"{MARKER}-{table}-" in value
                        assert value in values


def test_users_tokens_and_coordinates_count_as_personal(file: Path) -> None:
    values = personal_values(7, HOMES)
    assert {"UserOne", "UserTwo", "PassingVisitor"} <= set(values)
    assert len([value for value in values if value.startswith("simulated-")]) == 3
    with sqlite3.connect(file) as connection:
        for latitude, longitude in connection.execute("SELECT latitude, longitude FROM buildings"):
            assert {str(latitude), str(longitude)} <= set(values)


def test_error_messages_name_users_as_the_fields_do() -> None:
    rows = register_rows(7, HOMES, MONDAY)
    assert any("UserOne" in str(row[2]) for row in rows["dierrors"])
    assert all(str(row[4]).endswith("_received.json") for row in rows["dierrors"])


def test_a_home_keeps_the_building_that_the_registry_states() -> None:
    homes = [HOMES[0], HOMES[1].model_copy(update={"register_building": 1})]
    assert [(row[0], row[3]) for row in register_rows(7, homes, MONDAY)["buildings"]] == [
        (2, "UserOne"),
        (1, "UserTwo"),
    ]
