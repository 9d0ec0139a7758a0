"""`domotic forget`: a home leaves nothing behind, whoever is killed on the way, and the others keep all."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domotic_assets.alerts import memory
from domotic_assets.errors import ConfigurationError, LakeError, QueryError
from domotic_assets.flow.live import kept_live
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake import rewrite
from domotic_assets.operate import forget as operate_forget
from domotic_assets.operate import forget_journal, sqlite_records
from domotic_assets.operate.forget import forget, look
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.build import build
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.schemas import ALL_TABLES, register
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.table import Subject
from domotic_assets.serve import publish
from domotic_assets_tests.support import builders, erasure, leaks, processes
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.erasure import HOME, OTHER, World
from domotic_assets_tests.support.lakes import assert_same, contents, versions
from domotic_assets_tests.support.shared_data import REPOSITORY

# Of variables and device types one row counts for all homes.
EACH_HOMES = [table for table in ALL_TABLES.values() if table.subject is not Subject.ALL_HOMES]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake of two homes, published, before anything is forgotten."""
    return erasure.built(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def forgotten(built: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same after `domotic forget`, as a person types it."""
    world = built.copy(tmp_path_factory.mktemp("forgotten"))
    world.unname()
    code, said = run_command(world, "--yes")
    assert code == 0, said
    return world


@pytest.fixture
def named(built: World, tmp_path: Path) -> World:
    """A copy of the lake whose sites.yaml still names the home."""
    return built.copy(tmp_path)


@pytest.fixture
def unnamed(named: World) -> World:
    """A copy of the lake, the home's entry removed."""
    named.unname()
    return named


def publish_nothing(_work: Workspace) -> None:
    """Where the tables are what counts."""


def run_command(world: World, *options: str, answer: str = "") -> tuple[int, str]:
    """`domotic forget` in a process of its own; exit code and what it says."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("domotic"), "forget", HOME, "--sites", world.sites_file,
            "--lake", world.lake, "--receipt", world.receipt, *options,
        ],
        input=answer, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def every_table(world: World) -> dict[str, pl.DataFrame]:
    return contents(world.work(), EACH_HOMES)


def test_before_forgetting_the_scan_finds_the_home_in_every_layer(built: World) -> None:
    layers = {finding.path.partition("/")[0] for finding in built.findings()}
    assert layers == {"bronze", "silver", "gold", "serve", "dagster"}
    published = (built.lake / "serve/domotic-admin.duckdb").read_bytes()
    assert any(key in published for key in erasure.bytes_of_keys())


def test_the_scan_of_the_tests_finds_what_is_planted(tmp_path: Path) -> None:
    leaks.prove(tmp_path)


def test_forget_leaves_nothing_of_the_home_in_any_file_of_the_lake(forgotten: World) -> None:
    assert forgotten.findings() == []
    for file in forgotten.lake.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(key in content for key in erasure.bytes_of_keys()), file
    planted = forgotten.lake / "gold/dim_room/_delta_log/planted.json"
    planted.write_text(json.dumps({"add": {"stats": {"minValues": {"room_id": f"{HOME}/office"}}}}))
    assert {finding.path for finding in forgotten.findings()} == {
        planted.relative_to(forgotten.lake).as_posix()
    }
    planted.unlink()


def test_the_rows_of_other_homes_are_identical(built: World, forgotten: World) -> None:
    before, after = every_table(built), every_table(forgotten)
    for name, rows in before.items():
        if name != register.REGISTER_ROWS.id and not _is_of_register(name):
            assert_frame_equal(after[name], erasure.rows_of_others(rows), check_exact=True)
    assert after[silver.SENSOR_EVENTS.id].height > 1_000


def _is_of_register(name: str) -> bool:
    return name.startswith("silver/register_")


def test_what_stays_is_the_lake_that_never_knew_the_home(forgotten: World, tmp_path: Path) -> None:
    """The register's rows and the counts of variables and device types, too."""
    never = erasure.simulated(tmp_path)
    never.unname()
    carry(never.work())
    erasure.deliver_later(never)
    carry(never.work())
    assert_same(contents(forgotten.work()), contents(never.work()))


def test_a_late_file_stays_out_and_the_next_build_changes_nothing(forgotten: World, tmp_path: Path) -> None:
    world = forgotten.copy(tmp_path)
    at = erasure.START + timedelta(minutes=erasure.MINUTES + 5)
    builders.write_share(world.folder / "share", [builders.share_file(HOME, at)])
    before, held = every_table(world), versions(world.work())
    report = build(world.work())
    assert (report.windows, report.published) == ((), False)
    assert report.left["foreign user"] > erasure.MINUTES / 2
    assert versions(world.work()) == held
    assert_same(every_table(world), before)
    assert world.findings() == []


def test_the_receipt_says_what_was_removed_and_nothing_of_the_home(built: World, forgotten: World) -> None:
    assert forgotten.receipt.stat().st_mode & 0o777 == 0o600
    text = forgotten.receipt.read_text()
    assert leaks.scan(forgotten.receipt.parent, erasure.forbidden(), [
        path for path in forgotten.receipt.parent.iterdir() if path != forgotten.receipt
    ]) == []  # fmt: skip
    receipt = json.loads(text)
    files = built.work().lake.read(bronze.SENSOR_FILES, columns=["home"])["home"].eq_missing(HOME).sum()
    assert receipt["tables"]["bronze/sensor_files"]["rows_removed"] == files > 50
    assert receipt["tables"]["bronze/sensor_files"]["rows_kept"] == (
        forgotten.work().lake.read(bronze.SENSOR_FILES).height
    )
    assert receipt["final_scan"]["findings"] == 0
    assert receipt["final_scan"]["files"] > 100
    assert receipt["home_sha256"] == hashlib.sha256(f"{receipt['salt']}{HOME}".encode()).hexdigest()


def test_published_files_are_new_of_one_version_and_of_those_who_may_still_see(forgotten: World) -> None:
    assert sorted(file.name for file in (forgotten.lake / "serve").glob("*.duckdb")) == [
        "domotic-admin-000001.duckdb", "domotic-admin.duckdb",
        "domotic-u-1002-000001.duckdb", "domotic-u-1002.duckdb",
    ]  # fmt: skip


def test_records_keep_the_windows_and_what_they_say_of_other_homes(built: World, forgotten: World) -> None:
    def windows(world: World) -> list[str]:
        with open_instance(world.work()) as instance:
            return list(instance.get_dynamic_partitions(tags.WINDOW))

    assert windows(forgotten) == windows(built) != []
    incidents = memory.recall(forgotten.lake / "dagster").known.incidents.values()
    assert [one.problem.home for one in incidents] == [OTHER]


def _forget_and_die(world: World, moment: str) -> None:
    """Forget, and die in the n-th call of a function."""
    where, wanted = moment.rsplit(":", 1)
    modules = {"rewrite": rewrite, "journal": forget_journal, "records": sqlite_records, "publish": publish}
    module, name = where.split(".")
    done, calls = getattr(modules[module], name), count(1)

    def die(*arguments: Any, **named: Any) -> Any:
        if next(calls) > int(wanted):
            os.kill(os.getpid(), signal.SIGKILL)
        return done(*arguments, **named)

    setattr(modules[module], name, die)
    forget(world.work(), HOME, publish_nothing, world.receipt)


def kill_at(world: World, moment: str) -> None:
    """Begin to forget, and be killed in the n-th call of a function."""
    assert processes.run(_forget_and_die, world, moment) == -signal.SIGKILL


@pytest.mark.usefixtures("unpublished")
def test_kill_9_at_any_moment_and_run_again_ends_in_the_same_state(unnamed: World, forgotten: World) -> None:
    """In the middle of a table, between its two names, before and after the journal, in records and files."""
    for moment in (
        "journal.remember:0", "rewrite.write_files:3", "rewrite._sync_tree:4", "rewrite._exchange:0",
        "rewrite.tidy:40", "journal.remember:6", "rewrite.put_in_place:10", "publish.remove_scope:0",
        "records._rewrite:1", "journal.write_receipt:0", "journal.close:0",
    ):  # fmt: skip
        kill_at(unnamed, moment)
        if moment != "journal.remember:0":
            with pytest.raises(LakeError, match="being forgotten"):
                build(unnamed.work())
    forget(unnamed.work(), HOME, publish_nothing, unnamed.receipt)
    assert unnamed.findings() == []
    assert_same(every_table(unnamed), every_table(forgotten))
    assert not list(unnamed.lake.rglob(".*.re*")), "nothing lies aside"
    expected = json.loads(forgotten.receipt.read_text())["tables"]
    found = json.loads(unnamed.receipt.read_text())["tables"]
    assert {name: table["rows_removed"] for name, table in found.items()} == {
        name: table["rows_removed"] for name, table in expected.items()
    }


@pytest.mark.usefixtures("unpublished")
def test_where_folders_cannot_be_exchanged_in_one_step_a_kill_in_between_is_mended(
    unnamed: World, forgotten: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite, "_exchange", lambda *_: False)
    table = Path(unnamed.lake, "silver/sensor_events")
    renamed = Path.rename

    def die(path: Path, target: Path) -> Path:
        if target == table:
            raise KeyboardInterrupt
        return renamed(path, target)

    monkeypatch.setattr(Path, "rename", die)
    with pytest.raises(KeyboardInterrupt):
        forget(unnamed.work(), HOME, publish_nothing, unnamed.receipt)
    assert not table.exists()
    monkeypatch.setattr(Path, "rename", renamed)
    forget(unnamed.work(), HOME, publish_nothing, unnamed.receipt)
    assert_same(every_table(unnamed), every_table(forgotten))


def test_it_refuses_while_sites_yaml_names_the_home(named: World) -> None:
    code, said = run_command(named, "--yes")
    assert code == 1
    assert "still names 'jimmy'" in said
    assert "remove it there first, from homes, people and alerts" in said
    people = erasure.WITHOUT.replace("homes: [jeremie]", "homes: [jeremie, jimmy]")
    builders.write_sites(named.folder, people)
    with pytest.raises(ConfigurationError, match="jimmy"):
        look(named.work(), HOME)


def test_it_refuses_while_another_home_sends_as_its_user(named: World) -> None:
    builders.write_sites(named.folder, erasure.WITHOUT.replace("JeremieVianin", "JimmyLoup"))
    with pytest.raises(ConfigurationError, match="is that of another home") as refused:
        look(named.work(), HOME)
    assert "JimmyLoup" not in str(refused.value)


def test_it_refuses_while_the_contract_names_its_rooms(unnamed: World) -> None:
    shutil.copy(REPOSITORY / "contract.yaml", unnamed.folder)
    with pytest.raises(ConfigurationError, match="rooms still names 'jimmy'"):
        look(unnamed.work(), HOME)


def test_it_refuses_while_a_run_works_on_the_lake(unnamed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate_forget, "WRITER_WAIT_SECONDS", 0.2)
    before = versions(unnamed.work())
    with (unnamed.lake / "dagster/lane.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LakeError, match="another run or build was at work"):
            forget(unnamed.work(), HOME, publish_nothing, unnamed.receipt)
    assert versions(unnamed.work()) == before


def test_it_refuses_while_domotic_live_works(unnamed: World) -> None:
    with kept_live(unnamed.lake / "dagster"), pytest.raises(LakeError, match="domotic live"):
        look(unnamed.work(), HOME)
    assert look(unnamed.work(), HOME).rows, "a file that nobody holds is no program at work"


def test_a_home_never_heard_of_is_an_error_and_so_is_one_forgotten(forgotten: World) -> None:
    with pytest.raises(QueryError, match="holds nothing of a home 'jmimy'"):
        look(forgotten.work(), "jmimy")
    code, said = run_command(forgotten, "--yes")
    assert code == 1
    assert "the lake holds nothing of a home 'jimmy'" in said


def test_it_asks_first_and_a_no_changes_nothing(unnamed: World) -> None:
    before = versions(unnamed.work())
    code, said = run_command(unnamed, answer="n\n")
    assert code == 1
    assert "Forget jimmy for ever?" in said
    assert "silver/sensor_events" in said
    assert versions(unnamed.work()) == before
    assert not unnamed.receipt.exists()


def test_a_receipt_in_the_lake_and_a_remote_lake_are_refused(unnamed: World) -> None:
    with pytest.raises(ConfigurationError, match="the receipt would lie in the lake"):
        forget(unnamed.work(), HOME, publish_nothing, unnamed.lake / "receipt.json")
    with pytest.raises(LakeError, match="an object store cannot"):
        rewrite.require_folder(type(unnamed.work().lake)("s3://bucket/lake"))


@pytest.mark.usefixtures("unpublished")
def test_what_is_left_is_told_and_there_is_no_receipt(
    unnamed: World,
) -> None:
    (unnamed.lake / "notes.txt").write_text("ask JimmyLoup about the office\n")
    with pytest.raises(LakeError, match=r"in 1 places: notes\.txt, raw bytes") as left:
        forget(unnamed.work(), HOME, publish_nothing, unnamed.receipt)
    assert "JimmyLoup" not in str(left.value)
    assert not unnamed.receipt.exists()
    (unnamed.lake / "notes.txt").unlink()
    forget(unnamed.work(), HOME, publish_nothing, unnamed.receipt)
    assert unnamed.receipt.exists()
