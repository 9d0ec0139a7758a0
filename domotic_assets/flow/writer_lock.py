"""Holds the writer lock: one process at a time may change the lake's tables.

A reading of one minute affects rows of other minutes (a counter's next step, a hold), in several tables
that no single commit spans. So writers take turns, whether Dagster's daemon, its pages or the command
started them.

Why: docs/decisions/0011-one-lane-of-writers.md
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from domotic_assets.errors import LakeError
from domotic_assets.files_on_disk import locked


@contextmanager
def writer_lock(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the writer lock of the lake whose records are in `folder`; its holder may enter again.

    Raises LakeError if another process holds it for longer than `wait_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(locked((folder / "lane.lock").resolve(), wait_seconds, again=True))
        except TimeoutError:
            raise LakeError(
                f"another run or build was at work on this lake for {wait_seconds:.0f} s",
                where=str(folder.resolve()),
                expected="one writer at a time",
                remedy="wait until it is done",
            ) from None
        yield
