"""Items made ahead: the same ones, in order, two at a time at most, and errors in their turn."""

import threading
import weakref
from collections.abc import Iterator

import pytest

from domotic_assets.flow.prefetch import prefetch


class Thing:
    """Something that can be watched."""


def test_items_keep_their_order() -> None:
    assert list(prefetch(range(5))) == [0, 1, 2, 3, 4]
    assert list(prefetch([])) == []


def test_the_next_is_made_while_one_is_used() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    found = prefetch(items())
    assert next(found) == 1
    assert made.wait(10), "nothing was made while the first item was used"
    assert next(found) == 2


def test_the_first_is_made_by_the_caller_and_the_others_by_one_thread() -> None:
    first, *others = prefetch(threading.get_ident() for _ in range(4))
    assert first == threading.get_ident()
    assert len({*others}) == 1
    assert first not in others


def test_two_exist_at_most() -> None:
    alive: weakref.WeakSet[Thing] = weakref.WeakSet()
    most = 0

    def items() -> Iterator[Thing]:
        nonlocal most
        for _ in range(6):
            thing = Thing()
            alive.add(thing)
            most = max(most, len(alive))
            yield thing
            del thing

    for item in prefetch(items()):
        del item
    assert most <= 2


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the share is gone")

    found = prefetch(items())
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(OSError, match="the share is gone"):
        next(found)


def test_nothing_more_is_made_once_its_user_stops() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    found = prefetch(items())
    next(found)
    found.close()
    assert made in ([0], [0, 1])
