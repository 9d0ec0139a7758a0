"""Rights that sites.yaml withdraws take every version of a person's file along, before anything is built."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from domotic_assets.errors import ConfigurationError, LakeError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import people as operate_people
from domotic_assets.operate import withdrawals
from domotic_assets.registry import settled
from domotic_assets.serve import publish
from domotic_assets.serve.people import files as people_files
from domotic_assets.serve.people import rights
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders, processes, published
from domotic_assets_tests.support.admin_file import install
from domotic_assets_tests.support.copies import copy_installation
from domotic_assets_tests.support.lakes import open_lake

HOMES = builders.REGISTRY.partition("people:")[0]
PEOPLE = """\
people:
  - {user: u-admin, role: admin}
  - {user: u-landlord, role: owner, homes: [jeremie]}
  - {user: u-renter, role: renter, homes: [jeremie], from: 2023-09-01, consents: {presence_to_owner: true}}
  - {user: u-both, role: owner, homes: [jimmy, jeremie], lives_there: false}
  - {user: u-technician, role: technician, homes: [jimmy], to: 2023-12-01}
"""
USERS = ("u-landlord", "u-renter", "u-both", "u-technician")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation: files of these people in two versions each."""
    folder = tmp_path_factory.mktemp("installation")
    opened = install(folder, HOMES + PEOPLE)
    operate_people.publish_scopes(opened)
    with published.changing(opened.serve) as connection:
        connection.execute("UPDATE gold.fact_device_health_day SET error_count = error_count + 1")
        connection.execute("UPDATE meta.published SET delta_version = 1")
    operate_people.publish_scopes(opened)
    assert {user: len(versions(opened, user)) for user in USERS} == dict.fromkeys(USERS, 3)
    return folder


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Workspace:
    """A copy of it."""
    copy_installation(made, tmp_path / "copy")
    return open_lake(tmp_path / "copy" / "sites.yaml", tmp_path / "copy" / "lake")


def say(work: Workspace, old: str, new: str) -> None:
    """Change what sites.yaml says of people."""
    assert old in PEOPLE
    work.settings.sites_file.write_text(HOMES + PEOPLE.replace(old, new), encoding="utf-8")


def versions(work: Workspace, user: str) -> list[Path]:
    """The stable name and the versions of a person's file."""
    return sorted(work.serve.glob(f"domotic-{user}*"))


def has_presence(file: Path) -> bool:
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'fact_presence_minute'"
        ).fetchone()
    return found == (1,)


CONSENT = (", consents: {presence_to_owner: true}", "")
WITHDRAWN: dict[str, tuple[str, str, set[str]]] = {
    "consent": (*CONSENT, {"u-landlord", "u-both"}),
    "first date": ("from: 2023-09-01", "from: 2023-09-15", {"u-renter", "u-landlord", "u-both"}),
    "last date": ("to: 2023-12-01", "to: 2023-11-30", {"u-technician"}),
    "a date that was none": ("from: 2023-09-01,", "from: 2023-09-01, to: 2040-01-01,",
                             {"u-renter", "u-landlord", "u-both"}),
    "home": ("homes: [jimmy, jeremie]", "homes: [jimmy]", {"u-both"}),
    "role": ("role: renter", "role: technician", {"u-renter", "u-landlord", "u-both"}),
    "person": ("  - {user: u-technician, role: technician, homes: [jimmy], to: 2023-12-01}\n", "",
               {"u-technician"}),
    "another resident who does not consent": (
        "  - {user: u-both", "  - {user: u-new, role: renter, homes: [jeremie]}\n  - {user: u-both",
        {"u-landlord", "u-both"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WITHDRAWN)
def test_what_is_withdrawn_takes_all_versions_of_those_files_and_no_other(work: Workspace, what: str) -> None:
    old, new, users = WITHDRAWN[what]
    others = {file for user in set(USERS) - users for file in versions(work, user)}
    say(work, old, new)
    assert operate_people.withdraw(work).removed == users
    assert {file for user in USERS for file in versions(work, user)} == others
    operate_people.publish_scopes(work)
    left = {user: len(versions(work, user)) for user in users if user in work.settings.sites_file.read_text()}
    assert set(left.values()) <= {2}, "built once, from what may be seen now"
    assert operate_people.withdraw(work).removed == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("to: 2023-12-01", "to: 2024-12-01"),
        ("presence_to_owner: true", "presence_to_owner: true, daily_energy_to_owner: true"),
        ("homes: [jimmy], to", "homes: [jimmy, jeremie], to"),
        ("  - {user: u-both", "  - {user: u-new, role: owner, homes: [jimmy]}\n  - {user: u-both"),
    ],
)
def test_what_is_added_removes_nothing(work: Workspace, old: str, new: str) -> None:
    before = {file for user in USERS for file in versions(work, user)}
    say(work, old, new)
    assert operate_people.withdraw(work).removed == set()
    assert {file for user in USERS for file in versions(work, user)} == before
    operate_people.publish_scopes(work)
    # What a new version added is noted, and goes when it is withdrawn again.
    say(work, old, old)
    assert operate_people.withdraw(work).removed >= ({"u-technician"} if "2024" in new else set())


