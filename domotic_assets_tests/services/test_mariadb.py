"""The register in a real MariaDB: the same rows as from SQLite, nothing personal asked for, clear errors."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.register import flows as register_flows
from domotic_assets.errors import ContractError, DomoticError, SourceError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.register import NEVER_READ, REGISTER, SILVER_REGISTER, SILVER_REGISTER_HISTORY
from domotic_assets.schemas.table import Table
from domotic_assets.settings import Settings
from domotic_assets.simulator.register import TABLES, write_register
from domotic_assets.sources.sql import mysql
from domotic_assets.sources.sql.mysql import mysql_source
from domotic_assets.sources.sql.snapshots import MOST_ROWS, Change, RelationalSource
from domotic_assets.sources.sql.sqlite import sqlite_source
from domotic_assets_tests.services.mariadb import MariadbServer, make_certificate, mariadb
from domotic_assets_tests.services.servers import HOST, free_port
from domotic_assets_tests.support.builders import REGISTRY, registry, write_sites

START = datetime(2023, 9, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def register_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("register") / "register.sqlite"
    write_register(file, 7, registry().homes, START)
    return file


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    with mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def server(running: MariadbServer, register_file: Path) -> MariadbServer:
    running.load(register_file)
    return running


def source(server: MariadbServer, *, tls: bool = True) -> RelationalSource:
    return mysql_source(
        server.address,
        server.user,
        server.password,
        REGISTER,
        tls=tls,
        ca_file=server.ca_file if tls else None,
    )


def error_of(reader: RelationalSource, server: MariadbServer, kind: type[DomoticError] = SourceError) -> str:
    """The message of a pull that fails, after a look that it is one line and keeps every secret."""
    with pytest.raises(kind) as caught:
        reader.pull({}, 10)
    message = str(caught.value)
    assert "\n" not in message
    assert server.user not in message
    assert server.password not in message
    assert caught.value.remedy
    return message


@pytest.mark.parametrize("tls", [True, False])
def test_the_rows_are_those_of_the_sqlite_file(server: MariadbServer, register_file: Path, tls: bool) -> None:
    expected = sqlite_source(register_file, REGISTER).pull({}, 100_000)
    batch = source(server, tls=tls).pull({}, 100_000)
    assert len(batch.items) > 500
    assert batch.items == expected.items
    assert batch.refused == ()


def test_changes_are_found_and_a_pull_without_any_brings_none(server: MariadbServer) -> None:
    known = source(server).pull({}, 100_000).position
    server.root(
        "UPDATE pidb.rooms SET surface = 99.5 WHERE idRoom = 1",
        "DELETE FROM pidb.parameters WHERE idParameter = 2",
        "INSERT INTO pidb.buildingtype VALUES (3, 'Châlet')",
    )
    batch = source(server).pull(known, 100_000)
    room, parameter = known["rooms"]["1"], known["parameters"]["2"]
    assert batch.items == (
        Change("buildingtype", "3", "insert", None, {"idBuildingType": 3, "name": "Châlet"}),
        Change("rooms", "1", "update", room, {**room, "surface": 99.5}),
        Change("parameters", "2", "delete", parameter, None),
    )
    assert source(server).pull(batch.position, 100_000).items == ()


@pytest.mark.rule(11)
def test_the_server_is_never_asked_for_anything_personal(server: MariadbServer) -> None:
    """By its own log of every statement, with an account that may read everything."""
    server.root(
        f"GRANT SELECT ON pidb.* TO '{server.user}'@'%'",
        "SET GLOBAL log_output = 'TABLE'",
        "TRUNCATE mysql.general_log",
        "SET GLOBAL general_log = ON",
    )
    try:
        source(server).pull({}, 100_000)
    finally:
        server.root("SET GLOBAL general_log = OFF")
    log = server.root("SELECT user_host, argument FROM mysql.general_log WHERE command_type = 'Query'")
    asked = [argument for user, argument in log if server.user in user]
    selects = [
        text for text in asked if " FROM " in text.replace("\n", " ") and "information_schema" not in text
    ]
    assert len(selects) == len(REGISTER) == 10
    allowed = {name.lower() for name in REGISTER}
    allowed |= {column.name.lower() for table in REGISTER.values() for column in table.columns}
    for text in selects:
        assert "*" not in text
        words = {word.lower() for word in re.findall(r"\w+", text)} - {
            "select",
            "from",
            "limit",
            str(MOST_ROWS + 1),
        }
        assert words <= allowed, words - allowed
    personal = {
        name.split()[0].lower()
        for table, declared in TABLES.items()
        for name in declared.split(", ")
        if table not in REGISTER or name.split()[0] not in {c.name for c in REGISTER[table].columns}
    } - allowed
    assert {"firstname", "phonenumber", "password", "latitude", "ipaddress"} <= personal
    for text in asked:
        words = {word.lower() for word in re.findall(r"\w+", text)}
        assert not words & (personal | NEVER_READ), text


@pytest.mark.rule(11)
def test_rights_to_the_allowed_columns_are_enough(server: MariadbServer) -> None:
    """The account of every test has no other: the server itself refuses it what is personal."""
    reader = source(server)
    assert reader.pull({}, 100_000).items
    with reader.engine.connect() as connection:
        for personal in ("SELECT firstName FROM buildings", "SELECT * FROM rooms, users"):
            with pytest.raises(Exception, match="denied"):
                connection.exec_driver_sql(personal)


def test_nothing_can_be_written_while_it_is_read(server: MariadbServer) -> None:
    server.root(f"GRANT ALL ON pidb.* TO '{server.user}'@'%'")
    reader = source(server)
    with reader.engine.connect() as connection:
        for statement in reader.begin:
            connection.exec_driver_sql(statement)
        with pytest.raises(Exception, match="READ ONLY"):
            connection.exec_driver_sql("DELETE FROM dierrors")


def test_all_tables_are_seen_as_of_one_moment(server: MariadbServer) -> None:
    """A row that comes while the first tables are read is for the next pull, in whichever table it is."""
    reader = source(server)
    seen = reader.catalogue

    def meanwhile(connection: object) -> object:
        found = seen(connection)  # type: ignore[arg-type]
        server.root("INSERT INTO pidb.parameterstype VALUES (77, 'late')")
        return found

    first = replace(reader, catalogue=meanwhile)  # type: ignore[arg-type]
    batch = first.pull({}, 100_000)
    assert "77" not in batch.position["parameterstype"]
    assert [change.key for change in reader.pull(batch.position, 10).items] == ["77"]


def test_types_that_only_a_server_has(server: MariadbServer) -> None:
    server.root(
        "ALTER TABLE pidb.buildings MODIFY isHeatingOn BIT(1)",
        "ALTER TABLE pidb.profile MODIFY power DECIMAL(8, 2)",
        "UPDATE pidb.profile SET power = 61.25 WHERE idProfile = 1",
        "UPDATE pidb.profile SET creationDate = '2023-09-04 10:00:00' WHERE idProfile = 1",
    )
    position = source(server).pull({}, 100_000).position
    assert position["buildings"]["1"]["isHeatingOn"] == 1
    assert position["profile"]["1"]["power"] == 61.25
    assert position["profile"]["1"]["creationDate"] == "2023-09-04 10:00:00"


def test_a_view_stands_in_for_a_renamed_column(server: MariadbServer) -> None:
    before = source(server).pull({}, 100_000).position
    server.root(
        "ALTER TABLE pidb.sensors RENAME COLUMN type TO kind, RENAME TO pidb.sensors_of_today",
        "CREATE VIEW pidb.sensors AS SELECT idSensor, idRoom, kind AS type FROM pidb.sensors_of_today",
    )
    server.let_in()
    assert source(server).pull({}, 100_000).position == before


def test_a_wrong_password(server: MariadbServer) -> None:
    reader = mysql_source(
        server.address, server.user, "wrong-one", REGISTER, tls=True, ca_file=server.ca_file
    )
    message = error_of(reader, server)
    assert "refuses the user or the password" in message
    assert "wrong-one" not in message
    assert server.address in message


def test_a_server_that_is_not_there(server: MariadbServer) -> None:
    address = f"{HOST}:{free_port()}/pidb"
    reader = mysql_source(address, server.user, server.password, REGISTER, tls=True, ca_file=server.ca_file)
    message = error_of(reader, server)
    assert "cannot be reached" in message
    assert address in message


def test_a_database_that_is_not_there(server: MariadbServer) -> None:
    server.root(f"GRANT SELECT ON `nodb`.* TO '{server.user}'@'%'")
    address = server.address.replace("pidb", "nodb")
    reader = mysql_source(address, server.user, server.password, REGISTER, tls=True, ca_file=server.ca_file)
    assert "no database nodb" in error_of(reader, server)


def test_a_missing_table_is_named(server: MariadbServer) -> None:
    server.root("DROP TABLE pidb.parameters")
    message = error_of(source(server), server, ContractError)
    assert "table parameters is missing" in message
    assert "parameterstype" in message


@pytest.mark.parametrize("change", ["DROP COLUMN orientation", "RENAME COLUMN orientation TO facing"])
def test_an_optional_column_may_be_missing(server: MariadbServer, change: str) -> None:
    server.root(f"ALTER TABLE pidb.rooms {change}")
    assert source(server).pull({}, 100_000).position["rooms"]["1"]["orientation"] is None


@pytest.mark.parametrize("change", ["DROP COLUMN type", "RENAME COLUMN type TO kind"])
def test_a_missing_or_renamed_column_is_named(server: MariadbServer, change: str) -> None:
    server.root(f"ALTER TABLE pidb.sensors {change}")
    message = error_of(source(server), server, ContractError)
    assert "table sensors has no column type" in message
    assert "idSensor" in message


def test_a_right_that_was_taken_away_is_named(server: MariadbServer) -> None:
    server.root(
        f"REVOKE SELECT (power) ON pidb.profile FROM '{server.user}'@'%'",  # noqa: S608
        f"GRANT INSERT ON pidb.profile TO '{server.user}'@'%'",
    )
    message = error_of(source(server), server)
    assert "no right to read column power of table profile" in message


def test_a_certificate_that_nobody_trusts(server: MariadbServer, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    other = tmp_path / "certificate.pem"
    for ca_file in (other, None):
        reader = mysql_source(
            server.address, server.user, server.password, REGISTER, tls=True, ca_file=ca_file
        )
        assert "certificate cannot be trusted" in error_of(reader, server)


def test_a_certificate_for_another_host(server: MariadbServer) -> None:
    address = server.address.replace(HOST, "localhost")
    reader = mysql_source(address, server.user, server.password, REGISTER, tls=True, ca_file=server.ca_file)
    message = error_of(reader, server)
    assert "certificate cannot be trusted" in message
    assert "localhost" in message


def test_a_file_of_certificates_that_cannot_be_read(server: MariadbServer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.pem"):
        mysql_source(server.address, "u", "p", REGISTER, tls=True, ca_file=tmp_path / "none.pem")


@pytest.mark.parametrize(("tls", "encrypted"), [(True, True), (False, False)])
def test_encryption_is_what_sites_yaml_says(server: MariadbServer, tls: bool, encrypted: bool) -> None:
    with source(server, tls=tls).engine.connect() as connection:
        _, cipher = connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()
    assert bool(cipher) is encrypted


def test_a_server_without_encryption_is_refused(server: MariadbServer, running: MariadbServer) -> None:
    running.stop()
    command, running.command = running.command, [
        *(part for part in running.command if not part.startswith("--ssl")), "--skip-ssl",
    ]  # fmt: skip
    try:
        running.start()
        assert "no safe encryption" in error_of(source(server), server)
        running.stop()
    finally:
        running.command = command
        running.start()


def test_a_server_that_is_killed_and_comes_back_needs_no_hand(server: MariadbServer) -> None:
    reader = source(server)
    known = reader.pull({}, 100_000).position
    server.kill()
    assert "cannot be reached" in error_of(reader, server)
    server.start()
    assert reader.pull(known, 100_000).items == ()


def test_a_stalled_server_is_an_error_in_bounded_time(
    server: MariadbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "ANSWER_SECONDS", 2)
    reader = source(server)
    with server.stalled():
        began = time.monotonic()
        assert "does not answer" in error_of(reader, server)
        assert time.monotonic() - began < 10
    assert reader.pull({}, 10).items


def test_the_simulated_register_holds_what_must_not_be_read(register_file: Path) -> None:
    """Otherwise the tests above would show nothing."""
    with closing(sqlite3.connect(register_file)) as register:
        for table in NEVER_READ:
            assert register.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0  # noqa: S608


def test_history_of_what_changed_between_pulls(server: MariadbServer, tmp_path: Path) -> None:
    text = REGISTRY.replace(
        "register_rows: {kind: sqlite, address: register.sqlite}",
        f"register_rows: {{kind: mysql, address: '{server.address}', user_env: REGISTER_USER,"
        f" password_env: REGISTER_PASSWORD, ca_file: '{server.ca_file}'}}",
    )
    environment = {"REGISTER_USER": server.user, "REGISTER_PASSWORD": server.password}
    work = Workspace.open(Settings.of(write_sites(tmp_path, text), str(tmp_path / "lake"), environment))
    days = [datetime(2023, 9, day, 7, 0, tzinfo=UTC) for day in (4, 5, 6, 7)]
    between = [
        ["UPDATE pidb.parameters SET value = 19.5 WHERE idParameter = 1"],
        [
            "DELETE FROM pidb.parameters WHERE idParameter = 1",
            "UPDATE pidb.buildingtype SET name = 'Chalet' WHERE idBuildingType = 1",
        ],
        ["INSERT INTO pidb.parameters VALUES (1, 1, 1, 19.5)"],
    ]
    register_flows.land_register(work, days[0])
    register_flows.read_register(work)
    for day, statements in zip(days[1:], between, strict=True):
        server.root(*statements)
        assert register_flows.register_is_behind(work)
        register_flows.land_register(work, day)
        register_flows.read_register(work)
        assert not register_flows.register_is_behind(work)

    def rows(table: Table, key: str, value: str) -> list[tuple[Any, ...]]:
        return work.lake.read(table).filter(pl.col(key) == 1).select(value, "valid_from", "valid_to").rows()

    history = SILVER_REGISTER_HISTORY
    assert rows(history["parameters"], "id_parameter", "value") == [
        (18.0, days[0], days[1]),
        (19.5, days[1], days[2]),
        (19.5, days[3], None),
    ]
    assert rows(history["buildingtype"], "id_building_type", "name") == [
        ("Maison", days[0], days[2]),
        ("Chalet", days[2], None),
    ]
    assert work.lake.version(history["rooms"]) == 0, "nothing changed there: no commit"
    for name, table in SILVER_REGISTER.items():
        (count,) = server.root(f"SELECT count(*) FROM pidb.{name}")[0]  # noqa: S608
        assert work.lake.read(table).height == count
    homes = work.lake.read(SILVER_REGISTER["buildings"])["home"]
    assert sorted(homes) == ["jeremie", "jimmy"]
