"""The register in SQLite: what may be read, changes against a position, and errors that say what to do."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from domotic_assets.errors import ContractError, SourceError
from domotic_assets.ingest.changes import change_rows, current_state
from domotic_assets.schemas.register import NEVER_READ, REGISTER
from domotic_assets.sources.sql import snapshots
from domotic_assets.sources.sql.snapshots import Change, Refusal, RelationalSource
from domotic_assets.sources.sql.sqlite import sqlite_source

# Personal columns and tables stand beside the allowed ones, and letter case differs from the allow-list.
TABLES = """
create table Buildings (IDBUILDING integer, idUser integer, idBuildingType integer, HouseName text,
    latitude real, address text, firstName text, phoneNumber text, buildingYear integer, isHeatingOn boolean);
create table buildingtype (idBuildingType integer, name text);
create table ROOMS (idRoom integer, idBuilding integer, Name text, surface text);
create table sensors (idSensor integer, idRoom integer, type text, ip text);
create table devices (idDevice integer, idRoom integer, name text, type text);
create table profilereference (idProfileReference integer, type text, kwhPerYear real);
create table profile (idProfile integer, idBuilding integer, creationDate text, power real);
create table parameters (idParameter integer, idBuilding integer, idParameterType integer, value real);
create table parameterstype (idParameterType integer, name text);
create table dierrors (idError integer, idBuilding integer, errorMessage text, creationDate text);
create table users (idUser integer, name text, password text);
insert into Buildings values (1, 7, 2, 'JimmyLoup', 46.2, 'Rue Secrete 5', 'Jimmy', '079 000 00 00', 1998, 1);
insert into ROOMS values (10, 1, 'Office', '12.5');
insert into ROOMS values (9, 1, 'Kitchen', null);
insert into users values (7, 'Jimmy', 'hunter2');
"""

OFFICE = {
    "idRoom": 10, "idBuilding": 1, "name": "Office", "nbSensors": None, "orientation": None, "surface": 12.5,
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a register #1.sqlite"
    execute(path, TABLES)
    return path


def execute(file: Path, script: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.executescript(script)
    connection.close()


def source(file: Path) -> RelationalSource:
    return sqlite_source(file, REGISTER)


def test_first_pull_inserts_every_row_with_allowed_columns_only(file: Path) -> None:
    batch = source(file).pull({}, 100)
    building = {
        "idBuilding": 1, "idBuildingType": 2, "houseName": "JimmyLoup",
        "buildingYear": 1998, "nbPeople": None, "isHeatingOn": 1,
    }  # fmt: skip
    kitchen = OFFICE | {"idRoom": 9, "name": "Kitchen", "surface": None}
    assert batch.items == (
        Change("buildings", "1", "insert", None, building),
        Change("rooms", "9", "insert", None, kitchen),
        Change("rooms", "10", "insert", None, OFFICE),
    )
    assert batch.position == {"buildings": {"1": building}, "rooms": {"9": kitchen, "10": OFFICE}}
    assert not batch.more
    assert batch.refused == ()


@pytest.mark.rule(11)
def test_nothing_personal_is_delivered(file: Path) -> None:
    delivered = repr(source(file).pull({}, 100))
    for personal in ("Rue Secrete", "079 000", "46.2", "hunter2", "'Jimmy'", "users"):
        assert personal not in delivered


@pytest.mark.rule(11)
def test_no_personal_table_is_on_the_allow_list() -> None:
    assert not NEVER_READ & REGISTER.keys()


@pytest.mark.rule(11)
def test_queries_name_no_other_table_and_no_personal_column(file: Path) -> None:
    statements: list[str] = []
    reader = source(file)

    @sa.event.listens_for(reader.engine, "before_cursor_execute")
    def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    reader.pull({}, 100)
    selects = [
        statement for statement in statements if statement.startswith("SELECT") and "sqlite_" not in statement
    ]
    assert len(selects) == 10
    for statement in selects:
        assert "*" not in statement
        for personal in ("users", "address", "latitude", "firstName", "phoneNumber", "password"):
            assert personal not in statement


def test_pull_from_the_position_brings_updates_inserts_and_deletes(file: Path) -> None:
    known = source(file).pull({}, 100).position
    execute(
        file,
        "update ROOMS set surface = 13 where idRoom = 10; delete from ROOMS where idRoom = 9;"
        "insert into buildingtype values (2, 'Appartement');",
    )
    batch = source(file).pull(known, 100)
    kitchen = OFFICE | {"idRoom": 9, "name": "Kitchen", "surface": None}
    assert batch.items == (
        Change("buildingtype", "2", "insert", None, {"idBuildingType": 2, "name": "Appartement"}),
        Change("rooms", "9", "delete", kitchen, None),
        Change("rooms", "10", "update", OFFICE, OFFICE | {"surface": 13.0}),
    )
    assert source(file).pull(batch.position, 100).items == ()


def test_a_pull_is_bounded_and_goes_on_from_its_position(file: Path) -> None:
    first = source(file).pull({}, 2)
    second = source(file).pull(first.position, 2)
    assert [(c.table, c.key) for c in first.items] == [("buildings", "1"), ("rooms", "9")]
    assert [(c.table, c.key) for c in second.items] == [("rooms", "10")]
    assert (first.more, second.more) == (True, False)


def test_the_position_handed_in_is_left_as_it_was(file: Path) -> None:
    position = {"rooms": {"10": OFFICE}}
    source(file).pull(position, 100)
    assert position == {"rooms": {"10": OFFICE}}


@pytest.mark.rule(5)
def test_a_value_of_the_wrong_type_is_refused_and_the_rest_of_its_row_lives(file: Path) -> None:
    execute(file, "update ROOMS set surface = 'large', idBuilding = 1.5 where idRoom = 10")
    batch = source(file).pull({}, 100)
    assert batch.position["rooms"]["10"] == OFFICE | {"surface": None, "idBuilding": None}
    assert set(batch.refused) == {
        Refusal("rooms", "10", "surface", "not_a_number"),
        Refusal("rooms", "10", "idBuilding", "not_a_whole_number"),
    }
    assert "large" not in repr(batch.refused)


@pytest.mark.rule(9)
@pytest.mark.parametrize("value", ["1e400", "'nan'", "x'00ff'", "'9223372036854775808'"])
def test_a_number_that_is_none_never_stops_the_pull(file: Path, value: str) -> None:
    execute(file, "insert into profile (idProfile, idBuilding) values (1, @value)".replace("@value", value))
    batch = source(file).pull({}, 100)
    assert batch.position["profile"]["1"]["idBuilding"] is None
    assert batch.refused == (Refusal("profile", "1", "idBuilding", "not_a_whole_number"),)


@pytest.mark.rule(9)
@pytest.mark.parametrize("value", ["1e400", "'nan'", "'12,5'", "x'00ff'"])
def test_power_that_is_none_never_stops_the_pull(file: Path, value: str) -> None:
    execute(file, "insert into profile (idProfile, power) values (1, @value)".replace("@value", value))
    batch = source(file).pull({}, 100)
    assert batch.position["profile"]["1"]["power"] is None
    assert batch.refused == (Refusal("profile", "1", "power", "not_a_number"),)


@pytest.mark.rule(9)
def test_text_that_is_no_utf8_is_taken_with_replacement_characters(file: Path) -> None:
    execute(file, "insert into devices values (1, 10, cast(x'4be96c' as text), 'fridge')")
    assert source(file).pull({}, 100).position["devices"]["1"]["name"] == "K\ufffdl"


def test_rows_without_a_key_or_with_one_twice_are_reported(file: Path) -> None:
    execute(
        file, "insert into ROOMS values (null, 1, 'Attic', 3); insert into ROOMS values (9, 1, 'Laundry', 4)"
    )
    batch = source(file).pull({}, 100)
    assert set(batch.refused) == {
        Refusal("rooms", None, "idRoom", "no_key"),
        Refusal("rooms", "9", "idRoom", "key_twice"),
    }
    assert source(file).pull(batch.position, 100).items == ()


def test_a_missing_file_is_one_line_with_the_remedy_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        sqlite_source(tmp_path / "none.sqlite", REGISTER)

    message = str(caught.value)
    assert "none.sqlite" in message
    assert "domotic simulate" in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_the_file_is_followed_only_if_the_entry_says_so(
    file: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.sqlite"
    link.symlink_to(file)
    with pytest.raises(SourceError, match="the file is a link"):
        sqlite_source(link, REGISTER)
    assert sqlite_source(link, REGISTER, follow_links=True).pull({}, 1).items


def test_a_file_that_goes_after_opening_is_not_created_either(file: Path) -> None:
    reader = source(file)
    file.unlink()
    with pytest.raises(SourceError):
        reader.pull({}, 100)
    assert not file.exists()


def test_the_register_cannot_be_written(file: Path) -> None:
    with source(file).engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("delete from users")


def test_a_file_that_is_no_database_is_a_source_error(tmp_path: Path) -> None:
    file = tmp_path / "register.sqlite"
    file.write_text("no database at all, only some text that is long enough")
    with pytest.raises(SourceError, match=r"register\.sqlite"):
        source(file).pull({}, 100)


def test_a_missing_required_column_names_table_column_and_the_columns_found(file: Path) -> None:
    execute(file, "alter table sensors drop column type")
    with pytest.raises(ContractError) as caught:
        source(file).pull({}, 100)
    message = str(caught.value)
    assert "table sensors has no column type" in message
    for name in ("idSensor", "idRoom", "ip"):
        assert name in message


def test_a_missing_table_is_named_with_the_tables_found(file: Path) -> None:
    execute(file, "drop table parameters")
    with pytest.raises(ContractError, match=r"table parameters is missing.*parameterstype"):
        source(file).pull({}, 100)


def test_the_state_that_bronze_replays_is_the_position(file: Path) -> None:
    execute(file, "insert into profile values (1, 1, '2023-09-04 10:00', 0.1)")
    execute(file, "insert into devices values (1, 10, 'Tänn', 'x')")
    batch = source(file).pull({}, 100)
    landed = change_rows(batch.items, "sqlite", 0, datetime(2023, 9, 4, tzinfo=UTC))
    assert current_state(landed) == batch.position
    assert source(file).pull(current_state(landed), 100).items == ()


def test_rows_that_are_not_chosen_stay_out_but_known_ones_are_followed(file: Path) -> None:
    def none_of_rooms(state: Any) -> Any:
        return {table: {} if table == "rooms" else rows for table, rows in state.items()}

    choosing = replace(source(file), choose=none_of_rooms)
    first = choosing.pull({}, 100)
    assert [change.table for change in first.items] == ["buildings"]
    known = {**first.position, "rooms": {"10": OFFICE}}
    execute(file, "update ROOMS set Name = 'Study' where idRoom = 10")
    second = choosing.pull(known, 100)
    assert second.items == (Change("rooms", "10", "update", OFFICE, OFFICE | {"name": "Study"}),)
    execute(file, "delete from ROOMS")
    assert [change.op for change in choosing.pull(second.position, 100).items] == ["delete"]


ENDLESS = "with recursive r(x) as (select 1 union all select x + 1 from r)"


@pytest.mark.parametrize(
    ("row", "rows", "said"),
    [
        ("x, 1, 'Attic'", "r where x < 0", "takes longer than 1 s"),
        ("x, 1, 'Attic'", "r", "too much"),
        ("1, 1, 'Attic'", "r", "too much"),
        ("null, 'x', 'Attic'", "r", "too much"),
        ("x, 1, printf('%.*c', 900000, 'a')", "r", "too much"),
        ("1, 1, zeroblob(100000000)", "r limit 1", "larger than 1,048,576"),
    ],
)
def test_a_view_that_never_ends_or_fills_the_memory_is_an_error_in_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, row: str, rows: str, said: str
) -> None:
    monkeypatch.setattr(snapshots, "MOST_SECONDS", 1 if "longer" in said else 60)
    monkeypatch.setattr(snapshots, "MOST_ROWS", 20_000)
    execute(
        file,
        f"drop table ROOMS; create view ROOMS(idRoom,idBuilding,name) as {ENDLESS} select {row} from {rows}",  # noqa: S608
    )
    with pytest.raises(SourceError, match=said) as caught:
        source(file).pull({}, 100)
    assert "\n" not in str(caught.value)


def test_a_large_value_in_a_column_that_is_not_read_stops_nothing(file: Path) -> None:
    execute(file, "alter table ROOMS add photo blob; update ROOMS set photo = zeroblob(5000000)")
    assert [change.key for change in source(file).pull({}, 100).items] == ["1", "9", "10"]


def test_refused_values_beyond_a_bound_are_counted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_REFUSALS", 2)
    execute(file, "update ROOMS set idBuilding = 'x', surface = 'large'")
    batch = source(file).pull({}, 100)
    assert (len(batch.refused), batch.refused_values) == (2, 4)