def test_no_version_shows_presence_once_the_consent_is_withdrawn(work: Workspace) -> None:
    assert [has_presence(file) for file in versions(work, "u-landlord")] == [True] * 3
    say(work, *CONSENT)
    operate_people.publish_scopes(work)
    assert [has_presence(file) for file in versions(work, "u-landlord")] == [False] * 2


def test_a_file_that_nobody_noted_goes(work: Workspace) -> None:
    """Of a version before this one, from a backup, or with a note that is lost or damaged."""
    for content in (None, b"half a no", b"[]", b'{"u-landlord": [[["a", 1]], 2]}'):
        note = work.serve / ".rights.json"
        note.unlink()
        if content is not None:
            note.write_bytes(content)
        assert operate_people.withdraw(work).removed == set(USERS)
        operate_people.publish_scopes(work)
    assert operate_people.withdraw(work).removed == set()


@pytest.mark.parametrize("note", ["[" * 200_000, '{"u": [[["a", "b", Infinity, 1, 1]]]}', '{"u": 5}', "null"])
def test_a_damaged_note_is_none(tmp_path: Path, note: str) -> None:
    publish.rights_file(tmp_path).write_text(note, encoding="utf-8")
    assert rights.read_notes(tmp_path) == {}


def _publish_and_die(sites: Path, lake: str, module: str, name: str, at: int) -> None:
    """Publish people's files, and be killed in the n-th call of a function."""
    place: Any = {"files": people_files, "rights": rights, "publish": publish}[module]
    done, calls = getattr(place, name), count()

    def die(*arguments: Any, **named: Any) -> Any:
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done(*arguments, **named)

    setattr(place, name, die)
    operate_people.publish_scopes(Workspace.open(Settings.of(sites, lake, {})))


@pytest.mark.parametrize(
    ("module", "name", "at"),
    [
        ("files", "_build", 0),
        ("publish", "unlink_scope", 1),
        ("rights", "_write", 0),
        ("publish", "_swap", 0),
    ],
)
def test_kill_9_between_removing_and_building_leaves_nothing_withdrawn(
    work: Workspace, module: str, name: str, at: int
) -> None:
    say(work, *CONSENT)
    settings = work.settings
    run = processes.run(_publish_and_die, settings.sites_file, settings.lake_root, module, name, at)
    assert run == -signal.SIGKILL
    operate_people.withdraw(work)
    left = [file for user in ("u-landlord", "u-both") for file in versions(work, user)]
    assert not any(map(has_presence, left))
    assert not any(map(has_presence, work.serve.rglob(".building/scopes/*.duckdb")))
    operate_people.publish_scopes(work)
    assert len(versions(work, "u-landlord")) == 2


def test_a_kill_after_a_file_with_more_was_published_is_no_gap(work: Workspace) -> None:
    """Its rights are noted before it is there: withdrawn again, it goes."""
    say(work, *CONSENT)
    operate_people.publish_scopes(work)
    say(work, "u-admin", "u-admin")
    settings = work.settings
    # The first write notes the new rights of u-both, the second the file that was swapped in.
    run = processes.run(_publish_and_die, settings.sites_file, settings.lake_root, "rights", "_write", 1)
    assert run == -signal.SIGKILL
    assert has_presence(publish.published_file(work.serve, "u-both"))
    say(work, *CONSENT)
    assert operate_people.withdraw(work).removed == {"u-both"}
    assert versions(work, "u-both") == []


