"""Landing: exact bytes, whose they are, which window, and whether they are new."""

import hashlib
import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.domains.homes.bronze.landing import Landing, outcomes_text
from domotic_assets.domains.homes.silver.flatten import flatten
from domotic_assets.domains.weather.bronze import land_forecasts
from domotic_assets.ingest.files import File, identify, versions
from domotic_assets.localtime import moment_of
from domotic_assets.schemas.homes.bronze import SENSOR_FILES
from domotic_assets.schemas.weather import WEATHER_FILES
from domotic_assets_tests.support.builders import (
    REGISTRY,
    SAMPLE_TIME,
    ShareFile,
    name_of,
    payload,
    registry,
    share_file,
    to_bytes,
)
from domotic_assets_tests.support.sensor_path import NOTHING_HELD, NOW, as_file

FIRST_PASS = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
SECOND_PASS = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)


def land(*files: ShareFile, text: str = REGISTRY) -> tuple[pl.DataFrame, dict[str, int]]:
    landed = Landing(registry(text), NOTHING_HELD, NOW).land(map(as_file, files))
    return landed.rows, dict(landed.counts)


def test_bytes_land_unchanged_with_home_and_window() -> None:
    content = b"\xef\xbb\xbf{ not even JSON \xff\0"
    rows, counts = land(share_file(content=content))
    assert counts == {"landed": 1}
    assert rows.schema == SENSOR_FILES.schema
    row = rows.row(0, named=True)
    assert row["content"] == content
    assert (row["home"], row["window"], row["window_source"]) == ("jimmy", SAMPLE_TIME, "name")
    assert (row["utc_date"], row["arrived_at"]) == (date(2023, 8, 31), SAMPLE_TIME + timedelta(seconds=5))


def test_a_file_id_is_the_hash_of_source_name_and_bytes() -> None:
    name, content = name_of(), b"{}"
    expected = hashlib.sha256(b"sensor_files\0" + name.encode() + b"\0{}").hexdigest()[:32]
    assert identify("sensor_files", name, content) == expected
    assert (
        len({expected, identify("weather_files", name, content), identify("sensor_files", "a", content)}) == 3
    )


@pytest.mark.rule(6)
def test_the_same_bytes_again_are_seen_and_not_kept_twice() -> None:
    first = share_file()
    again = share_file(arrived_at=first.arrived_at + timedelta(minutes=9))
    rows, counts = land(first, again)
    assert counts == {"landed": 1, "seen again": 1}
    assert rows["content"].to_list() == [first.content, None]
    folded = versions(rows).row(0, named=True)
    assert (folded["content"], folded["arrived_at"]) == (first.content, again.arrived_at)


@pytest.mark.rule(6)
def test_a_changed_resend_lands_as_a_later_version() -> None:
    first = share_file()
    resend = share_file(arrived_at=first.arrived_at + timedelta(minutes=9), motions=None)
    rows, counts = land(first, resend)
    assert counts == {"landed": 2}
    assert rows["content"].to_list() == [first.content, resend.content]
    assert rows["window"].to_list() == [SAMPLE_TIME] * 2
    assert versions(rows).height == 2


@pytest.mark.rule(6)
@pytest.mark.parametrize("shift", [timedelta(0), timedelta(hours=-1)])
def test_a_later_landing_never_arrives_before_the_version_it_follows(shift: timedelta) -> None:
    first = share_file()
    rows, _ = land(first, share_file(arrived_at=first.arrived_at + shift, motions=None))
    assert rows["arrived_at"].to_list() == [
        first.arrived_at,
        first.arrived_at + timedelta(microseconds=1),
    ]
    assert rows["modified_at"].to_list() == [first.arrived_at, first.arrived_at + shift]


@pytest.mark.rule(6)
def test_what_bronze_holds_is_known_to_the_next_landing() -> None:
    first = share_file()
    held, _ = land(first)
    landing = Landing(registry(), held.select(NOTHING_HELD.columns), NOW)
    later = landing.land([as_file(first), as_file(share_file(motions=None))])
    assert dict(later.counts) == {"seen again": 1, "landed": 1}
    assert [content is None for content in later.rows["content"]] == [True, False]
    assert (later.rows["arrived_at"] > held["arrived_at"][0]).all()


