"""What names say: home, minute and window; odd names say nothing and stop nobody."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.domains.homes.bronze.names import (
    NameReader,
    SensorName,
    is_regular,
    name_patterns,
    read_sensor_name,
)
from domotic_assets.domains.weather.bronze import read_forecast_name
from domotic_assets.ingest.arrival import arrival, arrivals
from domotic_assets.localtime import candidates
from domotic_assets_tests.support.builders import registry

NAMES = NameReader(registry().home_of_user(), date(2023, 1, 1))
# 29 October 2023: the clock shows 02:30 at 00:30 and again at 01:30 UTC.
REPEATED = "29.10.2023 0230_JimmyLoup_received.json"
FIRST_PASS = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
SECOND_PASS = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
SOON = timedelta(seconds=5)


def possible(name: str, written: datetime) -> tuple[datetime, ...]:
    return NAMES.windows_listed(NAMES.read(name), written)


def said(
    name: str, written: datetime, unix_times: Sequence[float], inside: Sequence[datetime] = ()
) -> datetime | None:
    """The minute, if it is the name's."""
    place = NAMES.place(NAMES.read(name), written, unix_times, inside)
    return place.window if place is not None and place.source == "name" else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "31.08.2023 2144_JimmyLoup_received.json",
            SensorName("JimmyLoup", datetime(2023, 8, 31, 21, 44)),
        ),
        ("01.02.2023 0000_a_b c_received.json", SensorName("a_b c", datetime(2023, 2, 1))),
        ("32.13.2023 2561_JimmyLoup_received.json", SensorName("JimmyLoup", None)),
        ("29.02.2023 1200_JimmyLoup_received.json", SensorName("JimmyLoup", None)),
    ],
)
def test_a_name_is_taken_apart(name: str, expected: SensorName) -> None:
    assert read_sensor_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "readme.json",
        "31.08.2023 2144_JimmyLoup_received.json.tmp",
        "31.08.2023 2144__received.json",
        "31.08.2023 21:44_JimmyLoup_received.json",
        "2023-08-31 2144_JimmyLoup_received.json",
        " 31.08.2023 2144_JimmyLoup_received.json",
        "٣١.٠٨.2023 2144_JimmyLoup_received.json",
    ],
)
def test_any_other_name_is_foreign(name: str) -> None:
    arrived = datetime(2023, 8, 31, 19, 46, 59, tzinfo=UTC)
    assert read_sensor_name(name) is None
    assert NAMES.read(name).home is None
    assert said(name, arrived, []) is None
    assert possible(name, arrived) == (datetime(2023, 8, 31, 19, 46, tzinfo=UTC),)


@pytest.mark.rule(4)
@pytest.mark.rule(9)
@pytest.mark.parametrize("digits", ["01.01.0001 0000", "31.12.9999 2359", "00.00.0000 0000"])
def test_a_year_at_the_end_of_the_calendar_is_no_time(digits: str) -> None:
    arrived = datetime(2023, 8, 31, 19, 44, 5, tzinfo=UTC)
    name = f"{digits}_JimmyLoup_received.json"
    assert read_sensor_name(name) == SensorName("JimmyLoup", None)
    assert said(name, arrived, []) is None
    assert possible(name, arrived) == (datetime(2023, 8, 31, 19, 44, tzinfo=UTC),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Pred_2023-01-05.csv", date(2023, 1, 5)),
        ("Pred_2023-02-30.csv", None),
        ("Pred_2023-1-5.csv", None),
        ("pred_2023-01-05.csv", None),
        ("Pred_2023-01-05.csv.part", None),
    ],
)
def test_a_forecast_name_says_its_date_of_issue(name: str, expected: date | None) -> None:
    assert read_forecast_name(name) == expected


ANY_NAMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        ["31.08.2023 ", "29.10.2023 ", "26.03.2023 ", "01.01.2023 ", "31.02.2023 ", "31-08-2023 ", "٣", ""]
    ),
    st.sampled_from(["0000", "0230", "0330", "2359", "2400", "2561", "21:4", "+214", "٢١٤٤", "214", ""]),
    st.sampled_from(
        ["_JimmyLoup_received.json", "_JimmyLoup_received.JSON", "_JeremieVianin_received.json",
         "_A_received.json", ".json", ""]
    ),
)  # fmt: skip


@given(st.lists(ANY_NAMES, max_size=20))
def test_what_a_name_says_does_not_depend_on_the_names_read_before(names: list[str]) -> None:
    reader = NameReader(registry().home_of_user(), date(2023, 1, 1))
    for name in names:
        parsed = read_sensor_name(name)
        home = registry().home_of_user().get(parsed.user.casefold()) if parsed else None
        local = parsed.local if parsed and home else None
        moments = candidates(local, "Europe/Zurich") if local else ()
        assert reader.read(name) == (
            parsed.user if parsed else None,
            home,
            tuple(moment.utc for moment in moments),
            any(moment.note == "skipped_by_spring" for moment in moments),
        )


