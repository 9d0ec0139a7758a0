"""The register's columns in a real MariaDB: the shipped contract fits them, with few rights and with all."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domotic_assets.errors import SourceError
from domotic_assets.quality.contract import Contract, parse_contract
from domotic_assets.quality.drift import describe, drift
from domotic_assets.quality.shape import Shape, register_shape
from domotic_assets.schemas.register import REGISTER
from domotic_assets.simulator.register import write_register
from domotic_assets.sources.sql.columns import columns_of
from domotic_assets.sources.sql.mysql import mysql_source
from domotic_assets_tests.services.mariadb import MariadbServer, mariadb
from domotic_assets_tests.support.builders import registry
from domotic_assets_tests.support.shared_data import REPOSITORY

START = datetime(2023, 9, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def shipped() -> Contract:
    return parse_contract((REPOSITORY / "contract.yaml").read_text(encoding="utf-8"), "contract.yaml")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    with mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def server(running: MariadbServer, tmp_path: Path) -> MariadbServer:
    write_register(tmp_path / "register.sqlite", 7, registry().homes, START)
    running.load(tmp_path / "register.sqlite")
    return running


def columns(server: MariadbServer, password: str | None = None) -> dict[str, dict[str, str]]:
    return columns_of(
        mysql_source(
            server.address,
            server.user,
            password or server.password,
            REGISTER,
            tls=True,
            ca_file=server.ca_file,
        )
    )


def words(server: MariadbServer, shipped: Contract) -> list[str]:
    found = drift(shipped, Shape(register=register_shape(columns(server))))
    return [f"{breach.severity} {describe(breach)}" for breach in found.breaches]


def test_the_least_rights_see_what_the_shipped_contract_misses(
    server: MariadbServer, shipped: Contract
) -> None:
    assert "firstName" not in columns(server)["buildings"]
    assert words(server, shipped) == []


def test_all_rights_see_no_more_than_it_names(server: MariadbServer, shipped: Contract) -> None:
    server.root(f"GRANT SELECT ON pidb.* TO '{server.user}'@'%'")
    assert columns(server)["buildings"]["firstName"] == "text"
    assert words(server, shipped) == []


def test_changes_of_columns_and_types_are_named(server: MariadbServer, shipped: Contract) -> None:
    server.root(
        f"GRANT SELECT ON pidb.* TO '{server.user}'@'%'",
        "ALTER TABLE pidb.rooms MODIFY surface VARCHAR(20)",
        "ALTER TABLE pidb.profile MODIFY creationDate BIGINT",
        "ALTER TABLE pidb.devices ADD COLUMN brand ENUM('a', 'b')",
        "ALTER TABLE pidb.sensors DROP COLUMN type",
    )
    assert words(server, shipped) == [
        "ERROR type of profile.creationDate: contract text or time, observed integer",
        "ERROR type of rooms.surface: contract number, observed text",
        "ERROR removed column sensors.type (text)",
        "WARN added column devices.brand (text)",
    ]


def test_a_refused_account_is_an_error_in_words(server: MariadbServer) -> None:
    with pytest.raises(SourceError, match="refuses the user or the password") as refused:
        columns(server, "wrong")
    assert server.user not in str(refused.value)
