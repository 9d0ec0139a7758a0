"""What closes folders to other accounts, as each of these accounts finds it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from domotic_assets.errors import LakeError
from domotic_assets.owner_only import MARK, close_once, is_private, make_private, rights_of_others
from domotic_assets_tests.support.other_account import UID, as_another, need_root

ANOTHER = 65533


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder where every account may make one of its own."""
    folder = Path(mkdtemp(prefix="domotic-test-", dir="/var/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_folder_with_all_below_it_is_closed_once(tmp_path: Path) -> None:
    inner, file, script = tmp_path / "a" / "b", tmp_path / "a" / "b" / "file", tmp_path / "a" / "script"
    inner.mkdir(parents=True)
    file.touch()
    script.touch()
    for path, bits in (
        (tmp_path, 0o2775),
        (tmp_path / "a", 0o777),
        (inner, 0o755),
        (file, 0o644),
        (script, 0o755),
    ):
        path.chmod(bits)
    close_once(tmp_path)
    assert [*map(mode, (tmp_path, tmp_path / "a", inner, file, script))] == [
        0o2700,
        0o700,
        0o700,
        0o600,
        0o700,
    ]
    assert rights_of_others(tmp_path) is None
    tmp_path.chmod(0o755)
    file.chmod(0o644)
    close_once(tmp_path)
    assert (mode(tmp_path), mode(file)) == (0o755, 0o644)
    assert rights_of_others(tmp_path) == "drwxr-xr-x"


def test_only_the_named_is_closed_below_a_folder(tmp_path: Path) -> None:
    """The root of a lake may be somebody's home."""
    for name in ("bronze", "public"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    close_once(tmp_path, ["bronze", "silver"])
    assert (mode(tmp_path / "bronze"), mode(tmp_path / "public")) == (0o700, 0o755)


def test_a_named_link_to_another_folder_has_that_closed(tmp_path: Path) -> None:
    (tmp_path / "disk" / "bronze").mkdir(parents=True)
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "bronze").symlink_to(tmp_path / "disk" / "bronze")
    (tmp_path / "disk" / "bronze").chmod(0o755)
    close_once(tmp_path / "lake", ["bronze"])
    assert mode(tmp_path / "disk" / "bronze") == 0o700


def test_a_closed_folder_costs_a_look_at_its_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close_once(tmp_path)
    monkeypatch.setattr(os, "fwalk", None)
    monkeypatch.setattr(os, "fchmod", None)
    close_once(tmp_path)


@pytest.mark.parametrize("text", [None, "", "domotic closed this folder"])
def test_a_mark_that_was_copied_counts_not(tmp_path: Path, text: str | None) -> None:
    """As by rclone, a share or a ZIP: the bytes come along, the rights do not."""
    first, copied = tmp_path / "first", tmp_path / "copied"
    for folder in (first, copied):
        folder.mkdir()
        folder.chmod(0o755)
    close_once(first)
    (copied / MARK).write_text((first / MARK).read_text() if text is None else text)
    (copied / "file").touch(0o644)
    close_once(copied)
    assert (mode(copied), mode(copied / "file")) == (0o700, 0o600)
    # What is restored over it, the mark among it.
    (copied / "file").chmod(0o644)
    shutil.copy(copied / MARK, copied / "new")
    (copied / "new").rename(copied / MARK)
    close_once(copied)
    assert mode(copied / "file") == 0o600


def test_a_folder_that_all_share_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with pytest.raises(LakeError, match="other accounts may write into the folder"):
        close_once(tmp_path / "shared")
    assert mode(tmp_path / "shared") == 0o1777


def test_root_is_refused_what_belongs_to_another_account(place: Path) -> None:
    need_root()
    as_another(_make_open, place / "lake", uid=ANOTHER)
    (place / "lake").chmod(0o755)
    os.chown(place / "lake", 1, -1)
    with pytest.raises(LakeError, match=r"run it as: sudo -u daemon domotic") as caught:
        close_once(place / "lake")
    assert "\n" not in str(caught.value)
    assert mode(place / "lake") == 0o755


def test_an_access_control_list_stays(tmp_path: Path) -> None:
    folder = tmp_path / "serve"
    folder.mkdir()
    folder.chmod(0o755)
    # user:65534:r-x, by the bytes that setfacl writes: version 2, entries of tag, rights, id.
    entries = [(0x01, 7, -1), (0x02, 5, UID), (0x04, 5, -1), (0x10, 5, -1), (0x20, 5, -1)]
    packed = b"\x02\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, bits, who in entries
    )
    try:
        os.setxattr(folder, "system.posix_acl_access", packed)
    except OSError:
        pytest.skip("NOT TESTED: this file system has no access control lists")
    close_once(folder)
    assert os.getxattr(folder, "system.posix_acl_access") != b""
    assert mode(folder) & 0o007 == 0
    assert (rights_of_others(folder) or "").endswith("+")
    if os.geteuid() == 0 and shutil.which("getfacl"):
        shown = subprocess.run(["getfacl", "-nc", str(folder)], capture_output=True, text=True, check=True)
        assert f"user:{UID}:r-x\n" in shown.stdout


def test_a_folder_of_another_account_that_is_writable_is_refused(place: Path) -> None:
    need_root()
    as_another(_make_open, place / "lake", uid=ANOTHER)
    with pytest.raises(LakeError, match=rf"belongs to another account \(uid {ANOTHER}\)") as caught:
        as_another(close_once, place / "lake")
    assert "\n" not in str(caught.value)


def test_a_folder_of_another_account_that_is_only_readable_stays(place: Path) -> None:
    need_root()
    (place / "lake").mkdir()
    (place / "lake").chmod(0o755)
    as_another(close_once, place / "lake")
    assert mode(place / "lake") == 0o755


def test_the_mark_of_another_account_counts_not(place: Path) -> None:
    need_root()
    lake = place / "lake"
    lake.mkdir()
    lake.chmod(0o777)
    as_another(_touch, lake / MARK)
    close_once(lake)
    assert mode(lake) == 0o700
    assert (lake / MARK).stat().st_uid == os.geteuid()


def test_a_private_folder_is_none_if_another_account_or_a_link_was_there_first(place: Path) -> None:
    need_root()
    as_another(_make_open, place / "theirs", uid=ANOTHER)
    (place / "link").symlink_to(place / "theirs")
    for name in ("theirs", "link"):
        assert not is_private(place / name)
        with pytest.raises(LakeError):
            as_another(make_private, place / name)
    as_another(make_private, place / "own")
    assert mode(place / "own") == 0o700


def _make_open(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def _touch(file: Path) -> None:
    file.write_text("")
