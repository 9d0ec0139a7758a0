"""Opens a folder of this machine on a path that no other account can lead elsewhere."""

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, ELOOP, ENOTDIR
from pathlib import Path

from domotic_assets.errors import SourceError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LOOKED_AT = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW
_MOST_LINKS = 40
"""As many as the kernel follows on a path."""


@contextmanager
def opened_folder(folder: Path, *, follow_links: bool = False) -> Iterator[int]:
    """Open a folder to list it and to open its files; it stays the same one, whatever its path becomes.

    Links on the path are followed if they belong to root or to this account. follow_links: follow those of
    others too, as on systems other than Linux. Raises OSError if there is no such folder, SourceError for a
    link of another account.
    """
    walks = not follow_links and hasattr(os, "O_PATH")
    opened = _walked(folder) if walks else os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


def _walked(folder: Path) -> int:
    """Open the folder step by step, so that nobody can put a link on the path behind a look at it."""
    steps = deque(folder.absolute().parts[1:])
    at, links = os.open("/", _LOOKED_AT | os.O_DIRECTORY), 0
    try:
        while steps:
            step = steps.popleft()
            found = _opened_step(step, at)
            status = os.fstat(found)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink("", dir_fd=found)
                os.close(found)
                links += 1
                if status.st_uid not in (0, os.geteuid()):
                    raise _led_astray(folder, step, status.st_uid)
                if links > _MOST_LINKS:
                    raise OSError(ELOOP, os.strerror(ELOOP))
                steps.extendleft(reversed(Path(target).parts))
                continue
            # An absolute target begins with "/", which is opened as such.
            os.close(at)
            at = found
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
    finally:
        os.close(at)


def _opened_step(step: str, parent: int) -> int:
    """Open one step of a path, a link as the link itself; raises OSError if there is none.

    A folder is opened for real, since a look at it (O_PATH) does not make an automount mount what belongs
    there; one that this account may only pass through, and a link, are looked at.
    """
    try:
        return os.open(step, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno not in (EACCES, ELOOP, ENOTDIR):
            raise
    return os.open(step, _LOOKED_AT, dir_fd=parent)


def _led_astray(folder: Path, step: str, owner: int) -> SourceError:
    """Make the error for a path on which another account has put a link."""
    return SourceError(
        f"{step!r} on the way to the folder is a link of another account (uid {owner})",
        where=str(folder),
        expected="folders, or links of root or of the account that runs this",
        remedy="name the folder that it leads to, or set follow_links: true in sites.yaml",
    )
