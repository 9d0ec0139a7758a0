"""Writes files whole or not at all, flushes them to disk, and holds lock files.

What is written, and the message if it fails, are the caller's business.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.02


def write_whole(file: Path, content: bytes, *, mode: int = 0o600, synced: bool = True) -> None:
    """Write a file atomically, with its content on disk first: a kill leaves the old file or the new one.

    mode: permissions of the file, whatever the umask of the process. synced: wait for the disk; otherwise a
    power cut may leave an empty file. A link is never written through. Raises OSError.
    """
    staging = file.with_name(f"{file.name}.tmp")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as handle:
        os.fchmod(descriptor, mode)
        handle.write(content)
        handle.flush()
        if synced:
            os.fsync(handle.fileno())
    staging.replace(file)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def shorten_log(log: Path, most_bytes: int) -> None:
    """Begin a log anew once it is longer than this; what it held is kept beside it, as `NAME.1`.

    Whoever has it open must append to it, and goes on at the new beginning. A line that is written at this
    moment may be lost. Raises OSError.
    """
    if log.stat().st_size > most_bytes:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


@contextmanager
def locked(file: Path, wait_seconds: float | None = None, *, again: bool = False) -> Iterator[None]:
    """Hold a lock file, which one process holds at a time; the system releases it if that process dies.

    wait_seconds: how long to wait while another process holds it; None waits without end.
    again: whether the process that holds it may enter again. Raises TimeoutError.
    """
    lock = FileLock(
        file,
        mode=0o600,
        thread_local=not again,
        is_singleton=again,
        poll_interval=_POLL_SECONDS,
        fallback_to_soft=False,
    )
    try:
        held = lock.acquire(timeout=-1 if wait_seconds is None else wait_seconds)
    except Timeout:
        raise TimeoutError(str(file)) from None
    with held:
        yield