@pytest.mark.rule(6)
def test_of_the_versions_that_bronze_holds_the_one_that_arrived_last_is_followed() -> None:
    """Whatever the order in which they are read; an earlier one that comes back is a new version again."""
    first = share_file()
    resend = share_file(arrived_at=first.arrived_at + timedelta(minutes=9), motions=None)
    held = land(first, resend)[0].select(NOTHING_HELD.columns)
    for rows in (held, held.reverse()):
        assert dict(Landing(registry(), rows, NOW).land([as_file(resend)]).counts) == {"seen again": 1}
        back = Landing(registry(), rows, NOW).land([as_file(first)])
        assert dict(back.counts) == {"landed": 1}
        assert back.rows["arrived_at"].to_list() == [resend.arrived_at + timedelta(microseconds=1)]


SENDINGS = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from([b"a", b"b"]), st.integers(0, 3)), max_size=9
)


@pytest.mark.rule(6)
@given(sendings=SENDINGS, cuts=st.sets(st.integers(0, 9)), fresh=st.sets(st.integers(0, 9)))
def test_versions_follow_each_other_however_their_files_are_cut_into_batches(
    sendings: list[tuple[int, bytes, int]], cuts: set[int], fresh: set[int]
) -> None:
    """Against one version after the other; at some cuts a landing starts that knows bronze alone."""
    names = [name_of(), name_of("jeremie")]
    arrived, seen, expected = {}, {}, []
    for number, content, late in sendings:
        at = SAMPLE_TIME + timedelta(microseconds=late)
        if number in arrived:
            at = max(at, arrived[number][0] + timedelta(microseconds=1))
        again = number in arrived and arrived[number][1] == content
        bytes_kept = None if content in seen.setdefault(number, set()) else content
        seen[number].add(content)
        arrived[number] = (at, content)
        expected.append((names[number], at, bytes_kept, again))
    bronze, seen_again = SENSOR_FILES.empty(), 0
    landing = Landing(registry(), bronze, NOW)
    edges = sorted({0, len(sendings), *(cut for cut in cuts if cut < len(sendings))})
    for first, last in pairwise(edges):
        if first in fresh:
            landing = Landing(registry(), bronze, NOW)
        files = [
            File(names[number], 1, SAMPLE_TIME + timedelta(microseconds=late), content)
            for number, content, late in sendings[first:last]
        ]
        landed = landing.land(files)
        bronze = pl.concat([bronze, landed.rows])
        seen_again += landed.counts["seen again"]
        assert landed.counts.total() == len(files)
    assert list(bronze.select("name", "arrived_at", "content").iter_rows()) == [row[:3] for row in expected]
    assert seen_again == sum(again for *_, again in expected)


KINDS = [
    (name_of(), b"1"),
    (name_of("jeremie"), b"2"),
    ("29.10.2023 0230_JimmyLoup_received.json", b'{"timePlug": 1698543020}'),
    ("backup.json", b'{"user": "JimmyLoup"}'),
    ("strange.json", b"{}"),
    ("backup of another.json", b'{"user": "Nobody"}'),
    ("31.08.2023 2144_Nobody_received.json", b"3"),
    ("Thumbs.db", b""),
    (os.fsdecode(b"caf\xe9.json"), b""),
]
"""Names that are plain, that need a look inside, and that are no home's."""
HOMES = registry()


@given(st.lists(st.sampled_from(KINDS), max_size=9, unique=True))
def test_files_together_land_as_each_by_itself(kinds: list[tuple[str, bytes]]) -> None:
    files = [File(name, len(content), SAMPLE_TIME, content) for name, content in kinds]
    together = Landing(HOMES, NOTHING_HELD, NOW).land(files)
    apart = [Landing(HOMES, NOTHING_HELD, NOW).land([file]) for file in files]
    assert together.rows.rows() == [row for landed in apart for row in landed.rows.rows()]
    assert together.counts == sum((landed.counts for landed in apart), Counter())


