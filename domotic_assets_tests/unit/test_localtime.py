"""Clock changes: both change days of Zurich, minute by minute, and the rules for doubtful readings.

Oracle: in 2023 the clock of Zurich went forward on 26 March at 01:00 UTC and back on 29 October at
01:00 UTC; before and after it stands one hour, in between two hours, ahead of UTC.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.localtime import (
    Moment,
    candidates,
    floor_minute,
    local_date,
    local_day_bounds,
    steady_hour,
    to_utc,
    zone,
)

ZURICH = "Europe/Zurich"
FORWARD = datetime(2023, 3, 26, 1, 0, tzinfo=UTC)
BACK = datetime(2023, 10, 29, 1, 0, tzinfo=UTC)
EARLY_PASS = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
LATE_PASS = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
REPEATED = datetime(2023, 10, 29, 2, 30)


def on_zurich_clock(moment: datetime) -> datetime:
    """What the clock shows in 2023, by the two dates above."""
    hours = 2 if FORWARD <= moment < BACK else 1
    return (moment + timedelta(hours=hours)).replace(tzinfo=None)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (datetime(2023, 1, 15, 12, 0), datetime(2023, 1, 15, 11, 0, tzinfo=UTC)),
        (datetime(2023, 8, 31, 21, 44), datetime(2023, 8, 31, 19, 44, tzinfo=UTC)),
        (datetime(2023, 3, 26, 1, 59), datetime(2023, 3, 26, 0, 59, tzinfo=UTC)),
        (datetime(2023, 3, 26, 3, 0), datetime(2023, 3, 26, 1, 0, tzinfo=UTC)),
        (datetime(2023, 10, 29, 1, 59), datetime(2023, 10, 28, 23, 59, tzinfo=UTC)),
        (datetime(2023, 10, 29, 3, 0), datetime(2023, 10, 29, 2, 0, tzinfo=UTC)),
    ],
)
def test_an_undoubtful_reading_has_one_moment(local: datetime, utc: datetime) -> None:
    assert candidates(local, ZURICH) == (Moment(utc),)
    assert to_utc(local, ZURICH, arrived_at=utc + timedelta(days=9)) == Moment(utc)


@pytest.mark.rule(2)
def test_a_repeated_reading_has_both_moments_earliest_first() -> None:
    assert candidates(REPEATED, ZURICH) == (
        Moment(EARLY_PASS, "repeated_in_autumn"),
        Moment(LATE_PASS, "repeated_in_autumn"),
    )


@pytest.mark.rule(4)
def test_a_skipped_reading_takes_the_offset_before_the_change_and_says_so() -> None:
    # 02:30 never stood on the clock; with the winter offset of one hour it is 01:30 UTC.
    expected = Moment(datetime(2023, 3, 26, 1, 30, tzinfo=UTC), "skipped_by_spring")
    assert candidates(datetime(2023, 3, 26, 2, 30), ZURICH) == (expected,)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("arrived_at", "utc"),
    [
        (EARLY_PASS + timedelta(seconds=5), EARLY_PASS),
        (LATE_PASS + timedelta(seconds=5), LATE_PASS),
        (LATE_PASS - timedelta(minutes=2), LATE_PASS),
        (LATE_PASS - timedelta(minutes=2, microseconds=1), EARLY_PASS),
    ],
    ids=["first pass", "second pass", "a slow share clock", "first pass, late"],
)
def test_without_hints_the_arrival_tells_the_passes_apart(arrived_at: datetime, utc: datetime) -> None:
    assert to_utc(REPEATED, ZURICH, arrived_at) == Moment(utc, "repeated_in_autumn")


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("hints", "utc"),
    [
        ([EARLY_PASS.timestamp() + 20], EARLY_PASS),
        ([LATE_PASS.timestamp() - 20], LATE_PASS),
        ([EARLY_PASS.timestamp(), LATE_PASS.timestamp()], LATE_PASS),
        ([LATE_PASS.timestamp(), EARLY_PASS.timestamp()], LATE_PASS),
        ([EARLY_PASS.timestamp() - 86_400, EARLY_PASS.timestamp()], EARLY_PASS),
        ([EARLY_PASS.timestamp() - 1_800], EARLY_PASS),
    ],
    ids=[
        "first",
        "second",
        "an idle plug beside",
        "order is no matter",
        "a day old beside",
        "half an hour off",
    ],
)
def test_unix_times_inside_win_over_the_arrival(hints: list[float], utc: datetime) -> None:
    against = EARLY_PASS if utc == LATE_PASS else LATE_PASS
    assert to_utc(REPEATED, ZURICH, against + timedelta(seconds=5), hints).utc == utc


@pytest.mark.parametrize("hint", [EARLY_PASS.timestamp() - 43_200, EARLY_PASS.timestamp() - 1_801])
def test_a_hint_far_from_both_passes_decides_nothing(hint: float) -> None:
    assert to_utc(REPEATED, ZURICH, LATE_PASS + timedelta(seconds=5), [hint]).utc == LATE_PASS


def test_a_clock_on_utc_has_no_doubt() -> None:
    assert candidates(REPEATED, "UTC") == (Moment(REPEATED.replace(tzinfo=UTC)),)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("day", "start", "end", "minutes"),
    [
        (
            date(2023, 10, 29),
            datetime(2023, 10, 28, 22, tzinfo=UTC),
            datetime(2023, 10, 29, 23, tzinfo=UTC),
            1500,
        ),
        (
            date(2023, 3, 26),
            datetime(2023, 3, 25, 23, tzinfo=UTC),
            datetime(2023, 3, 26, 22, tzinfo=UTC),
            1380,
        ),
        (
            date(2023, 9, 4),
            datetime(2023, 9, 3, 22, tzinfo=UTC),
            datetime(2023, 9, 4, 22, tzinfo=UTC),
            1440,
        ),
    ],
    ids=["autumn", "spring", "ordinary"],
)
def test_a_local_day_holds_its_minutes(day: date, start: datetime, end: datetime, minutes: int) -> None:
    assert local_day_bounds(day, ZURICH) == (start, end)
    placed = [
        to_utc(on_zurich_clock(moment), ZURICH, moment + timedelta(seconds=5)).utc
        for moment in (start + timedelta(minutes=n) for n in range(minutes))
    ]
    assert placed == [start + timedelta(minutes=n) for n in range(minutes)]
    assert {local_date(moment, ZURICH) for moment in placed} == {day}
    assert local_date(start - timedelta(minutes=1), ZURICH) == day - timedelta(days=1)
    assert local_date(end, ZURICH) == day + timedelta(days=1)


minutes_of_2023 = st.integers(0, 364 * 1440).map(
    lambda n: datetime(2023, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=n)
)
minutes_near_a_change = st.builds(
    lambda change, n: change + timedelta(minutes=n), st.sampled_from([FORWARD, BACK]), st.integers(-180, 180)
)


@pytest.mark.rule(2)
@given(moment=minutes_of_2023 | minutes_near_a_change)
def test_the_truth_is_always_a_candidate_and_a_prompt_arrival_finds_it(moment: datetime) -> None:
    shown = on_zurich_clock(moment)
    assert moment in [found.utc for found in candidates(shown, ZURICH)]
    assert to_utc(shown, ZURICH, moment + timedelta(seconds=5)).utc == moment


def test_floor_minute_drops_seconds() -> None:
    moment = datetime(2023, 8, 31, 19, 44, 59, 999_999, tzinfo=UTC)
    assert floor_minute(moment) == datetime(2023, 8, 31, 19, 44, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Sion", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises((ZoneInfoNotFoundError, ValueError)):
        zone(name)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("zone_name", "day", "unsteady"),
    [
        ("Europe/Zurich", datetime(2023, 10, 29), [2]),
        ("Europe/Zurich", datetime(2023, 3, 26), [2]),
        ("Europe/Zurich", datetime(2023, 6, 1), []),
        ("UTC", datetime(2023, 10, 29), []),
        # Half an hour back at two, so that half past one comes again; and half an hour on.
        ("Australia/Lord_Howe", datetime(2023, 4, 2), [1]),
        ("Australia/Lord_Howe", datetime(2023, 10, 1), [2]),
        # A quarter of an hour on at midnight.
        ("Asia/Kathmandu", datetime(1986, 1, 1), [0]),
        # From 11 min 30 s to 0 h, in the middle of an hour that both begins and ends clearly.
        ("Africa/Monrovia", datetime(1972, 1, 7), [0]),
    ],
)
def test_an_hour_is_steady_if_each_of_its_minutes_is_one_moment_after_its_start(
    zone_name: str, day: datetime, unsteady: list[int]
) -> None:
    for hour in range(24):
        begun = steady_hour(day + timedelta(hours=hour), zone_name)
        assert (begun is None) == (hour in unsteady), hour
        for minute in range(60) if begun is not None else ():
            placed = candidates(day + timedelta(hours=hour, minutes=minute), zone_name)
            assert placed == (Moment(begun + timedelta(minutes=minute)),)
