"""`domotic export`: all of a home's data, nothing of another's, in a folder that only its owner can read."""

import csv
import hashlib
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from domotic_assets.cli.main import cli
from domotic_assets.errors import ConfigurationError, QueryError
from domotic_assets.operate import export
from domotic_assets.operate.export import export_home
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders, erasure, leaks
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.erasure import HOME, OTHER, World

AT = builders.SAMPLE_TIME
FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\u200b=1", "＝1+1", " =1", "x;=1+1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake of three minutes of two homes: one file came again, changed; one home has a text in it."""
    world = World(tmp_path_factory.mktemp("export"))
    builders.write_sites(world.folder)
    work = world.work()
    write_register(world.folder / "register.sqlite", 1, work.registry.homes, AT)
    share = world.folder / "share"
    files = [builders.share_file(home, AT + timedelta(minutes=n)) for home in (HOME, OTHER) for n in range(3)]
    builders.write_share(share, files)
    carry(work)
    again = builders.share_file(HOME, AT, arrived_at=AT + timedelta(hours=1), humidities=None)
    builders.write_share(share, [again])
    carry(work)
    return world


@pytest.fixture(scope="module")
def exported(world: World) -> Path:
    return export_home(world.work(), HOME, world.folder / "out").folder


def test_every_table_that_has_rows_of_the_home_is_there_whole(world: World, exported: Path) -> None:
    lake = world.work().lake
    expected = {
        silver.SENSOR_EVENTS: pl.col("home") == HOME,
        silver.SENSOR_FILES: pl.col("home") == HOME,
        silver.DEVICES: pl.col("home") == HOME,
        gold.DIM_APARTMENT: pl.col("apartment_id") == HOME,
        gold.DIM_ROOM: pl.col("room_id").str.starts_with(f"{HOME}/"),
        gold.DIM_DEVICE: pl.col("device_id").str.starts_with(f"{HOME}/"),
        gold.FACT_ENERGY_MINUTE: pl.col("apartment_key") == surrogate_key(HOME),
        gold.FACT_ENVIRONMENT_MINUTE: pl.col("apartment_key") == surrogate_key(HOME),
        gold.FACT_PRESENCE_MINUTE: pl.col("apartment_key") == surrogate_key(HOME),
        gold.FACT_DEVICE_HEALTH_DAY: pl.col("apartment_key") == surrogate_key(HOME),
    }
    for table, mine in expected.items():
        rows = pl.read_parquet(exported / f"{table.id}.parquet")
        assert rows.height > 0
        assert_frame_equal(rows.sort(table.primary_key), lake.read(table, where=mine).sort(table.primary_key))
        assert pl.read_csv(exported / f"{table.id}.csv", infer_schema=False).height == rows.height
    there = {file.relative_to(exported).with_suffix("").as_posix() for file in exported.glob("*/*.parquet")}
    assert {table.id for table in expected} <= there


def test_the_files_are_there_byte_by_byte_under_their_names(world: World, exported: Path) -> None:
    name = builders.name_of(HOME, AT)
    with zipfile.ZipFile(exported / "files.zip") as packed:
        assert sorted(packed.namelist()) == sorted(
            [*(f"1/{builders.name_of(HOME, AT + timedelta(minutes=n))}" for n in range(3)), f"2/{name}"]
        )
        assert packed.read(f"1/{name}") == builders.share_file(HOME, AT).content
        assert packed.read(f"2/{name}") == (world.folder / "share" / name).read_bytes()
        assert packed.getinfo(f"2/{name}").date_time == (2023, 8, 31, 20, 44, 0)


def test_nothing_of_another_home_is_in_it(exported: Path) -> None:
    others = {"id": OTHER, "user": builders.FEED_USERS[OTHER], "token": builders.API_TOKENS[OTHER],
              "key": str(surrogate_key(OTHER)), "room": str(surrogate_key(f"{OTHER}/office"))}  # fmt: skip
    assert leaks.scan(exported, others) == []
    mine = leaks.scan(
        exported, {"id": HOME, "user": builders.FEED_USERS[HOME], "key": str(surrogate_key(HOME))}
    )
    assert {finding.label for finding in mine} == {"id", "user", "key"}


def test_the_manifest_says_columns_units_meanings_rows_and_hashes(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    energy = manifest["tables"]["gold/fact_energy_minute"]
    assert energy["rows"] == pl.read_parquet(exported / "gold/fact_energy_minute.parquet").height
    [kwh] = [column for column in energy["columns"] if column["name"] == "energy_kwh"]
    assert kwh == {
        "name": "energy_kwh",
        "type": "Float64",
        "unit": "kWh",
        "meaning": "energy_wh ÷ 1000: import − export",
    }
    hashes = {"files.zip": manifest["files"]["sha256"]}
    for table in manifest["tables"].values():
        hashes |= table["sha256"]
    said = {file.relative_to(exported).as_posix() for file in exported.rglob("*") if file.is_file()}
    assert said == {*hashes, "manifest.json", "README.txt"}
    for name, digest in hashes.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest
    readme = (exported / "README.txt").read_text()
    for table in manifest["tables"]:
        assert table in readme
    assert "energy_kwh [kWh]: energy_wh ÷ 1000" in readme


def test_only_its_owner_can_read_it(exported: Path) -> None:
    assert exported.stat().st_mode & 0o777 == 0o700
    for path in exported.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_is_there_stays_and_an_unknown_home_is_an_error(world: World, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(ConfigurationError, match="is there already"):
        export_home(world.work(), HOME, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    with pytest.raises(QueryError, match="holds nothing of a home 'nobody'"):
        export_home(world.work(), "nobody", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_broken_export_leaves_no_folder_of_that_name(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_describe", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        export_home(world.work(), HOME, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    monkeypatch.undo()
    assert export_home(world.work(), HOME, tmp_path / "new").files == 4
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_command_names_the_folder_after_home_and_date(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that has left sites.yaml can be exported still: that comes before it is forgotten."""
    monkeypatch.chdir(tmp_path)
    unnamed = tmp_path / "sites"
    builders.write_sites(unnamed, erasure.WITHOUT)
    done = CliRunner().invoke(
        cli, ["export", HOME, "--sites", str(unnamed / "sites.yaml"), "--lake", str(world.lake)]
    )
    assert done.exit_code == 0, done.output
    assert "4 files" in done.output
    today = datetime.now(UTC).date()
    assert (tmp_path / f"export-{HOME}-{today}" / "manifest.json").is_file()


