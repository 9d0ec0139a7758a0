"""Locks a lake for `domotic live`, and tells whether live or a process that it started still runs.

The processes that live starts inherit the lock, so it outlasts a live that was killed. Hence a kernel lock
on a file that they share: a library's lock is released by the process that took it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domotic_assets.errors import LakeError


@contextmanager
def kept_live(home: Path) -> Iterator[None]:
    """Hold the live lock of the lake whose records are in `home`.

    Child processes that inherit open files hold it too: it is released when the last of them has ended, even
    if killed. Raises LakeError if the lock is already held.
    """
    with _lock(home).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LakeError(
                "another `domotic live`, or what one that was killed has left, works on this lake",
                where=str(home),
                expected="one at a time",
                remedy=f"end it first; `fuser -v '{_lock(home)}'` names its processes",
            ) from None
        os.set_inheritable(handle.fileno(), True)
        yield


def is_kept_live(home: Path) -> bool:
    """Tell whether `domotic live`, or a process that it left behind, holds the live lock of the lake."""
    if not _lock(home).exists():
        return False
    with _lock(home).open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _lock(home: Path) -> Path:
    """Return the path of the file that holds the live lock."""
    return home / "live.lock"
