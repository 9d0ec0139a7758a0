"""Another account of the machine gets at nothing: of a simulated feed, a build, a live minute, an export."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from domotic_assets.flow.closing import close_installation, opened_to_others
from domotic_assets.flow.workspace import DBT_PROJECT
from domotic_assets.serve.publish import published_file
from domotic_assets.settings import Settings
from domotic_assets_tests.services.servers import free_port
from domotic_assets_tests.support.other_account import as_another, need_root, reached

pytestmark = pytest.mark.untraced

DOMOTIC = [sys.executable, "-c", "from domotic_assets.cli.main import main; main()"]


class Machine:
    """A machine with an installation, where everybody may enter the folder that holds all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.feed, self.lake, self.temporary = (folder / name for name in ("feed", "lake", "tmp"))
        self.temporary.mkdir()
        self.temporary.chmod(0o1777)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the command as a person whose files everybody may read by default."""
        return subprocess.Popen(
            [*DOMOTIC, *arguments],
            cwd=self.folder,
            umask=0o022,
            env={**os.environ, "TMPDIR": str(self.temporary), "PYTHONPATH": str(DBT_PROJECT.parent)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def types(self, *arguments: str) -> None:
        assert self.begin(*arguments).wait(300) == 0, arguments

    @property
    def named(self) -> list[str]:
        return ["--sites", str(self.feed / "sites.yaml"), "--lake", str(self.lake)]

    def reached(self) -> list[str]:
        """What the other account gets at, beside the list of names in folders that are open to all."""
        found = as_another(reached, [self.folder])
        usual = {f"list {self.folder}", f"list {self.temporary}", f"create in {self.temporary}"}
        return [line for line in found if line not in usual]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    need_root()
    # Not pytest's own folder, which no other account can enter.
    folder = Path(mkdtemp(prefix="domotic-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield Machine(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def built(machine: Machine) -> Machine:
    """A simulated feed of a day until now, and its lake."""
    shipped = str(DBT_PROJECT.parent / "sites.yaml")
    machine.types("simulate", "--sites", shipped, "--days", "0", "--homes", "1", "--out", str(machine.feed))
    machine.types("build", *machine.named)
    return machine


def test_nothing_of_a_feed_and_its_lake_can_be_listed_read_or_written(built: Machine) -> None:
    assert published_file(built.lake / "serve").is_file()
    assert built.reached() == []


def test_nothing_of_an_export_can_be(built: Machine) -> None:
    built.types("export", *built.named, "jimmy", "--out", str(built.folder / "export"))
    assert (built.folder / "export" / "manifest.json").is_file()
    assert built.reached() == []


def test_nothing_can_be_while_the_feed_is_live(built: Machine) -> None:
    """Sockets, locks, logs, databases and files of a run, looked at from start to end."""
    live = built.begin("live", *built.named, "--port", str(free_port()), "--simulate")
    published = published_file(built.lake / "serve")
    before, deadline, looks = published.stat().st_ino, time.monotonic() + 240, 0
    try:
        while published.stat().st_ino == before:
            assert live.poll() is None
            assert time.monotonic() < deadline
            assert built.reached() == []
            looks += 1
            time.sleep(2)
        assert list(built.temporary.glob("*/feed.sock"))
        assert built.reached() == []
    finally:
        live.terminate()
        live.wait(60)
    assert looks > 2
    assert built.reached() == []


def test_an_open_lake_is_closed_when_it_is_opened_and_stays_as_somebody_opens_it_then(
    built: Machine,
) -> None:
    old = built.folder / "old"
    shutil.copytree(built.lake, old, ignore=shutil.ignore_patterns("*.sock", ".closed"))
    for path in (old, *old.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    other = built.folder / "other"
    other.write_text("a file of the same person, which everybody may read")
    other.chmod(0o644)
    as_another(_plant, old, other)
    assert built.reached() != []
    settings = Settings.of(built.feed / "sites.yaml", str(old), {})
    close_installation(settings)
    assert [line for line in built.reached() if "/old" in line] == []
    # What a copy of a part of it would show.
    assert [path for path in old.rglob("*") if path.lstat().st_uid == os.geteuid() and _is_open(path)] == []
    assert other.stat().st_mode & 0o777 == 0o644
    assert opened_to_others(settings) == []

    old.chmod(0o750)
    close_installation(settings)
    assert old.stat().st_mode & 0o777 == 0o750
    assert opened_to_others(settings) == [f"{old} is open to other accounts (drwxr-x---)"]
    other.unlink()
    shutil.rmtree(old)


def _is_open(path: Path) -> bool:
    return not path.is_symlink() and path.stat().st_mode & 0o077 != 0


def _plant(lake: Path, target: Path) -> None:
    """What the other account leaves in a lake that it could write to."""
    (lake / ".closed").write_text("")
    (lake / "bronze" / "link").symlink_to(target)
    (lake / "bronze" / "folder").symlink_to(target.parent)
    os.mkfifo(lake / "dagster" / "pipe")
