"""`domotic build`, `summary`, `query` and `status` as a person types them, over an hour of two homes."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from domotic_assets.cli import ask
from domotic_assets.cli.main import cli
from domotic_assets.flow.workspace import DBT_PROJECT
from domotic_assets.schemas.homes import bronze
from domotic_assets.serve.publish import published_file
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.lakes import open_lake, versions

START = datetime(2023, 9, 4, 10, tzinfo=UTC)
MINUTES = 60


class Person:
    """Somebody with a folder, who types."""

    def __init__(self, folder: Path) -> None:
        self.sites_file, self.lake = builders.write_sites(folder), folder / "lake"
        simulation = Simulation(
            open_lake(self.sites_file, self.lake).registry, START, seed=4, defects={}, weather_sites=1
        )
        write_history(simulation, Folders.below(folder), MINUTES)
        (folder / "share" / "04.09.2023 1000_PassingVisitor_received.json").write_text("{}")

    def types(self, command: str, *arguments: str) -> Result:
        named = [] if command == "query" else ["--sites", str(self.sites_file)]
        return CliRunner().invoke(cli, [command, *named, "--lake", str(self.lake), *arguments])


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return Person(tmp_path_factory.mktemp("person"))


@pytest.fixture(scope="module")
def first_build(person: Person) -> str:
    done = person.types("build")
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask._out, "width", 200)


def test_a_build_says_what_it_carried_what_it_left_and_what_the_checks_found(first_build: str) -> None:
    assert "Built 1 window of sensor files, 1 day of device health in " in first_build
    left = "Left on the share: 1 file (no home in the registry sends as that user)"
    assert left in first_build
    assert "ERROR silver/sensor_files freshness: " in first_build
    assert "Published a new file in " in first_build


def test_a_second_build_has_nothing_to_do(person: Person, first_build: str) -> None:
    assert first_build
    assert "Nothing new: the published file stays as it is" in person.types("build").output


def test_a_feed_of_plugs_alone_is_built_once_and_every_mart_can_be_read(tmp_path: Path) -> None:
    """No climate, no meter, no forecast, no register."""
    lines = builders.REGISTRY.splitlines(keepends=True)
    text = "".join(line for line in lines if "weather_files:" not in line and "register_rows:" not in line)
    sites_file, lake = builders.write_sites(tmp_path, text), tmp_path / "lake"
    others = dict.fromkeys(("doorsWindows", "motions", "meteos", "humidities", "consumptions"))
    builders.write_share(tmp_path / "share", [builders.share_file(at=START, **others)])

    def types(command: str, *arguments: str) -> str:
        done = CliRunner().invoke(cli, [command, *arguments, "--lake", str(lake)])
        assert done.exit_code == 0, done.output
        return done.output

    def state() -> tuple[dict[str, int | None], dict[str, tuple[int, bytes]]]:
        files = (lake / "serve").glob("*.duckdb")
        return versions(open_lake(sites_file, lake)), {
            file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in files
        }

    named = ("--sites", str(sites_file))
    assert "Published a new file" in types("build", *named)
    before = state()
    assert "Nothing new: the published file stays as it is" in types("build", *named)
    assert state() == before
    for mart in sorted(DBT_PROJECT.glob("models/*/mart_*.sql")):
        types("query", f"SELECT * FROM {mart.stem}")  # noqa: S608
    types("summary", *named)


@pytest.mark.usefixtures("wide")
def test_the_summary_counts_each_home_and_day(person: Person, first_build: str) -> None:
    assert first_build
    shown = person.types("summary").output
    for home in ("jeremie", "jimmy"):
        [line] = [line for line in shown.splitlines() if f" {home} " in line]
        assert line.split("│")[2:4] == [" 2023-09-04 ", "    1.0 "]
    assert "sensor files    120 loaded" in shown


def test_an_answer_in_a_pipe_is_text_with_tabs(person: Person, first_build: str) -> None:
    assert first_build
    asked = (
        "SELECT apartment_id, count(*) AS n FROM fact_environment_minute AS fact "
        "JOIN dim_room AS room ON room.room_key = fact.room_key JOIN dim_apartment AS apartment "
        "ON apartment.apartment_key = fact.apartment_key "
        "WHERE room_id LIKE '%/outdoor' GROUP BY ALL ORDER BY ALL"
    )
    assert person.types("query", asked).output == "apartment_id\tn\njeremie\t60\njimmy\t60\n"


@pytest.mark.usefixtures("wide")
def test_an_answer_on_a_terminal_is_a_table(
    person: Person, first_build: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first_build
    monkeypatch.setattr(ask._out, "_force_terminal", True)
    shown = person.types("query", "SELECT 1.5::DOUBLE AS half, NULL AS nothing").output
    assert "half" in shown
    assert "1.5" in shown
    assert "┃" in shown
    long = person.types("query", f"SELECT '{'x' * 300}' AS long, 2 AS two").output
    assert "column" in long
    assert "two" in long


@pytest.mark.usefixtures("wide")
def test_the_status_names_each_home_and_ends_well_while_sources_answer(
    person: Person, first_build: str
) -> None:
    assert first_build
    shown = person.types("status")
    assert shown.exit_code == 0
    assert "windows to process: 0" in shown.output
    for home in ("jeremie", "jimmy"):
        [line] = [line for line in shown.output.splitlines() if f" {home} " in line]
        assert line.split("│")[2] == " 2023-09-04 10:59 "


def test_a_link_a_changed_file_and_an_opened_lake_are_told_and_stop_nothing(
    person: Person, first_build: str
) -> None:
    assert first_build
    secret = person.lake.parent / "secret.json"
    secret.write_text('{"api_token": "of somebody else"}')  # pragma: allowlist secret
    (person.lake.parent / "share" / builders.name_of(at=START + timedelta(hours=2))).symlink_to(secret)
    os.mkfifo(person.lake.parent / "share" / builders.name_of(at=START + timedelta(hours=3)))
    published = published_file(person.lake / "serve")
    with duckdb.connect(str(published)) as connection:
        connection.execute("UPDATE gold.fact_environment_minute SET temperature_c = 666.0")
    person.lake.chmod(0o750)
    told = person.types("status").output
    assert f"{person.lake} is open to other accounts (drwxr-x---)" in told
    assert "domotic-admin.duckdb is not as it was published; it is replaced" in told
    done = person.types("build")
    assert done.exit_code == 0
    assert "Left on the share: 1 file (links that lead out of the folder" in done.output
    assert "Left on the share: 1 file (pipes, sockets, devices" in done.output
    assert "Published a new file in " in done.output
    warmest = "SELECT max(temperature_c) < 100 AS fine FROM fact_environment_minute"
    assert person.types("query", warmest).output == "fine\nTrue\n"
    assert "domotic-admin.duckdb was not as it was published, and was replaced at 20" in (
        person.types("status").output
    )
    held = open_lake(person.sites_file, person.lake).lake.read(bronze.SENSOR_FILES, columns=["content"])
    assert held.height > 100
    assert not any(b"of somebody else" in content for content in held["content"].drop_nulls())