def test_each_kind_of_name_lands_as_whose_it_is() -> None:
    landed = Landing(registry(), NOTHING_HELD, NOW).land(
        [File(name, len(content), SAMPLE_TIME, content) for name, content in KINDS]
    )
    assert landed.counts == {"landed": 5, "foreign user": 2, "foreign name": 2}
    assert landed.rows.select("home", "window", "window_source").rows() == [
        ("jimmy", SAMPLE_TIME, "name"),
        ("jeremie", SAMPLE_TIME, "name"),
        ("jimmy", datetime(2023, 10, 29, 1, 30, tzinfo=UTC), "name"),
        ("jimmy", SAMPLE_TIME, "arrival"),
        (None, SAMPLE_TIME, "arrival"),
    ]


@pytest.mark.rule(6)
def test_a_version_has_its_bytes_and_latest_arrival_whichever_row_holds_them() -> None:
    first = share_file()
    rows, _ = land(first, share_file(arrived_at=first.arrived_at + timedelta(minutes=9)))
    bytes_later = rows.with_columns(content=pl.Series([None, first.content]))
    for seen in (rows, rows.reverse(), bytes_later, bytes_later.reverse()):
        folded = versions(seen).row(0, named=True)
        assert (folded["content"], folded["arrived_at"]) == (first.content, rows["arrived_at"].max())


@pytest.mark.rule(2)
@pytest.mark.parametrize("late", [timedelta(seconds=5), timedelta(days=2)])
def test_both_passes_of_the_autumn_hour_land_by_their_unix_times(late: timedelta) -> None:
    """One name, two files; the unix times inside tell them apart, also when both come late."""
    files = [share_file(at=at, arrived_at=SECOND_PASS + late) for at in (FIRST_PASS, SECOND_PASS)]
    assert files[0].name == files[1].name
    rows, counts = land(*files)
    assert counts == {"landed": 2}
    assert rows["window"].to_list() == [FIRST_PASS, SECOND_PASS]
    # The second pass is no resend of the first: its time of arrival is its own.
    assert rows["arrived_at"].to_list() == [SECOND_PASS + late] * 2


@pytest.mark.rule(2)
def test_without_unix_times_the_arrival_tells_the_pass() -> None:
    rows, _ = land(*(share_file(at=at, plugs=None, consumptions=None) for at in (FIRST_PASS, SECOND_PASS)))
    assert rows["window"].to_list() == [FIRST_PASS, SECOND_PASS]


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    "digits", ["32.13.2023 2561", "01.01.1970 0000", "31.08.2099 2144", "01.01.0001 0000"]
)
def test_a_name_without_a_readable_time_has_the_window_of_its_arrival(digits: str) -> None:
    name = f"{digits}_JimmyLoup_received.json"
    rows, counts = land(ShareFile(name, b"{}", SAMPLE_TIME + timedelta(seconds=59)))
    assert counts == {"landed": 1}
    assert rows.select("window", "window_source", "home").row(0) == (SAMPLE_TIME, "arrival", "jimmy")


@pytest.mark.rule(5)
def test_foreign_users_and_foreign_names_are_counted_and_not_landed() -> None:
    arrived = SAMPLE_TIME + timedelta(seconds=5)
    body = to_bytes(payload(user="Nobody"))
    rows, counts = land(
        ShareFile("31.08.2023 2144_Nobody_received.json", body, arrived),
        ShareFile("31.08.2023 2145_Nobody_received.json", to_bytes(payload()), arrived),
        ShareFile("copy.json", body, arrived),
        ShareFile("Thumbs.db", b"", arrived),
        ShareFile("31.08.2023 2144_JimmyLoup_received.tmp", to_bytes(payload()), arrived),
    )
    assert rows.is_empty()
    assert counts == {"foreign user": 3, "foreign name": 2}


@pytest.mark.rule(9)
def test_a_name_that_is_not_utf_8_is_counted_and_stops_no_batch() -> None:
    name = os.fsdecode(b"31.08.2023 2144_Jimmy\xff_received.json")
    rows, counts = land(ShareFile(name, b"{}", SAMPLE_TIME), share_file())
    assert counts == {"foreign name": 1, "landed": 1}
    assert rows["home"].to_list() == ["jimmy"]