def test_a_slow_build_does_not_bring_back_what_was_withdrawn_meanwhile(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read sites.yaml before; another process looks while it builds."""
    shutil.rmtree(work.serve / ".building", ignore_errors=True)
    for file in versions(work, "u-landlord"):
        file.unlink()
    build = people_files._build

    def slow(*arguments: Any) -> Any:
        done = build(*arguments)
        say(work, *CONSENT)
        operate_people.withdraw(work)
        return done

    monkeypatch.setattr(people_files, "_build", slow)
    operate_people.publish_scopes(work)
    assert versions(work, "u-landlord") == []
    monkeypatch.undo()
    operate_people.publish_scopes(work)
    assert [has_presence(file) for file in versions(work, "u-landlord")] == [False] * 2


def test_a_file_that_cannot_be_removed_is_told_in_one_line_and_tried_again(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, while a program has it open."""
    held = versions(work, "u-landlord")[0]
    unlink = Path.unlink

    def locked(path: Path, *, missing_ok: bool = False) -> None:
        if path == held:
            raise PermissionError(13, "used by another process", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", locked)
    say(work, *CONSENT)
    with pytest.raises(
        LakeError, match="1 files made with rights that were withdrawn cannot be removed"
    ) as told:
        operate_people.publish_scopes(work)
    assert "\n" not in str(told.value)
    assert versions(work, "u-landlord") == [held]
    assert len(versions(work, "u-both")) == 2, "others are not held up"
    assert list(operate_people.withdraw(work).stuck or {}) == ["u-landlord"]
    monkeypatch.undo()
    operate_people.publish_scopes(work)
    assert [has_presence(file) for file in versions(work, "u-landlord")] == [False] * 2


def until(met: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_thread_of_live_withdraws_whatever_the_clock_says(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's clock goes back by decades, and sites.yaml is broken for a while: that is told once."""
    monkeypatch.setattr(time, "time", lambda: -1e9)
    lines: list[str] = []
    with withdrawals.withdrawing(work, lines.append, every_seconds=0.1):
        work.settings.sites_file.write_text("half a fi", encoding="utf-8")
        until(lambda: len(lines) == 1)
        time.sleep(0.5)
        assert "sites.yaml" in lines[0]
        assert len(versions(work, "u-landlord")) == 3
        say(work, *CONSENT)
        until(lambda: not versions(work, "u-landlord"))
        until(lambda: len(lines) == 2)
    assert lines[1] == "rights were withdrawn: removed the files of 2 people"
    assert withdrawals.LOOK_EVERY_SECONDS <= 30, "within a minute"


def test_a_reader_that_holds_a_file_open_keeps_it_on_posix_and_the_name_is_gone(work: Workspace) -> None:
    """Not promised otherwise: docs/access.md."""
    with duckdb.connect(str(publish.published_file(work.serve, "u-landlord")), read_only=True) as reader:
        say(work, *CONSENT)
        operate_people.withdraw(work)
        assert versions(work, "u-landlord") == []
        assert reader.execute("SELECT count(*) > 0 FROM gold.fact_presence_minute").fetchone() == (True,)


def test_forgetting_leaves_no_note(work: Workspace) -> None:
    publish.remove_everything(work.serve)
    assert not (work.serve / ".rights.json").exists()


HALF_SAVED = {
    "an end": ("to: 2023-12-01}", "u-technician"),
    "a resident who does not consent": (
        "  - {user: u-refuses, role: renter, homes: [jeremie]}",
        "u-landlord",
    ),
}


@pytest.mark.parametrize("cut", HALF_SAVED)
def test_half_a_file_hands_nothing_out_that_the_whole_does_not(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """An editor that saves in two writes, or a copy over a slow line; clocks say that it was long ago."""
    monkeypatch.setattr(settled, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    # In block style, so that half an entry is one, too.
    people = PEOPLE.replace("homes: [jimmy], to: 2023-12-01}", "homes: [jimmy],\n     to: 2023-12-01}")
    whole = HOMES + people + "  - {user: u-refuses, role: renter, homes: [jeremie]}\n"
    lost, user = HALF_SAVED[cut]
    half = whole.replace(lost, "}" if lost.endswith("01}") else "").rstrip().rstrip(",")
    sites = work.settings.sites_file
    sites.write_text(whole, encoding="utf-8")
    operate_people.publish_scopes(work)
    allowed = rights.read_notes(work.serve)[user].grants
    sites.write_text(half, encoding="utf-8")
    scopes = {scope.user: scope.grants() for scope in operate_people.scopes_now(work)}
    assert not rights.is_within(scopes[user], allowed), "half of it gives more"
    done = threading.Timer(0.2, lambda: sites.write_text(whole, encoding="utf-8"))
    done.start()
    handed = [operate_people.scopes_to_hand_out(work)]
    operate_people.publish_scopes(work)
    done.join()
    assert {s.user: s.grants() for s in handed[0]}[user] == allowed, "what the database gets"
    assert rights.read_notes(work.serve)[user].grants == allowed


def test_half_a_file_withdraws_at_once_and_what_was_noted_needs_no_waiting(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "SETTLE_SECONDS", 60.0)
    operate_people.publish_scopes(work)
    text = work.settings.sites_file.read_text(encoding="utf-8")
    work.settings.sites_file.write_text(text.partition("  - {user: u-both")[0], encoding="utf-8")
    began = time.monotonic()
    assert operate_people.withdraw(work).removed == {"u-both", "u-technician"}
    operate_people.publish_scopes(work)
    assert time.monotonic() - began < 30
    assert versions(work, "u-both") == []


def test_a_file_that_never_settles_is_told_in_one_line(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "SETTLE_SECONDS", 0.01)
    number = count()

    def save(_seconds: float) -> None:
        say(work, "to: 2023-12-01", f"to: 2024-12-{next(number) % 28 + 1:02}")

    monkeypatch.setattr(settled, "time", SimpleNamespace(sleep=save, monotonic=lambda: 0.0))
    say(work, "to: 2023-12-01", "to: 2025-12-01")
    with pytest.raises(ConfigurationError, match="changes all the time") as told:
        operate_people.publish_scopes(work)
    assert "\n" not in str(told.value)