def test_no_text_of_an_export_is_a_formula_and_parquet_is_exact(tmp_path: Path) -> None:
    """A house's name in the register begins as a formula, and so does a room of the feed."""
    world = World(tmp_path)
    sites = builders.REGISTRY.replace("name: Apartment Jimmy", "name: '=HYPERLINK(1)'")
    builders.write_sites(world.folder, sites)
    write_register(world.folder / "register.sqlite", 1, world.work().registry.homes, AT)
    rooms = {name: builders.plug() for name in FORMULAS}
    file = builders.share_file(HOME, AT, plugs=rooms, **{name: {"Office": {"x": -5.5}} for name in FORMULAS})
    builders.write_share(world.folder / "share", [file])
    carry(world.work())
    folder = export_home(world.work(), HOME, tmp_path / "out").folder
    lake = world.work().lake
    [name] = lake.read(gold.DIM_APARTMENT, where=pl.col("apartment_id") == HOME)["name"]
    assert name == "=HYPERLINK(1)"
    assert pl.read_parquet(folder / "gold/dim_apartment.parquet")["name"].to_list() == [name]
    [shown] = csv.DictReader((folder / "gold/dim_apartment.csv").open(newline=""))
    assert shown["name"] == "'=HYPERLINK(1)"
    texts, numbers = 0, 0
    for table in folder.rglob("*.csv"):
        types = pl.read_parquet_schema(table.with_suffix(".parquet"))
        for row in csv.DictReader(table.open(newline="")):
            for column, cell in row.items():
                if types[column] in (pl.String, pl.List(pl.String), pl.Categorical):
                    texts += 1
                    assert not cell.lstrip(" \t\r\n\u200b").startswith(
                        ("=", "+", "-", "@", "＝", "＋", "－", "＠")
                    )
                    assert ";=" not in cell
                else:
                    numbers += cell.startswith("-")
    assert texts > 100
    assert numbers > 0
