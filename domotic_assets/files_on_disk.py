"""Writes a file whole or not at all, and locks by one: what every room needs of a file system.

What is written, and what to say when it fails, is the caller's business.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.02


def write_whole(file: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put the content under the name and on the disk: whoever is killed leaves the old file or the new one.

    mode: rights of a new file, less those that the process withholds. Raises OSError.
    """
    staging = file.with_name(f"{file.name}.tmp")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    staging.replace(file)


def sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(file: Path, wait_seconds: float | None = None, *, again: bool = False) -> Iterator[None]:
    """Hold a lock file, which one process has at a time; the system takes it back from one that dies.

    wait_seconds: how long to wait for another that holds it; None waits until it lets go.
    again: whether the process that holds it may enter again. Raises TimeoutError.
    """
    lock = FileLock(
        file, thread_local=not again, is_singleton=again, poll_interval=_POLL_SECONDS, fallback_to_soft=False
    )
    try:
        held = lock.acquire(timeout=-1 if wait_seconds is None else wait_seconds)
    except Timeout:
        raise TimeoutError(str(file)) from None
    with held:
        yield