ARRIVED = st.sampled_from(
    [datetime(2023, 8, 31, 22, 1, tzinfo=UTC), datetime(2023, 8, 30, 21, 59, tzinfo=UTC)]
)


@given(st.lists(st.tuples(ANY_NAMES | st.none(), ARRIVED), max_size=20))
def test_a_plain_name_says_by_columns_what_it_says_by_itself(
    files: list[tuple[str | None, datetime]],
) -> None:
    names, arrived_at = zip(*files, strict=True) if files else ((), ())
    plain = NAMES.plain(
        pl.Series(names, dtype=pl.String), pl.Series(arrived_at, dtype=pl.Datetime("us", "UTC"))
    )
    assert plain.columns == ["home", "window"]
    for (name, arrived), (home, window) in zip(files, plain.iter_rows(), strict=True):
        if name is None:
            assert window is None
            continue
        named = NAMES.read(name)
        if window is not None:
            assert named.home is not None
            assert (home, (window,)) == (named.home.id, NAMES.windows_listed(named, arrived))
            assert NAMES.place(named, arrived) == (window, "name")
            assert is_regular(named, window)
        elif name.startswith("31.08.2023"):
            assert said(name, arrived, []) is None, "a day like others leaves nothing to a closer look"


def test_of_days_with_a_clock_change_and_of_the_first_of_the_history_no_name_is_plain() -> None:
    """Two passes, a skipped hour, and minutes that Zurich has before the history begins in UTC."""
    days = ["29.10.2023", "26.03.2023", "01.01.2023", "02.01.2023"]
    names = pl.Series([f"{day} 1200_JimmyLoup_received.json" for day in days])
    arrived_at = pl.Series([datetime(2023, 12, 1, tzinfo=UTC)] * 4).dt.cast_time_unit("us")
    assert NAMES.plain(names, arrived_at)["window"].to_list() == [
        None, None, None, datetime(2023, 1, 2, 11, tzinfo=UTC),
    ]  # fmt: skip


def test_a_name_is_read_on_the_clock_of_its_home() -> None:
    """Zurich is two hours ahead of UTC in August, one in January."""
    summer = said("31.08.2023 2144_JimmyLoup_received.json", datetime(2023, 9, 1, tzinfo=UTC), [])
    winter = said("31.01.2023 0030_JimmyLoup_received.json", datetime(2023, 9, 1, tzinfo=UTC), [])
    assert summer == datetime(2023, 8, 31, 19, 44, tzinfo=UTC)
    assert winter == datetime(2023, 1, 30, 23, 30, tzinfo=UTC)


def test_a_name_of_a_foreign_user_has_no_home_and_the_window_of_its_arrival() -> None:
    name, arrived = "31.08.2023 2144_Nobody_received.json", datetime(2023, 8, 31, 19, 46, 59, tzinfo=UTC)
    assert NAMES.read(name).home is None
    assert said(name, arrived, []) is None
    assert possible(name, arrived) == (datetime(2023, 8, 31, 19, 46, tzinfo=UTC),)


@pytest.mark.rule(2)
def test_a_name_of_the_repeated_hour_may_be_either_pass() -> None:
    assert possible(REPEATED, SECOND_PASS + SOON) == (FIRST_PASS, SECOND_PASS)


@pytest.mark.rule(4)
def test_a_name_is_not_believed_where_one_of_its_passes_is_not() -> None:
    """The second pass lies a minute more than 31 days after the last write, the first less than that."""
    written = SECOND_PASS - timedelta(days=31, minutes=1)
    assert possible(REPEATED, written) == (FIRST_PASS, SECOND_PASS, written)
    assert said(REPEATED, written, []) is None


@pytest.mark.rule(2)
@pytest.mark.parametrize("moment", [FIRST_PASS, SECOND_PASS])
def test_most_hints_tell_the_pass_whatever_the_arrival(moment: datetime) -> None:
    hints = [moment.timestamp() + 20] * 2
    for arrived in (FIRST_PASS + SOON, SECOND_PASS + SOON, SECOND_PASS + timedelta(days=3)):
        assert said(REPEATED, arrived, hints) == moment


@pytest.mark.rule(2)
@pytest.mark.parametrize("moment", [FIRST_PASS, SECOND_PASS])
def test_without_hints_the_arrival_tells_the_pass(moment: datetime) -> None:
    assert said(REPEATED, moment + SOON, []) == moment


