"""Live lock: tells whether `domotic live` works on a lake, even where it was killed and left parts.

The processes that live starts inherit the lock: a lock of the kernel on a file that they share, which a
library's lock, let go by the one that took it, is not.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domotic_assets.errors import LakeError


@contextmanager
def kept_live(home: Path) -> Iterator[None]:
    """Say that `domotic live` works on the lake.

    Processes that are started with what may be inherited say it too: it counts until the last of them has
    ended, however that comes. Raises LakeError where others say it already.
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
    """Whether `domotic live`, or a part that it left, works on the lake."""
    if not _lock(home).exists():
        return False
    with _lock(home).open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _lock(home: Path) -> Path:
    return home / "live.lock"
