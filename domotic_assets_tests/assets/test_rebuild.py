"""Builds that come again, are killed, meet each other or cannot start: the data stays or comes out right."""

import csv
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from domotic_assets.cli import main as command
from domotic_assets.operate import publish as operate_publish
from domotic_assets.operate.upkeep import DAY_CLOSED
from domotic_assets.orchestration import build as building
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.build import build
from domotic_assets.schemas import gold, refusals
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.serve import publish
from domotic_assets.simulator.defects import DEFECTS
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets.simulator.truth import open_truth
from domotic_assets.sources.files.local import LocalFolder
from domotic_assets_tests.support import builders, processes
from domotic_assets_tests.support.copies import copy_installation
from domotic_assets_tests.support.lakes import assert_same, contents, leave_unpublished, open_lake, versions
from domotic_assets_tests.support.published import changing

pytestmark = pytest.mark.untraced

START = datetime(2023, 9, 4, 20, tzinfo=UTC)
MINUTES = 10 * 60
SHARES = {"all": 0.02, "missing": 0.1, "counter_reset": 0.2, "huge": 0.002, "deep_nesting": 0.01}
"""Of each defect enough that all strike within a night."""


@dataclass(frozen=True)
class World:
    """A night of two homes with every defect, and the lake that two deliveries of it were built into."""

    folder: Path

    @property
    def sites_file(self) -> Path:
        return self.folder / "sites.yaml"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def contents(self) -> dict[str, pl.DataFrame]:
        return contents(open_lake(self.sites_file, self.lake))

    def copy(self, folder: Path) -> "World":
        """The same world elsewhere, its lake included."""
        copy_installation(self.folder, folder)
        return World(folder)

    def build(self, since: date | None = None, until: date | None = None) -> bool:
        """One build in this process; whether it published."""
        return build(open_lake(self.sites_file, self.lake), since, until).published

    def deliver_later(self) -> None:
        """What came later under a name that was there: the second delivery."""
        for file in (self.folder / "later").iterdir():
            shutil.copy2(file, self.folder / "share" / file.name)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The sources before the first build."""
    folder = tmp_path_factory.mktemp("night")
    registry = open_lake(builders.write_sites(folder), folder / "lake").registry
    simulation = Simulation(registry, START, seed=4, defects=SHARES, weather_sites=1)
    with open_truth(folder / "truth") as truth:
        write_history(simulation, Folders.below(folder), MINUTES, truth)
    return World(folder)


@pytest.fixture(scope="module")
def built(night: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The undisturbed lake: a build of each delivery."""
    world = night.copy(tmp_path_factory.mktemp("built"))
    with pytest.MonkeyPatch.context() as patch:
        leave_unpublished(patch)
        world.build()
    world.deliver_later()
    world.build()
    return world


@pytest.fixture
def again(built: World, tmp_path: Path) -> World:
    """A copy of the undisturbed lake to do things to."""
    return built.copy(tmp_path)


def published(world: World) -> dict[str, tuple[int, int]]:
    """Every published file with its size and last write."""
    files = (world.lake / "serve").rglob("*")
    return {file.name: (file.lstat().st_size, file.lstat().st_mtime_ns) for file in files if file.is_file()}


def test_the_night_holds_every_defect_and_names_that_are_none_of_ours(built: World) -> None:
    with (built.folder / "truth" / "defects.csv").open() as file:
        assert {row["defect"] for row in csv.DictReader(file)} == set(DEFECTS)
    names = [file.name for file in (built.folder / "share").iterdir()]
    assert any("PassingVisitor" in name for name in names)
    assert any(name.endswith(".db") for name in names)
    statuses = built.contents()[silver.SENSOR_FILES.id]["status"].value_counts()
    assert set(statuses["status"]) == {"loaded", "partial", "superseded", "quarantined"}


def test_a_second_build_changes_no_table_and_no_published_file(built: World) -> None:
    work = open_lake(built.sites_file, built.lake)
    tables, files = versions(work), published(built)
    report = build(work)
    assert (report.windows, report.issues, report.health_days, report.published) == ((), (), (), False)
    assert versions(work) == tables
    assert published(built) == files
    assert files


@pytest.mark.usefixtures("unpublished")
def test_silver_and_gold_come_back_from_bronze_alone(again: World, built: World) -> None:
    shutil.rmtree(again.lake / "silver")
    shutil.rmtree(again.lake / "gold")
    for folder in ("share", "weather"):
        shutil.rmtree(again.folder / folder)
        (again.folder / folder).mkdir()
    again.build()
    assert_same(again.contents(), built.contents())


