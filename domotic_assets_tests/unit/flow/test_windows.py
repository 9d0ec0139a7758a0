"""Window keys, what covers new minutes, and which ranges of keys make a run."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.errors import PartitionError
from domotic_assets.flow.pieces import cut, membership, parts, spans
from domotic_assets.flow.windows import Window, cover, day_window, ranges, read_key, read_keys
from domotic_assets.localtime import MINUTE


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "start", "length"),
    [
        ("2026-11-22T04:05", "2026-11-22T04:05", timedelta(minutes=1)),
        ("2026-11-22T04", "2026-11-22T04:00", timedelta(hours=1)),
        ("2026-11-21", "2026-11-21T00:00", timedelta(days=1)),
    ],
)
def test_a_key_is_a_minute_an_hour_or_a_day_and_is_written_as_it_is_read(
    key: str, start: str, length: timedelta
) -> None:
    window = read_key(key)
    assert window == Window(at(start), at(start) + length)
    assert window.key == key


@pytest.mark.parametrize(
    "key", ["", "today", "2026-11", "2026-13-01", "2026-11-22T24", "2026-11-22 04", "2026-11-22T04:05:06"]
)
def test_what_is_no_window_is_refused_by_name(key: str) -> None:
    with pytest.raises(PartitionError) as caught:
        read_key(key)
    assert repr(key) in str(caught.value)
    assert "2026-11-21T04:05" in str(caught.value)


def test_a_run_without_keys_is_refused() -> None:
    with pytest.raises(PartitionError, match="no partition key"):
        read_keys([])


def test_a_run_reads_all_its_keys_in_their_order() -> None:
    assert [window.key for window in read_keys(["2026-11-21", "2026-11-22T04"])] == [
        "2026-11-21",
        "2026-11-22T04",
    ]


def test_the_day_of_a_moment_is_the_utc_day() -> None:
    assert day_window(at("2023-09-04T23:59:59")) == Window(at("2023-09-04"), at("2023-09-05"))


def test_history_is_covered_by_days_today_by_hours_and_this_hour_by_minutes() -> None:
    minutes = [at(f"2023-09-{text}") for text in ("04T03:00", "04T23:59", "05T08:10", "05T08:59", "05T09:29")]
    keys = [window.key for window in cover(minutes, now=at("2023-09-05T09:30"))]
    assert keys == ["2023-09-04", "2023-09-05T08", "2023-09-05T09:29"]


def test_a_window_counts_as_over_at_its_end_and_not_before() -> None:
    minute = at("2023-09-04T23:59")
    assert [window.key for window in cover([minute], at("2023-09-05T00:00"))] == ["2023-09-04"]
    assert [window.key for window in cover([minute], at("2023-09-04T23:59:59"))] == ["2023-09-04T23:59"]


def test_a_minute_ahead_of_the_clock_is_covered_by_itself() -> None:
    assert [window.key for window in cover([at("2023-09-06T12:00")], at("2023-09-05T09:30"))] == [
        "2023-09-06T12:00"
    ]


def test_touching_and_overlapping_windows_are_one_span_and_gaps_stay() -> None:
    keys = ["2023-09-05T01", "2023-09-04", "2023-09-05T00:30", "2023-09-05T00", "2023-09-05T03:00"]
    assert spans(map(read_key, keys)) == [
        (at("2023-09-04"), at("2023-09-05T02:00")),
        (at("2023-09-05T03:00"), at("2023-09-05T03:01")),
    ]
    assert spans([]) == []


@given(st.sets(st.integers(0, 9)), st.integers(-1, 10), st.sampled_from([0, 59]))
def test_a_moment_is_in_spans_where_it_is_in_one_of_their_minutes(
    minutes: set[int], minute: int, second: int
) -> None:
    start = at("2026-11-22T04:00")
    windows = [Window(start + n * MINUTE, start + (n + 1) * MINUTE) for n in minutes]
    moment = start + minute * MINUTE + timedelta(seconds=second)
    assert membership(spans(windows))(moment) is (minute in minutes)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bcd", ["bd"]),
        ("abcde", ["ae"]),
        ("bd", ["bb", "dd"]),
        ("abe", ["ab", "ee"]),
        ("", []),
        ("x", []),
    ],
)
def test_a_range_takes_in_wanted_keys_only_by_order_of_registration(wanted: str, expected: list[str]) -> None:
    assert ranges(set(wanted), list("abcde")) == [(first, last) for first, last in expected]


def test_the_order_of_registration_and_not_of_time_makes_a_range() -> None:
    registered = ["2023-09-05", "2023-09-03", "2023-09-04"]
    assert ranges({"2023-09-05", "2023-09-04"}, registered) == [
        ("2023-09-05", "2023-09-05"),
        ("2023-09-04", "2023-09-04"),
    ]


MIDNIGHT = datetime(2023, 9, 4, tzinfo=UTC)


def numbered(*hours: tuple[float, int]) -> list[tuple[datetime, int]]:
    """(hours after midnight, files) as minutes and files."""
    return [(MIDNIGHT + timedelta(hours=after), number) for after, number in hours]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], []),
        ([(0, 10)], [[10]]),
        # A minute that alone is too much is a piece.
        ([(0, 25), (1, 3)], [[25], [3]]),
        ([(0, 5), (1, 5), (2, 1)], [[5, 5], [1]]),
        # Full after a midnight: the date that was begun goes into the next piece, whole.
        ([(0, 4), (23, 3), (24, 1), (25, 1), (26, 2)], [[4, 3], [1, 1, 2]]),
        # Full at a midnight.
        ([(0, 4), (23, 6), (24, 1)], [[4, 6], [1]]),
        # The last of several midnights.
        ([(0, 3), (24, 3), (48, 3), (49, 3)], [[3, 3], [3, 3]]),
        # Cut at midnight the piece would be nearly empty.
        ([(23, 1), (24, 5), (25, 4), (26, 2)], [[1, 5, 4], [2]]),
    ],
)
def test_pieces_end_at_midnight_where_that_leaves_them_half_full(
    files: list[tuple[float, int]], expected: list[list[int]]
) -> None:
    assert [[number for _, number in piece] for piece in cut(numbered(*files), 10)] == expected


@given(st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 12)), unique_by=lambda one: one[0]))
def test_pieces_keep_every_minute_in_order_and_hold_no_more_than_they_may(
    found: list[tuple[int, int]],
) -> None:
    files = [(MIDNIGHT + timedelta(minutes=at), number) for at, number in sorted(found)]
    pieces = cut(files, 20)
    assert [one for piece in pieces for one in piece] == files
    assert all(0 < sum(number for _, number in piece) <= 20 for piece in pieces)


def test_a_span_is_parted_so_that_a_part_holds_few_files() -> None:
    span = Window(MIDNIGHT, MIDNIGHT + timedelta(minutes=10))
    found = [
        ((part.start - MIDNIGHT) // MINUTE, (part.end - MIDNIGHT) // MINUTE) for part in parts(span, 8, 2)
    ]
    assert found == [(0, 4), (4, 8), (8, 10)]
    assert len(list(parts(span, 6_000, 2))) == 1
    assert len(list(parts(span, 6, 1_000))) == 10
