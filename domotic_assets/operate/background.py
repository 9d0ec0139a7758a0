"""Runs work of `domotic live` in threads of its own process, so that no run, sensor or clock holds it up."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a function in a thread until the block ends; it is given an event that is set then."""
    ended = threading.Event()
    threading.Thread(target=work, args=(ended,), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
