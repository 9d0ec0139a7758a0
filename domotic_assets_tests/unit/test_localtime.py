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
    offset_all_day,
    which_pass,
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


def to_utc(
    naive: datetime, zone_name: str, arrived_at: datetime | None, unix_hints: tuple[float, ...] = ()
) -> Moment:
    """The moment that a clock reading means."""
    found = candidates(naive, zone_name)
    chosen = which_pass([moment.utc for moment in found], arrived_at, unix_hints)
    return next(moment for moment in found if moment.utc == chosen)


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


EARLY, LATE = EARLY_PASS.timestamp(), LATE_PASS.timestamp()
SOON, DAYS = timedelta(seconds=5), timedelta(days=9)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("hints", "arrived_at", "utc"),
    [
        ((EARLY + 20,), LATE_PASS + SOON, EARLY_PASS),
        ((LATE - 20,), LATE_PASS + DAYS, LATE_PASS),
        ((LATE - 20,), None, LATE_PASS),
        ((LATE, LATE), EARLY_PASS + SOON, LATE_PASS),
        ((LATE,), EARLY_PASS + SOON, EARLY_PASS),
        ((LATE,), EARLY_PASS + timedelta(minutes=40), EARLY_PASS),
        ((EARLY, LATE), EARLY_PASS + SOON, EARLY_PASS),
        ((LATE, EARLY), LATE_PASS + SOON, LATE_PASS),
        ((EARLY, EARLY, LATE), LATE_PASS + DAYS, EARLY_PASS),
        ((EARLY - 86_400, EARLY), LATE_PASS + DAYS, EARLY_PASS),
        ((LATE - 3_000, LATE - 2_400, LATE), LATE_PASS + SOON, LATE_PASS),
        ((EARLY - 1_800,), LATE_PASS + DAYS, EARLY_PASS),
        ((EARLY,), datetime(2023, 10, 20, tzinfo=UTC), EARLY_PASS),
    ],
    ids=[
        "first, late", "second, late", "second, arrival unknown", "two against an early arrival",
        "one against its arrival", "one against its arrival, late", "a clock ahead beside",
        "an idle plug beside",
        "most, late", "a day old beside", "idle plugs of other minutes beside", "half an hour off",
        "a last write of days before",
    ],
)  # fmt: skip
def test_most_hints_tell_the_pass_and_none_lies_after_its_arrival(
    hints: tuple[float, ...], arrived_at: datetime | None, utc: datetime
) -> None:
    assert to_utc(REPEATED, ZURICH, arrived_at, hints).utc == utc


@pytest.mark.parametrize("hint", [EARLY - 43_200, EARLY - 1_801, EARLY + 1_800])
def test_a_hint_far_from_both_passes_or_between_them_decides_nothing(hint: float) -> None:
    assert to_utc(REPEATED, ZURICH, LATE_PASS + SOON, (hint,)).utc == LATE_PASS
    assert to_utc(REPEATED, ZURICH, None, (hint,)).utc == EARLY_PASS


@pytest.mark.rule(2)
@pytest.mark.parametrize("minutes", [-14, -1, 1, 14])
def test_the_nearest_pass_wins_also_where_the_clock_goes_back_half_an_hour(minutes: int) -> None:
    """Lord Howe, 2 April 2023: 01:45 is shown at 14:45 and at 15:15 UTC of the day before."""
    passes = (datetime(2023, 4, 1, 14, 45, tzinfo=UTC), datetime(2023, 4, 1, 15, 15, tzinfo=UTC))
    local = datetime(2023, 4, 2, 1, 45)
    assert tuple(moment.utc for moment in candidates(local, "Australia/Lord_Howe")) == passes
    for moment in passes:
        hint = (moment + timedelta(minutes=minutes)).timestamp()
        assert to_utc(local, "Australia/Lord_Howe", None, (hint,)).utc == moment


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


@pytest.mark.rule(2)
@given(
    zone_name=st.sampled_from(
        # Changes of an hour and of half one, at midnight, over a whole day, and of seconds.
        [ZURICH, "UTC", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "Africa/Monrovia"]
    ),
    year=st.sampled_from([1972, 2011, 2023]),
    minutes=st.integers(0, 365 * 1440 - 1),
)
def test_candidates_are_the_moments_at_which_the_clock_shows_a_reading(
    zone_name: str, year: int, minutes: int
) -> None:
    """Against every offset that the clock has from two days before to two days after."""
    shown = datetime(year, 1, 1) + timedelta(minutes=minutes)
    near = [shown.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in range(-48, 49)]
    offsets = {offset for moment in near if (offset := moment.astimezone(zone(zone_name)).utcoffset())}
    offsets |= {timedelta(0)}
    moments = sorted(
        moment
        for moment in {shown.replace(tzinfo=UTC) - offset for offset in offsets}
        if moment.astimezone(zone(zone_name)).replace(tzinfo=None) == shown
    )
    found = candidates(shown, zone_name)
    if moments:
        assert [moment.utc for moment in found] == moments
        assert [moment.note for moment in found] == (
            [None] if len(moments) == 1 else ["repeated_in_autumn"] * 2
        )
    else:
        assert [moment.note for moment in found] == ["skipped_by_spring"]


@pytest.mark.parametrize(
    ("day", "zone_name", "hours"),
    [
        (date(2023, 3, 25), ZURICH, 1),
        (date(2023, 3, 26), ZURICH, None),
        (date(2023, 3, 27), ZURICH, 2),
        (date(2023, 10, 29), ZURICH, None),
        # On 2 September 2023 the clock went from 24:00 on to 01:00: no minute of that day was doubtful.
        (date(2023, 9, 2), "America/Santiago", -4),
        (date(2023, 9, 3), "America/Santiago", None),
        # On 1 April 2023 it went from 24:00 back to 23:00, an hour that came twice.
        (date(2023, 4, 1), "America/Santiago", None),
        (date(2023, 4, 2), "America/Santiago", -4),
        # A day that Samoa left out.
        (date(2011, 12, 30), "Pacific/Apia", None),
        (date(9999, 12, 31), ZURICH, 1),
    ],
)
def test_a_day_has_one_offset_where_no_reading_of_it_is_doubtful(
    day: date, zone_name: str, hours: int | None
) -> None:
    assert offset_all_day(day, zone_name) == (None if hours is None else timedelta(hours=hours))


def test_floor_minute_drops_seconds() -> None:
    moment = datetime(2023, 8, 31, 19, 44, 59, 999_999, tzinfo=UTC)
    assert floor_minute(moment) == datetime(2023, 8, 31, 19, 44, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Sion", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises((ZoneInfoNotFoundError, ValueError)):
        zone(name)
