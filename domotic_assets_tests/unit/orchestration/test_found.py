"""What a listing found is handed over once, by name, to who lands it."""

from datetime import UTC, datetime, timedelta

from domotic_assets.orchestration.found import FoundFiles
from domotic_assets.orchestration.windows import Window, day_window
from domotic_assets.sources.base import Entry

NOON = datetime(2023, 9, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A, B, C = (Entry(name, 1, NOON) for name in "abc")


def test_nothing_is_known_while_nobody_keeps_it() -> None:
    found = FoundFiles()
    assert found.take([day_window(NOON)]) is None
    with found.kept({NOON: [A]}):
        pass
    assert found.take([day_window(NOON)]) is None


def test_each_file_of_the_windows_is_taken_once_and_by_name() -> None:
    """B may be of either pass of the autumn hour."""
    found = FoundFiles()
    with found.kept({NOON + MINUTE: [C, B], NOON: [B, A], NOON + timedelta(days=1): [C]}):
        minutes = [Window(start, start + MINUTE) for start in (NOON, NOON + MINUTE)]
        assert found.take(minutes) == [A, B, C]
        assert found.take([day_window(NOON)]) == []
        assert found.take([day_window(NOON + timedelta(days=1))]) == [C]
        assert found.take([day_window(NOON + timedelta(days=1))]) == []