@pytest.mark.parametrize(
    ("since", "until"),
    [(date(2023, 9, 4), date(2023, 9, 5)), (None, date(2023, 9, 4))],
    ids=["both days", "until the first"],
)
@pytest.mark.usefixtures("unpublished")
def test_building_days_again_gives_the_same_rows(
    again: World, built: World, since: date | None, until: date | None
) -> None:
    before = versions(open_lake(again.sites_file, again.lake))
    again.build(since, until)
    assert_same(again.contents(), built.contents())
    after = versions(open_lake(again.sites_file, again.lake))
    assert after["gold/fact_energy_minute"] != before["gold/fact_energy_minute"]


@pytest.mark.rule(6)
@pytest.mark.usefixtures("unpublished")
def test_a_forecast_that_comes_again_without_its_bad_value_leaves_no_reject(
    again: World, built: World
) -> None:
    row = (
        "Time,Value,Prediction,Site,Measurement,Unit\n2023-09-09 06:00:00+00:00,{},00,Sion,PRED_T_2M_ctrl,C\n"
    )
    for value, hour, rejects in (("n/a", 5, 1), ("21.5", 6, 0)):
        arrived_at = datetime(2023, 9, 9, hour, tzinfo=UTC)
        file = builders.ShareFile("Pred_2023-09-09.csv", row.format(value).encode(), arrived_at)
        builders.write_share(again.folder / "weather", [file])
        again.build()
        found = again.contents()[refusals.REJECTS.id].filter(utc_date=date(2023, 9, 9))
        assert found.height == rejects
    assert again.contents()[refusals.REJECTS.id].equals(built.contents()[refusals.REJECTS.id])


def _build_with_children(arguments: list[str]) -> None:
    """`domotic build` as the head of a group of processes, silent."""
    os.setsid()
    sys.argv = ["domotic", *arguments]
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        command.main()


def kill_at(world: World, reached: Callable[[], bool]) -> None:
    """Start `domotic build` and kill it as soon as the lake shows what is waited for."""
    arguments = ["build", "--sites", str(world.sites_file), "--lake", str(world.lake)]
    process = processes.begin(_build_with_children, arguments)
    assert process.pid is not None
    give_up_at = time.monotonic() + 240
    while process.is_alive() and time.monotonic() < give_up_at and not reached():
        time.sleep(0.002)
    was_reached = reached()
    # Its children too, as dbt's: the lake is theirs as well.
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL, "the build was over before it could be killed"
    assert was_reached, "the build hung"


def commit(world: World, table: str, version: int) -> Callable[[], bool]:
    """Whether a table has that Delta version."""
    file = world.lake / table / "_delta_log" / f"{version:020}.json"
    return file.exists


def test_killed_builds_are_taken_up_and_reach_the_undisturbed_tables(
    night: World, built: World, tmp_path: Path
) -> None:
    world = night.copy(tmp_path)
    for table in ("bronze/sensor_files", "silver/sensor_events", "gold/fact_energy_minute"):
        kill_at(world, commit(world, table, 0))
    kill_at(world, lambda: any((world.lake / "serve").glob("**/*.duckdb")))
    world.deliver_later()
    for table in ("silver/sensor_events", "gold/fact_presence_minute"):
        held = versions(open_lake(world.sites_file, world.lake))[table]
        kill_at(world, commit(world, table, 0 if held is None else held + 1))
    world.build()
    assert_same(world.contents(), built.contents())
    tables = versions(open_lake(world.sites_file, world.lake))
    assert not world.build()
    assert versions(open_lake(world.sites_file, world.lake)) == tables


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that builds run from now on; dbt takes long and is left out."""
    ran: list[str] = []
    run = building._Runner.run

    def watched(runner: Any, job: str, *keys: Any) -> Any:
        ran.append(job)
        return None if job == tags.PUBLISH_JOB else run(runner, job, *keys)

    monkeypatch.setattr(building._Runner, "run", watched)
    return ran


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are listed from now on, a name for each time."""
    listed: list[str] = []
    listing = LocalFolder.listing

    def watched(folder: LocalFolder, *patterns: Any) -> Any:
        listed.append(folder.folder.name)
        return listing(folder, *patterns)

    monkeypatch.setattr(LocalFolder, "listing", watched)
    return listed


