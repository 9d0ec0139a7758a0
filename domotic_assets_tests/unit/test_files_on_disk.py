"""A file is whole or not there, and a lock is held by one process at a time."""

import os
import stat
import threading
from pathlib import Path

import pytest

from domotic_assets.files_on_disk import locked, shorten_log, write_whole
from domotic_assets_tests.support import processes


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "held.json"
    write_whole(file, b"old")

    def power_cut(_descriptor: int) -> None:
        raise OSError("no power")

    monkeypatch.setattr(os, "fsync", power_cut)
    with pytest.raises(OSError, match="no power"):
        write_whole(file, b"new and longer")
    assert file.read_bytes() == b"old"
    monkeypatch.undo()
    write_whole(file, b"new")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("held.json", b"new")]


def test_a_new_file_has_the_rights_asked_for(tmp_path: Path) -> None:
    write_whole(tmp_path / "secret", b"", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_lock_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    file = tmp_path / "one.lock"
    with locked(file), pytest.raises(TimeoutError), locked(file, 0.05):
        pytest.fail("two at once")
    with locked(file, 0.05):
        pass


def test_its_holder_may_enter_again_where_it_says_so(tmp_path: Path) -> None:
    file = tmp_path / "one.lock"
    with locked(file, 0, again=True):
        with locked(file, 0, again=True):
            pass
        with pytest.raises(TimeoutError), locked(file, 0.05):
            pytest.fail("the inner one has let go")


def test_one_that_waits_gets_it_next(tmp_path: Path) -> None:
    file, order = tmp_path / "one.lock", []

    def wait() -> None:
        with locked(file):
            order.append("second")

    with locked(file):
        other = threading.Thread(target=wait)
        other.start()
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]


def _hold_and_die(file: Path) -> None:
    with locked(file):
        os.kill(os.getpid(), 9)


def test_the_system_takes_it_back_from_one_that_was_killed(tmp_path: Path) -> None:
    assert processes.run(_hold_and_die, tmp_path / "one.lock") == -9
    with locked(tmp_path / "one.lock", 0):
        pass


def test_a_long_log_begins_anew_while_somebody_appends(tmp_path: Path) -> None:
    log = tmp_path / "live.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        shorten_log(log, 100)
        assert log.read_bytes() == b"a" * 100
        writer.write(b"b")
        shorten_log(log, 100)
        writer.write(b"c")
    assert log.read_bytes() == b"c"
    assert (tmp_path / "live.log.1").read_bytes() == b"a" * 100 + b"b"
