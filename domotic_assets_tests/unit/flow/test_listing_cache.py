"""What a listing found is handed over once, by name, to who lands it."""

import weakref
from datetime import UTC, datetime, timedelta

import polars as pl

from domotic_assets.flow.listing_cache import ListingCache
from domotic_assets.flow.windows import Window, day_window
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files.folders import as_entries, as_rows

NOON = datetime(2023, 9, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A, B, C = (Entry(name, 1, NOON + MINUTE) for name in ("a", "ä", "b"))
NEXT_DAY = NOON + timedelta(days=1)


def rows(*found: tuple[datetime, Entry]) -> pl.DataFrame:
    windows, entries = zip(*found, strict=True)
    return as_rows(entries).with_columns(window=pl.Series(windows, dtype=pl.Datetime("us", "UTC")))


def taken(found: ListingCache, *windows: Window) -> list[Entry]:
    what = found.take(windows)
    assert what is not None
    return as_entries(what)


def test_nothing_is_known_while_nobody_keeps_it() -> None:
    found = ListingCache()
    assert found.take([day_window(NOON)]) is None
    with found.kept(rows((NOON, A))):
        pass
    assert found.take([day_window(NOON)]) is None


def test_each_file_of_the_windows_is_taken_once_and_by_name() -> None:
    """B may be of either pass of the autumn hour, C of two days."""
    found = ListingCache()
    with found.kept(rows((NOON + MINUTE, B), (NOON + MINUTE, C), (NOON, B), (NOON, A), (NEXT_DAY, C))):
        minutes = [Window(start, start + MINUTE) for start in (NOON, NOON + MINUTE)]
        assert taken(found, *minutes) == [A, C, B]
        assert taken(found, day_window(NOON)) == []
        assert taken(found, day_window(NEXT_DAY)) == [C]
        assert taken(found, day_window(NEXT_DAY)) == []


def test_what_was_taken_is_held_by_nobody() -> None:
    found = ListingCache()
    listed = rows((NOON, A), (NEXT_DAY, B))
    held = weakref.ref(listed)
    with found.kept(listed):
        del listed
        assert taken(found, day_window(NOON)) == [A]
        assert held() is None