@pytest.mark.rule(4)
def test_a_name_that_spring_skips_takes_the_offset_before_the_change() -> None:
    """26 March 2023, 02:30 was never shown; with winter's one hour it is 01:30 UTC."""
    name, arrived = "26.03.2023 0230_JimmyLoup_received.json", datetime(2023, 3, 26, 1, 30, 5, tzinfo=UTC)
    assert said(name, arrived, []) == datetime(2023, 3, 26, 1, 30, tzinfo=UTC)


@pytest.mark.rule(4)
@pytest.mark.parametrize("digits", ["01.01.1970 0000", "31.08.2099 2144"])
def test_a_name_that_is_not_believed_says_no_window(digits: str) -> None:
    minute = datetime(2023, 8, 31, 19, 44, tzinfo=UTC)
    name = f"{digits}_JimmyLoup_received.json"
    for inside in ([], [minute]):
        place = NAMES.place(NAMES.read(name), minute + SOON, [], inside)
        assert place == (minute, "arrival")
    assert possible(name, minute + SOON)[-1] == minute


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    ("written", "unix_times", "inside", "believed"),
    [
        (timedelta(seconds=5), [], [], True),
        (timedelta(days=-1), [], [], True),
        (timedelta(days=-1, microseconds=-1), [], [], True),
        (timedelta(days=-1, microseconds=-1), [-86_400], [], False),
        (timedelta(days=-1, microseconds=-1), [], [-86_400], False),
        (timedelta(days=-31), [], [], True),
        (timedelta(days=-31, microseconds=-1), [], [], False),
        (timedelta(days=-31, microseconds=-1), [0], [], True),
        (timedelta(days=-31, microseconds=-1), [6 * 3600], [], True),
        (timedelta(days=-31, microseconds=-1), [6 * 3600 + 1], [], False),
        (timedelta(days=-31, microseconds=-1), [], [0], True),
        (timedelta(days=-9), [], [-4 * 86_400], True),
        (timedelta(days=-9), [-9 * 86_400], [0], False),
        (timedelta(days=-9), [0, -9 * 86_400], [-9 * 86_400], True),
        (timedelta(days=4000), [], [], True),
        (timedelta(days=-9000), [], [], True),
        (timedelta(days=-9000), [-9000 * 86_400], [-9000 * 86_400], True),
    ],
    ids=[
        "prompt", "a day before", "more", "a unix time for the write", "the time inside for the write",
        "a month before", "more than a month", "with a unix time", "six hours off", "more than that",
        "with the time inside", "a time inside for neither", "one against two", "two against two",
        "a copy of years later", "a clock that was not set", "and neither was the sender's",
    ],
)  # fmt: skip
def test_a_name_gives_way_only_to_a_last_write_of_long_before_or_that_the_content_is_near(
    written: timedelta, unix_times: list[float], inside: list[float], believed: bool
) -> None:
    """All in days or seconds from the name."""
    at = datetime(2023, 8, 31, 19, 44, tzinfo=UTC)
    unix = [at.timestamp() + seconds for seconds in unix_times]
    meant = [at + timedelta(seconds=seconds) for seconds in inside]
    name = "31.08.2023 2144_JimmyLoup_received.json"
    assert said(name, at + written, unix, meant) == (at if believed else None)


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    ("written", "unix_times", "place"),
    [
        (datetime(2023, 8, 31, 19, 44, 5, tzinfo=UTC), True, "arrival"),
        (datetime(2099, 8, 31, 19, 44, 5, tzinfo=UTC), True, "inside"),
        (datetime(2099, 8, 31, 19, 44, 5, tzinfo=UTC), False, "arrival"),
        (datetime(2023, 8, 20, 19, 44, 5, tzinfo=UTC), True, "inside"),
        (datetime(1970, 1, 1, tzinfo=UTC), False, "inside"),
    ],
)
def test_without_a_name_the_last_write_counts_unless_what_is_inside_contradicts_it(
    written: datetime, unix_times: bool, place: str
) -> None:
    minute = datetime(2023, 8, 31, 19, 44, tzinfo=UTC)
    found = NAMES.place(NAMES.read("copy.json"), written, [minute.timestamp()] * unix_times, [minute])
    assert found == (minute if place == "inside" else written.replace(second=0), place)