@pytest.mark.rule(5)
def test_a_user_loads_when_an_entry_appears() -> None:
    only_jimmy = REGISTRY[: REGISTRY.index("  - id: jeremie")] + REGISTRY[REGISTRY.index("people:") :]
    only_jimmy = only_jimmy.replace("  - {user: u-1002, role: owner, homes: [jeremie]}\n", "")
    file = share_file("jeremie")
    assert land(file, text=only_jimmy)[1] == {"foreign user": 1}
    rows, counts = land(file)
    assert counts == {"landed": 1}
    assert rows["home"].to_list() == ["jeremie"]


def test_a_foreign_json_name_belongs_to_the_user_inside() -> None:
    rows, counts = land(ShareFile("copy of it.json", to_bytes(payload("jeremie")), SAMPLE_TIME))
    assert counts == {"landed": 1}
    assert rows.select("home", "window", "window_source").row(0) == ("jeremie", SAMPLE_TIME, "arrival")


def test_a_foreign_json_name_with_no_user_inside_lands_without_a_home() -> None:
    rows, counts = land(ShareFile("odd.json", b"[]", SAMPLE_TIME))
    assert counts == {"landed": 1}
    assert rows["home"].to_list() == [None]


@pytest.mark.rule(4)
@pytest.mark.parametrize("year", [1970, 1980, 2022, 2099])
def test_a_last_write_that_contradicts_the_name_is_kept_and_not_believed(year: int) -> None:
    written = datetime(year, 1, 1, tzinfo=UTC)
    rows, _ = land(share_file(arrived_at=written))
    assert rows.select("arrived_at", "modified_at").row(0) == (SAMPLE_TIME, written)
    assert rows["window"].to_list() == [SAMPLE_TIME]


YEAR_10000_US = 253_402_300_800_000_000


@pytest.mark.rule(4)
@pytest.mark.parametrize("unix_us", [YEAR_10000_US + 5, -YEAR_10000_US, 2**63 - 1, 1])
def test_a_last_write_that_no_date_can_hold_is_kept_exactly(unix_us: int) -> None:
    file = File(name_of(), 9, moment_of(unix_us), to_bytes(payload()))
    rows = Landing(registry(), NOTHING_HELD, NOW).land([file]).rows
    assert rows["modified_at"].to_physical().to_list() == [unix_us]
    assert rows["arrived_at"].to_list() == [SAMPLE_TIME]
    assert flatten(versions(rows), registry()).files["minute"].to_list() == [SAMPLE_TIME]


@pytest.mark.rule(4)
def test_what_lands_does_not_depend_on_the_machine_s_clock_but_a_file_of_the_future_waits() -> None:
    files = [
        *map(as_file, (share_file(), share_file("jeremie", arrived_at=datetime(1970, 1, 1, tzinfo=UTC)))),
        as_file(ShareFile("copy.json", to_bytes(payload()), SAMPLE_TIME)),
    ]
    years = (SAMPLE_TIME.replace(year=2000 + year) for year in (22, 23, 24, 77))
    early, *right = (Landing(registry(), NOTHING_HELD, now).land(files) for now in years)
    assert (early.rows.height, dict(early.counts)) == (0, {"in the future": 3})
    assert all(landed.rows.equals(right[0].rows) for landed in right)
    assert right[0].rows.height == 3


def test_forecasts_land_by_their_date_of_issue() -> None:
    arrived = datetime(2023, 1, 5, 7, tzinfo=UTC)
    files = [
        File("Pred_2023-01-05.csv", 1, arrived, b"a"),
        File("Pred_2023-01-05.csv", 1, arrived, b"a"),
        File("Pred_2023-01-05.csv", 1, arrived, b"b"),
        File("notes.csv", 1, arrived, b"c"),
    ]
    landed = land_forecasts(
        files, WEATHER_FILES.empty().select("name", "file_id", "arrived_at"), date(2023, 1, 1)
    )
    assert dict(landed.counts) == {"landed": 2, "seen again": 1, "foreign name": 1}
    assert landed.rows["content"].to_list() == [b"a", None, b"b"]
    assert set(landed.rows["utc_date"]) == {date(2023, 1, 5)}
    assert landed.rows["arrived_at"].is_unique().all()
    assert set(versions(landed.rows)["content"]) == {b"a", b"b"}


def test_outcomes_are_said_in_words() -> None:
    assert outcomes_text({"seen again": 1, "landed": 1234}) == "1,234 landed, 1 seen again"
    assert outcomes_text({}) == "nothing"
