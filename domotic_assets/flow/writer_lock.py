"""One writer at a time: who changes the lake's tables holds its lane.

Readings of one minute reach rows of others (a counter's next step, a hold), through several tables
that no commit spans. So writers take turns, whoever started them: Dagster's daemon, its pages or the
command. The lock is the kernel's: a killed process lets go of it.

Why: docs/decisions/0011-one-lane-of-writers.md
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from domotic_assets.errors import LakeError

_POLL_SECONDS = 0.1
_held: dict[Path, int] = {}
_guard = threading.Lock()


@contextmanager
def writer_lock(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lane of the lake whose records lie in `folder`; entered again by its holder at once.

    Raises LakeError when another process holds it for longer than `wait_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lane.lock").resolve()
    with _guard:
        mine = file in _held
        if mine:
            _held[file] += 1
    if mine:
        try:
            yield
        finally:
            with _guard:
                _held[file] -= 1
        return
    with file.open("w") as handle:
        _take(handle, file, wait_seconds)
        with _guard:
            _held[file] = 0
        try:
            yield
        finally:
            with _guard:
                del _held[file]


def _take(handle: TextIO, file: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() >= deadline:
                raise LakeError(
                    f"another run or build was at work on this lake for {wait_seconds:.0f} s",
                    where=str(file.parent),
                    expected="one writer at a time",
                    remedy="wait until it is done",
                ) from None
            time.sleep(_POLL_SECONDS)