def test_a_file_that_lies_nowhere_in_the_history_has_no_place() -> None:
    old = datetime(2019, 5, 1, tzinfo=UTC)
    assert NAMES.place(NAMES.read("settings.json"), old, [old.timestamp()], [old]) is None
    assert possible("settings.json", old) == ()


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    ("written", "is_believed"),
    [
        (datetime(2023, 9, 3, tzinfo=UTC), True),
        (datetime(2023, 9, 2, 23, 59, 59, 999_999, tzinfo=UTC), False),
        (datetime(2024, 9, 4, tzinfo=UTC), True),
        (datetime(2024, 9, 4, 0, 0, 0, 1, tzinfo=UTC), False),
        (datetime(2099, 1, 1, tzinfo=UTC), False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_last_write_that_is_no_arrival_gives_way_to_the_minute_of_the_file(
    written: datetime, is_believed: bool
) -> None:
    minute, start = datetime(2023, 9, 4, tzinfo=UTC), date(2023, 1, 1)
    expected = written if is_believed else minute
    assert arrival(written, minute, start) == expected
    column = pl.Series([minute, written], dtype=pl.Datetime("us", "UTC"))
    minutes = pl.Series([minute] * 2, dtype=pl.Datetime("us", "UTC"))
    assert arrivals(column, minutes, start).to_list() == [minute, expected]
    assert arrivals(column.clear(), minutes.clear(), start).to_list() == []


def test_a_file_is_before_the_history_if_name_and_last_write_say_so() -> None:
    old, new = datetime(2019, 5, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC)
    for digits, written, expected in (
        ("01.05.2019 0200", old, True),
        ("01.05.2019 0200", new, False),
        ("01.05.2023 0200", old, False),
        ("99.99.2019 0200", old, False),
    ):
        named = NAMES.read(f"{digits}_JimmyLoup_received.json")
        assert NAMES.is_before_history(named, written) is expected


@pytest.mark.parametrize(
    ("start", "length", "patterns"),
    [
        ("2023-09-04T10:03", timedelta(minutes=2), ["04.09.2023 120?_*"]),
        ("2023-09-04T10:09", timedelta(minutes=2), ["04.09.2023 12??_*"]),
        ("2023-09-04T09:59", timedelta(minutes=2), ["04.09.2023 115?_*", "04.09.2023 120?_*"]),
        ("2023-09-04T21:59", timedelta(minutes=2), ["04.09.2023 235?_*", "05.09.2023 000?_*"]),
        ("2023-09-04T22:00", timedelta(days=1), ["05.09.2023 *"]),
        ("2023-09-04T00:00", timedelta(days=1), ["04.09.2023 *", "05.09.2023 *"]),
        ("2023-09-04T01:00", timedelta(hours=12), ["04.09.2023 *"]),
        (
            "2023-09-04T01:00",
            timedelta(hours=11, minutes=59),
            [f"04.09.2023 {hour:02d}??_*" for hour in range(3, 15)],
        ),
        # Both passes of the repeated hour stand under the same names.
        ("2023-10-29T00:30", timedelta(hours=1), ["29.10.2023 02??_*"]),
    ],
    ids=[
        "ten minutes",
        "two tens of an hour",
        "two hours",
        "two days",
        "a day",
        "a UTC day",
        "half a day",
        "not quite half a day",
        "autumn",
    ],
)
def test_patterns_are_as_few_as_hold_the_names_of_a_span(
    start: str, length: timedelta, patterns: list[str]
) -> None:
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert name_patterns([(first, first + length)], ["Europe/Zurich"]) == patterns


@given(
    minutes=st.integers(0, 3 * 366 * 1440),
    length=st.integers(1, 3000),
    place=st.integers(0, 2999),
    clock=st.sampled_from(["Europe/Zurich", "UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]),
)
def test_the_name_of_every_minute_of_a_span_matches_a_pattern(
    minutes: int, length: int, place: int, clock: str
) -> None:
    start = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    patterns = name_patterns([(start, start + timedelta(minutes=length))], [clock])
    minute = start + timedelta(minutes=place % length)
    name = f"{minute.astimezone(ZoneInfo(clock)):%d.%m.%Y %H%M}_JimmyLoup_received.json"
    assert any(fnmatchcase(name, pattern) for pattern in patterns)


@pytest.mark.parametrize(
    ("name", "window", "regular"),
    [
        ("04.09.2023 1203_JimmyLoup_received.json", datetime(2023, 9, 4, 10, 3, tzinfo=UTC), True),
        (REPEATED, FIRST_PASS, True),
        (REPEATED, SECOND_PASS, True),
        # On 26 March 2023 no clock showed 02:30; the window is 01:30 UTC, which clocks showed as 03:30.
        ("26.03.2023 0230_JimmyLoup_received.json", datetime(2023, 3, 26, 1, 30, tzinfo=UTC), False),
        ("backup of jimmy.json", datetime(2023, 9, 4, 10, 3, tzinfo=UTC), False),
        ("04.09.2023 1203_Stranger_received.json", datetime(2023, 9, 4, 10, 3, tzinfo=UTC), False),
    ],
)
def test_a_name_is_regular_where_its_window_s_patterns_show_it(
    name: str, window: datetime, regular: bool
) -> None:
    assert is_regular(NAMES.read(name), window) is regular
