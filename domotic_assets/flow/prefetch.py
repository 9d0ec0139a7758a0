"""Makes the next item while one is used: a second core helps where Polars alone keeps only one busy."""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()

_HAND_OVER_SECONDS = 0.0005
"""How long a thread waits for the other to hand over Python's interpreter lock. At the usual 5 ms, a thread
that makes many short calls to Polars beside one that parses spends a tenth of its time waiting."""


def prefetch(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items in order; each but the first is made in a thread while the one before is used.

    One item is made at a time, so the source needs no locks. At most two items exist. An error while an item
    is made is raised in its turn, after the items before it.
    """
    source = iter(items)
    item: object = next(source, _END)
    # The first item is made in this thread: a single one, as of a live minute, needs no thread-local state.
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
