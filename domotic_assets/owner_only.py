"""Keeps what the product writes from all other accounts of the machine.

Each process that writes creates its files for its own account alone. A folder that other accounts could enter
is closed once, with all below it, and marked: who opens it afterwards has decided so. Which folders are ours
is said by who calls.

Why: docs/decisions/0041-closed-by-default.md
"""

import os
import pwd
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from domotic_assets.errors import LakeError

MARK = ".closed"
"""Name of the file that tells that a folder was closed."""

_MARK_TEXT = "domotic closed this folder to other accounts, and does so once: docs/operating.md, Accounts."
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ACL = "system.posix_acl_access"
_AS_IT_IS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def restrict_new_files() -> None:
    """Make this process, and all that it starts, create files and folders for its own account alone."""
    os.umask(_OF_OTHERS)


def close_once(folder: Path, below: Iterable[str] | None = None) -> None:
    """Close a folder to other accounts, with all that lies below it, unless it is marked as closed.

    below: names in the folder that are closed with it; None for all. A link of ours among them that leads to
    another folder has that folder closed. What belongs to another account stays, and where an access control
    list was set, what it grants. A missing folder, one of another account, and one whose rights cannot be
    changed stay as they are. Raises LakeError as `refuse_another_account` does.
    """
    refuse_another_account(folder)
    try:
        found = folder.stat()
    except OSError:
        return
    if found.st_uid != os.geteuid() or _is_marked(folder):
        return
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _close(opened)
            if os.fstat(opened).st_mode & stat.S_IRWXO:
                # A file system without rights.
                return
            for name in (path.name for path in folder.iterdir()) if below is None else below:
                _close_below(folder / name)
            _mark(opened)
        finally:
            os.close(opened)


def refuse_another_account(folder: Path) -> None:
    """Raise LakeError for a folder that another account, or everybody by design (/tmp), may change.

    Root is refused every folder of another account: what it wrote there would lock that account out.
    """
    try:
        found = folder.stat()
    except OSError:
        return
    if found.st_uid != os.geteuid() and (os.geteuid() == 0 or os.access(folder, os.W_OK)):
        raise _belongs_to_another(folder, found.st_uid)
    if found.st_mode & stat.S_ISVTX and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _is_shared(folder)


def rights_of_others(folder: Path) -> str | None:
    """Return the rights of a folder, as `ls -l` writes them, if other accounts have any; else None."""
    try:
        found = folder.stat()
    except OSError:
        return None
    listed = "+" if _has_list(folder) else ""
    return stat.filemode(found.st_mode) + listed if found.st_mode & _OF_OTHERS or listed else None


def _is_marked(folder: Path) -> bool:
    """Return whether this account has marked the folder. A mark that was copied to it counts not."""
    with suppress(OSError):
        opened = os.open(folder / MARK, _AS_IT_IS)
        try:
            mark = os.fstat(opened)
            if not stat.S_ISREG(mark.st_mode) or mark.st_uid != os.geteuid():
                return False
            return os.read(opened, 500) == _mark_of(folder.stat(), mark)
        finally:
            os.close(opened)
    return False


def _mark_of(folder: os.stat_result, mark: os.stat_result) -> bytes:
    """Return what a folder's mark holds: the inodes of both, which no copy has.

    The number of the device is left out: it may be another one after the machine was started anew.
    """
    return f"{_MARK_TEXT}\nfolder {folder.st_ino}, mark {mark.st_ino}\n".encode()


def _mark(folder: int) -> None:
    """Write the mark into an open folder, in place of whatever has its name."""
    with suppress(FileNotFoundError):
        os.unlink(MARK, dir_fd=folder)
    file = os.open(MARK, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        os.write(file, _mark_of(os.fstat(folder), os.fstat(file)))
    finally:
        os.close(file)


def _close_below(path: Path) -> None:
    """Close a file or a folder with all below it. Of links, only ours at `path` to a folder is followed."""
    if path.is_symlink():
        if path.is_dir() and path.lstat().st_uid == os.geteuid():
            close_once(path.resolve())
        return
    if not path.is_dir():
        _close_named(path.name, os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY), last=True)
        return
    for _, _, files, opened in os.fwalk(path, follow_symlinks=False, onerror=None):
        _close(opened)
        for name in files:
            _close_named(name, opened)


def _close_named(name: str, folder: int, *, last: bool = False) -> None:
    """Close a regular file of an open folder. last: close the folder's descriptor as well."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) or not found.st_mode & _OF_OTHERS:
            return
        opened = os.open(name, _AS_IT_IS, dir_fd=folder)
        try:
            _close(opened)
        finally:
            os.close(opened)
    except OSError:
        # It is gone, or another account's.
        return
    finally:
        if last:
            os.close(folder)


def _close(opened: int) -> None:
    """Take the rights of other accounts from an open file or folder of ours; keep an access control list.

    The bits of the group are the most that such a list grants.
    """
    found = os.fstat(opened)
    mode = stat.S_IMODE(found.st_mode)
    taken = stat.S_IRWXO if _has_list(opened) else _OF_OTHERS
    if mode & taken and found.st_uid == os.geteuid():
        os.fchmod(opened, mode & ~taken)


def _has_list(place: int | Path) -> bool:
    """Return whether a file or folder has an access control list beyond its bits."""
    try:
        return bool(os.getxattr(place, _ACL))
    except (OSError, AttributeError):
        return False


def _belongs_to_another(folder: Path, owner: int) -> LakeError:
    """Make the error for a folder that another account could read, change and exchange at any time."""
    try:
        named = name = pwd.getpwuid(owner).pw_name
    except KeyError:
        named, name = f"uid {owner}", f"'#{owner}'"
    return LakeError(
        f"the folder belongs to another account ({named})",
        where=str(folder),
        expected=f"a folder of the account that runs this (uid {os.geteuid()})",
        remedy=f"run it as: sudo -u {name} domotic …, or name a folder of your own; readers get rights by an "
        "access control list (docs/operating.md, Accounts)",
    )


def _is_shared(folder: Path) -> LakeError:
    """Make the error for a folder in which everybody may put something, as /tmp."""
    return LakeError(
        "other accounts may write into the folder",
        where=str(folder),
        expected="a folder of your own",
        remedy="make a folder in it, and name that",
    )


def make_private(folder: Path) -> None:
    """Create a folder that only this account can enter, or take the rights of others from an existing one.

    Raises LakeError if it is a link or belongs to another account, OSError if it cannot be made.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=stat.S_IRWXU)
    if not is_private(folder):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise LakeError(
                "something else lies where a private folder belongs",
                where=str(folder),
                expected="a folder, and no link to one",
                remedy="find out who put it there, and remove it",
            )
        if found.st_uid not in _trusted(folder):
            raise _belongs_to_another(folder, found.st_uid)
        folder.chmod(stat.S_IRWXU)


def is_private(folder: Path) -> bool:
    """Return whether this is a folder, and no link to one, that only this account can enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    of_others = found.st_mode & _OF_OTHERS
    return stat.S_ISDIR(found.st_mode) and found.st_uid in _trusted(folder) and not of_others


def _trusted(folder: Path) -> tuple[int, int]:
    """Return the accounts that may own what is in a folder's parent: this one, and the parent's owner."""
    return os.geteuid(), folder.parent.stat().st_uid