def assert_published_as_from_nothing(world: World) -> None:
    """The published file holds the rows of one built from the present Gold."""
    work = open_lake(world.sites_file, world.lake)
    assert operate_publish.is_published(work)
    found = operate_publish.gold_snapshot(work)
    oracle = publish.build_file(world.folder / "oracle", found.files, found.versions, "any", purpose="test")
    with duckdb.connect() as connection:
        for name, file in (("found", publish.published_file(work.serve)), ("expected", oracle)):
            connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        for table in gold.TABLES:
            rows = [
                connection.execute(f"FROM {name}.gold.{table.name} ORDER BY ALL").fetchall()
                for name in ("found", "expected")
            ]
            assert rows[0] == rows[1], table.name


def test_a_late_file_goes_into_the_published_file_without_dbt(
    again: World, jobs: list[str], listings: list[str]
) -> None:
    late = builders.share_file(at=START + timedelta(hours=1), arrived_at=datetime(2023, 9, 7, tzinfo=UTC))
    builders.write_share(again.folder / "share", [late])
    assert again.build()
    assert listings.count("share") == 1
    assert tags.PUBLISH_CHANGES_JOB in jobs
    assert tags.PUBLISH_JOB not in jobs
    assert_published_as_from_nothing(again)
    assert not again.build()


def test_a_file_whose_name_says_nothing_is_found_among_all_names(again: World, listings: list[str]) -> None:
    at = START + timedelta(hours=1)
    odd = replace(builders.share_file(at=at), name="Untitled.json")
    builders.write_share(again.folder / "share", [odd])
    assert again.build()
    assert listings.count("share") == 1
    work = open_lake(again.sites_file, again.lake)
    assert work.lake.read(bronze.SENSOR_FILES, where=pl.col("name") == odd.name).height == 1


@pytest.mark.parametrize("why", ["a new date", "a day that dbt has not tested", "another definition"])
def test_dbt_tests_a_file_whole_where_one_tested_so_cannot_be_gone_on_with(
    again: World, jobs: list[str], why: str
) -> None:
    work = open_lake(again.sites_file, again.lake)
    days = 2 if why == "a new date" else 0
    builders.write_share(
        again.folder / "share", [builders.share_file(at=START + timedelta(days=days, minutes=1))]
    )
    if why == "a day that dbt has not tested":
        work.worklist.change(lambda held: held.marks.update({DAY_CLOSED: datetime.now(UTC)}))
    if why == "another definition":
        with changing(work.serve) as connection:
            connection.execute("UPDATE meta.published SET definition = 'other models'")
    assert again.build()
    assert tags.PUBLISH_JOB in jobs
    assert tags.PUBLISH_CHANGES_JOB not in jobs


def run_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sites_file: Path, lake: Path
) -> tuple[int | str | None, str]:
    """`domotic build` as a person types it; exit code and what it says of the error."""
    monkeypatch.setattr(sys, "argv", ["domotic", "build", "--sites", str(sites_file), "--lake", str(lake)])
    with pytest.raises(SystemExit) as ended:
        command.main()
    printed = capsys.readouterr()
    assert printed.out == ""
    return ended.value.code, printed.err.rstrip("\n")


@pytest.fixture
def small(tmp_path: Path) -> World:
    """An installation with sources and nothing wrong yet."""
    world = World(tmp_path)
    builders.write_sites(tmp_path)
    builders.write_share(tmp_path / "share", [builders.share_file()])
    return world


def test_a_second_build_at_the_same_time_says_so_in_one_line(
    small: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "WRITER_WAIT_SECONDS", 0.2)
    (small.lake / "dagster").mkdir(parents=True)
    with (small.lake / "dagster" / "lane.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        code, said = run_command(monkeypatch, capsys, small.sites_file, small.lake)
    assert code == 1
    assert "another run or build was at work on this lake" in said
    assert "wait until it is done" in said
    assert "\n" not in said


def test_a_missing_share_says_so_in_one_line_with_the_remedy(
    small: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(small.folder / "share")
    code, said = run_command(monkeypatch, capsys, small.sites_file, small.lake)
    assert code == 1
    assert f"{small.folder / 'share'}: the folder cannot be listed (No such file or directory)" in said
    assert "create it or correct `sources` in sites.yaml" in said
    assert "\n" not in said


def test_an_absent_register_says_so_in_one_line_with_the_remedy(
    small: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run_command(monkeypatch, capsys, small.sites_file, small.lake)
    assert code == 1
    assert str(small.folder / "register.sqlite") in said
    assert "sites.yaml" in said
    assert "\n" not in said


def test_an_unwritable_lake_says_so_in_one_line_with_the_remedy(
    small: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Below a file nobody can write, whatever their rights.
    code, said = run_command(monkeypatch, capsys, small.sites_file, small.sites_file / "lake")
    assert code == 1
    assert "the lake cannot be written (Not a directory)" in said
    assert "choose another with --lake" in said
    assert "\n" not in said
