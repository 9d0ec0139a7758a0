"""Work on one item while the next is being made: a second core helps where Polars alone keeps one busy."""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()

_HAND_OVER_SECONDS = 0.0005
"""How long a thread may wait for the other to hand over Python: at the usual 5 ms, one that makes many short
calls to Polars beside one that parses spends a tenth of its time waiting."""


def prefetch(items: Iterable[Item]) -> Iterator[Item]:
    """The same items in the same order, each but the first made in a thread while the one before is used.

    One is made at a time, so what makes them needs no locks; at most two exist. What goes wrong while
    one is made is raised in its turn, after those before it.
    """
    source = iter(items)
    item: object = next(source, _END)
    # The first is made here: one item alone, as a live minute is, needs nothing of a thread's own.
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_HAND_OVER_SECONDS)
    try:
        with ThreadPoolExecutor(1, "prefetch") as thread:
            while item is not _END:
                following = thread.submit(next, source, _END)
                yield item  # type: ignore[misc]
                del item
                item = following.result()
    finally:
        sys.setswitchinterval(usual)
