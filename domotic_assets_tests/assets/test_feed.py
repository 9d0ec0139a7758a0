"""The live feed by its own sensors: whatever comes, and whenever, reaches its window, its day and Gold."""

import copy
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.homes.flows import arrivals, reading
from domotic_assets.flow import flow
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import ops_assets, tags
from domotic_assets.orchestration.build import build
from domotic_assets.schemas import ALL_TABLES, gold
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.table import Cadence, surrogate_key
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.feed import Feed, Run
from domotic_assets_tests.support.lakes import assert_same, contents, leave_unpublished, open_lake

TODAY = datetime(2023, 9, 5, tzinfo=UTC)
"""A day without a change of clocks; the homes' clocks show two hours more."""

MINUTE = timedelta(minutes=1)

MINUTE_TABLES = [table for table in ALL_TABLES.values() if table.cadence is Cadence.MINUTE]


def at(text: str, day: datetime = TODAY) -> datetime:
    """`08:30` or `08:30:05` of a day, UTC."""
    parts = [int(part) for part in text.split(":")] + [0]
    return day + timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2])


def minute_file(minute: datetime, **more: Any) -> builders.ShareFile:
    """Jimmy's file of a minute; its office plug has counted 2 Wh a minute since midnight."""
    total = 81_983 + 2 * ((minute - TODAY) // MINUTE)
    sections = {"plugs": {"Office": builders.plug(minute, total=total)}}
    return builders.share_file("jimmy", minute, **sections | more)


def minute_files(first: str, number: int, *, but: Sequence[str] = ()) -> list[builders.ShareFile]:
    """Files of minutes in a row, but for some."""
    missing = {at(text) for text in but}
    minutes = (at(first) + n * MINUTE for n in range(number))
    return [minute_file(minute) for minute in minutes if minute not in missing]


class Household:
    """A share, a lake, and the feed between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = open_lake(builders.write_sites(folder), folder / "lake")
        write_register(folder / "register.sqlite", 1, self.work.registry.homes, TODAY)
        self.feed = Feed(self.work)

    def deliver(self, *files: builders.ShareFile) -> None:
        """Put files on the share; one of the same name is written over."""
        builders.write_share(self.folder / "share", files)

    def tick(self, now: datetime) -> list[Run]:
        """The runs of windows that the arrivals of a moment lead to."""
        ran = self.feed.tick(now, "arrivals")
        return [run for run in ran if run.job == tags.WINDOWS_JOB]

    def windows(self, now: datetime) -> list[tuple[str, ...]]:
        """The windows of these runs, all of which succeed."""
        ran = self.tick(now)
        assert all(run.success for run in ran)
        return [run.keys for run in ran]

    def reopen(self) -> None:
        """What a restart does after sites.yaml was changed."""
        self.feed.close()
        self.work = open_lake(self.folder / "sites.yaml", self.folder / "lake")
        self.feed = Feed(self.work, self.feed.instance)

    def built_from_nothing(self) -> Workspace:
        """Another lake, built at once of what lies on the share now."""
        other = open_lake(self.folder / "sites.yaml", self.folder / "other")
        build(other)
        return other

    def energy(self, device: str = "jimmy/office/plugs/1") -> dict[str, float | None]:
        """Wh of each minute of a device in Gold, by the minute's time of day."""
        return self._measure(homes_gold.FACT_ENERGY_MINUTE, "energy_wh", device)

    def power(self, device: str = "jimmy/office/plugs/1") -> dict[str, float | None]:
        """W of each minute of a device in Gold, by the minute's time of day."""
        return self._measure(homes_gold.FACT_ENERGY_MINUTE, "power_w", device)

    def _measure(self, table: Any, measure: str, device: str) -> dict[str, float | None]:
        rows = self.work.lake.read(table).filter(device_key=surrogate_key(device)).sort("datetime_key")
        times = [f"{key // 100 % 100:02d}:{key % 100:02d}" for key in rows["datetime_key"]]
        return dict(zip(times, rows[measure], strict=True))

    def files(self, *columns: str) -> list[tuple[Any, ...]]:
        """Columns of silver/sensor_files, in order of arrival."""
        return self.work.lake.read(silver.SENSOR_FILES).sort("arrived_at").select(columns).rows()


@pytest.fixture
def household(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    """A home that has sent its files from 09:00 to 09:04, but for 09:02; they are in Gold."""
    leave_unpublished(monkeypatch)
    found = Household(tmp_path)
    found.deliver(*minute_files("09:00", 5, but=["09:02"]))
    assert found.windows(at("09:05:10")) == [
        ("2023-09-05T09:00", "2023-09-05T09:01", "2023-09-05T09:03", "2023-09-05T09:04")
    ]
    yield found
    found.feed.close()


def test_a_minute_is_carried_when_it_comes_and_nothing_is_asked_for_before(household: Household) -> None:
    assert household.windows(at("09:05:15")) == []
    household.deliver(minute_file(at("09:05")))
    assert household.windows(at("09:06:10")) == [("2023-09-05T09:05",)]
    assert household.windows(at("09:06:15")) == []
    # Hand-computed: 2 Wh a minute; 09:03 comes two minutes after the reading before it.
    assert household.energy() == {"09:00": 0, "09:01": 2, "09:03": 4, "09:04": 2, "09:05": 2}


@pytest.mark.rule(6)
def test_a_late_file_of_today_goes_to_its_minute(household: Household) -> None:
    household.deliver(minute_file(at("09:02"), arrived_at=at("09:08")))
    assert household.windows(at("09:08:10")) == [("2023-09-05T09:02",)]
    assert household.energy() == {"09:00": 0, "09:01": 2, "09:02": 2, "09:03": 2, "09:04": 2}


@pytest.mark.rule(6)
def test_a_file_later_than_the_names_that_are_looked_for_is_found_by_the_hourly_listing(
    household: Household,
) -> None:
    household.windows(at("09:40"))
    household.deliver(minute_file(at("08:30"), arrived_at=at("09:50")))
    assert [household.windows(at(text)) for text in ("09:50:10", "10:05:09")] == [[], []]
    assert household.windows(at("10:05:11")) == [("2023-09-05T08:30",)]
    # 09:00 is no longer the first reading: it comes 30 minutes after it.
    assert household.energy() == {"08:30": 0, "09:00": 60, "09:01": 2, "09:03": 4, "09:04": 2}


@pytest.mark.rule(6)
def test_a_resend_with_changed_content_replaces_its_minute(household: Household) -> None:
    changed = {"Office": builders.plug(at("09:01"), total=81_983 + 2 * 541 + 1, power=99.5)}
    household.deliver(minute_file(at("09:01"), arrived_at=at("09:06"), plugs=changed))
    assert household.windows(at("09:06:10")) == [("2023-09-05T09:01",)]
    # Its counter stands 1 Wh higher: that Wh moves from 09:03 to 09:01.
    assert household.energy() == {"09:00": 0, "09:01": 3, "09:03": 3, "09:04": 2}
    assert household.power()["09:01"] == 99.5
    statuses = household.files("status")
    assert sorted(statuses) == [*[("loaded",)] * 4, ("superseded",)]


@pytest.mark.rule(5, 6)
def test_a_truncated_file_is_quarantined_and_loads_once_it_is_completed(household: Household) -> None:
    whole = minute_file(at("09:05"))
    household.deliver(builders.ShareFile(whole.name, whole.content[:300], whole.arrived_at))
    assert household.windows(at("09:06:10")) == [("2023-09-05T09:05",)]
    assert household.files("status")[-1] == ("quarantined",)
    assert "09:05" not in household.energy()
    household.deliver(builders.ShareFile(whole.name, whole.content, at("09:06:30")))
    assert household.windows(at("09:07:10")) == [("2023-09-05T09:05",)]
    assert household.files("status")[-1] == ("loaded",)
    assert household.energy()["09:05"] == 2


@pytest.mark.rule(6)
def test_a_duplicate_changes_nothing_and_is_looked_at_once(household: Household) -> None:
    before = contents(household.work, gold.MINUTE_FACTS)
    household.deliver(minute_file(at("09:04"), arrived_at=at("09:07")))
    household.windows(at("09:07:10"))
    assert household.windows(at("09:08:10")) == []
    assert_same(contents(household.work, gold.MINUTE_FACTS), before)
    held = household.work.lake.read(bronze.SENSOR_FILES).filter(name=builders.name_of("jimmy", at("09:04")))
    assert held["content"].null_count() == held.height - 1, "the bytes are held once"
    assert household.files("status") == [("loaded",)] * 4


STRANGER = "NoBodyKnown"


@pytest.mark.rule(5)
def test_foreign_files_are_counted_and_load_when_their_home_has_an_entry(household: Household) -> None:
    minute = at("09:06")
    content = builders.to_bytes(builders.payload(at=minute, user=STRANGER))
    name = builders.file_name(STRANGER, builders.on_clock(minute))
    arrived_at = minute + timedelta(seconds=5)
    household.deliver(
        builders.ShareFile(name, content, arrived_at),
        builders.ShareFile("notes.txt", b"milk", arrived_at),
        minute_file(minute),
    )
    assert household.windows(at("09:07:10")) == [("2023-09-05T09:06",)]
    # The hourly listing looks at all names of the last days, and at theirs only; the nightly at all.
    assert [household.windows(at(text)) for text in ("10:07", "24:00:10")] == [[], []]
    assert household.work.lake.read(bronze.SENSOR_FILES).height == 5
    listing = household.feed.instance.get_latest_materialization_event(ops_assets.SHARE_LISTING)
    assert listing is not None
    metadata = listing.asset_materialization.metadata
    assert (metadata["left: foreign user"].value, metadata["left: foreign name"].value) == (1, 1)
    entry = f"  - {{id: third, name: Third, building_name: C, floor: 0, feed_user: {STRANGER}}}\npeople:"
    builders.write_sites(household.folder, builders.REGISTRY.replace("people:", entry))
    household.reopen()
    assert household.windows(at("25:00:20")) == [("2023-09-05T09:06",)]
    homes = household.work.lake.read(silver.SENSOR_FILES).filter(window=minute)["home"]
    assert sorted(homes) == ["jimmy", "third"]
    assert household.work.lake.read(bronze.SENSOR_FILES).height == 6


@pytest.mark.rule(4)
def test_a_file_of_ours_without_a_name_goes_to_the_window_of_its_arrival(household: Household) -> None:
    """The readings keep the minute that stands inside; a name that says nothing shows in a whole listing."""
    inside = minute_file(at("08:30"))
    household.deliver(builders.ShareFile("backup 1.json", inside.content, at("09:10:20")))
    assert household.windows(at("10:10")) == []
    (run,) = household.tick(at("24:00:10"))
    assert run.keys == ("2023-09-05T09:10",)
    assert tags.LISTING not in run.tags, "its landing has to list the whole share, too"
    assert household.files("window", "minute")[-1] == (at("09:10"), at("08:30"))
    # 09:00 is now the second reading: 30 minutes after the first.
    assert household.energy() == {"08:30": 0, "09:00": 60, "09:01": 2, "09:03": 4, "09:04": 2}


def test_a_half_written_file_is_left_until_it_is_stable(household: Household) -> None:
    whole = minute_file(at("09:05"))
    half = builders.ShareFile(whole.name, whole.content[:300], at("09:06:09"))
    household.deliver(half)
    assert household.windows(at("09:06:10")) == []
    household.deliver(builders.ShareFile(whole.name, whole.content, at("09:06:14")))
    assert household.windows(at("09:06:15")) == []
    assert household.windows(at("09:06:20")) == [("2023-09-05T09:05",)]
    assert household.files("status") == [("loaded",)] * 5, "what was half written never was read"


def data_files(work: Workspace, day: date) -> dict[str, int]:
    """Number of data files of a UTC date, by table."""
    return {
        table.id: sum(f"utc_date={day}" in file for file in work.lake.files(table)) for table in MINUTE_TABLES
    }


def test_a_day_is_sealed_six_hours_after_its_end_once_it_was_quiet(household: Household) -> None:
    household.deliver(*minute_files("10:00", 12), minute_file(at("12:00")))
    assert household.windows(at("12:01:10")) == [("2023-09-05T10", "2023-09-05T12:00")]
    assert household.windows(at("28:35")) == [], "quiet for long, and over for four hours"
    household.deliver(minute_file(at("12:05"), arrived_at=at("29:30")))
    # Found by the hourly listing; half an hour before the seal would be due: it waits for an hour of quiet.
    assert household.windows(at("29:40")) == [("2023-09-05T12:05",)]
    assert household.windows(at("30:10")) == []
    before = contents(household.work, MINUTE_TABLES[1:])
    assert max(data_files(household.work, TODAY.date()).values()) > 1
    assert household.windows(at("30:30:10")) == [("2023-09-05",)]
    assert household.feed.keys == ["2023-09-05"]
    for table in MINUTE_TABLES:
        assert household.feed.materialized(table) == {"2023-09-05"}
    files = data_files(household.work, TODAY.date())
    assert {table: number for table, number in files.items() if number > 1} == {}
    assert files[homes_gold.FACT_ENERGY_MINUTE.id] == 1
    assert_same(contents(household.work, MINUTE_TABLES[1:]), before)
    assert household.windows(at("30:31")) == []


@pytest.mark.rule(6)
def test_a_late_file_of_a_sealed_day_goes_to_its_day_and_corrects_it(household: Household) -> None:
    assert household.windows(at("30:01")) == [("2023-09-05",)]
    household.deliver(minute_file(at("09:02"), arrived_at=at("31:10")))
    assert household.windows(at("31:11")) == [("2023-09-05",)]
    assert household.feed.keys == ["2023-09-05"]
    assert household.energy() == {"09:00": 0, "09:01": 2, "09:02": 2, "09:03": 2, "09:04": 2}
    household.feed.tick(at("32:20"))
    assert household.feed.tick(at("32:30")) == []
    assert_same(contents(household.work), contents(household.built_from_nothing()))


def test_a_window_that_fails_is_asked_for_again_and_holds_up_no_new_minute(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = at("09:06")
    flatten = reading.flatten_sensor_files

    def failing(work: Workspace, windows: Sequence[Window]) -> flow.Outcome:
        if any(window.start <= broken < window.end for window in windows):
            raise RuntimeError("a step that fails")
        return flatten(work, windows)

    monkeypatch.setattr(reading, "flatten_sensor_files", failing)
    household.deliver(*minute_files("09:05", 2))
    (both,) = household.tick(at("09:07:10"))
    assert (both.keys, both.success) == (("2023-09-05T09:05", "2023-09-05T09:06"), False)
    assert household.tick(at("09:07:20")) == [], "it is left alone for 15 seconds"
    household.deliver(minute_file(at("09:07")))
    ran = household.tick(at("09:08:10"))
    assert [(run.keys, run.success) for run in ran] == [
        (("2023-09-05T09:07",), True),
        (("2023-09-05T09:05",), True),
        (("2023-09-05T09:06",), False),
    ]
    assert list(household.energy()) == ["09:00", "09:01", "09:03", "09:04", "09:05", "09:07"]
    monkeypatch.setattr(reading, "flatten_sensor_files", flatten)
    assert household.windows(at("09:08:39")) == [], "30 seconds after the second attempt"
    assert household.windows(at("09:08:40")) == [("2023-09-05T09:06",)]
    assert household.energy()["09:06"] == household.energy()["09:07"] == 2
    assert household.work.worklist.read().windows == {}


def test_the_share_is_not_listed_while_nothing_is_due(household: Household) -> None:
    asked: list[Sequence[str]] = []
    share = household.work.folder("sensor_files")
    listing: Callable[..., pl.DataFrame] = share.listing

    def counted(patterns: Sequence[str] = ("*",)) -> pl.DataFrame:
        asked.append(copy.copy(patterns))
        return listing(patterns)

    share.listing = counted  # type: ignore[method-assign]

    def asked_at(text: str) -> int:
        before = len(asked)
        arrivals.look(household.work, household.feed.keys, at(text))
        return len(asked) - before

    # The minute of 09:05 is over and has not come: it is looked for at every tick.
    assert [asked_at(f"09:05:{seconds}") for seconds in (20, 25, 30)] == [1, 1, 1]
    household.deliver(minute_file(at("09:05")))
    household.windows(at("09:05:40"))
    # Both the present minute and the one before are here: nothing to look for, until the next minute.
    assert [asked_at(f"09:05:{seconds}") for seconds in (45, 50, 55)] == [0, 0, 0]
    assert asked_at("09:06:15") == 1
    assert all(len(patterns) <= 2 and "*" not in patterns for patterns in asked), asked


@pytest.mark.rule(2)
def test_both_passes_of_the_autumn_hour_are_carried_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second pass writes over the names of the first, as it does on the real share."""
    leave_unpublished(monkeypatch)
    household = Household(tmp_path)
    midnight = datetime(2023, 10, 29, tzinfo=UTC)
    household.tick(midnight - MINUTE)
    for number in range(120):
        minute = midnight + number * MINUTE
        meter = {"House": builders.house_meter(minute, power1=1000 + number, total_power=1000 + number)}
        household.deliver(builders.share_file("jimmy", minute, consumptions=meter))
        if number % 30 == 29:
            assert all(run.success for run in household.tick(minute + MINUTE + timedelta(seconds=10)))
    assert len(list((tmp_path / "share").iterdir())) == 60
    rows = household.work.lake.read(homes_gold.FACT_ENERGY_MINUTE).sort("datetime_key")
    meter_rows = rows.filter(device_key=surrogate_key("jimmy/house/consumptions/1"))
    expected = [
        (202310290000 + number // 60 * 100 + number % 60, 20231029, 1000.0 + number) for number in range(120)
    ]
    assert meter_rows.select("datetime_key", "date_key", "power_w").rows() == expected
    files = household.work.lake.read(silver.SENSOR_FILES)
    assert (files.height, files["window"].n_unique(), set(files["status"])) == (120, 120, {"loaded"})
    assert household.windows(midnight + timedelta(hours=2, minutes=10)) == []
    household.feed.close()


def test_a_silent_home_is_told_once_and_so_is_its_return(household: Household) -> None:
    feed, deliver, tick = household.feed, household.deliver, household.tick

    def told(text: str) -> list[tuple[bool, str]]:
        """What the check says anew at a moment."""
        before = len(feed.checked(silver.SENSOR_FILES, "freshness"))
        feed.tick(at(text), "freshness")
        return feed.checked(silver.SENSOR_FILES, "freshness")[before:]

    # The second home of the registry never sent anything.
    tick(at("09:06"))
    assert told("09:06") == [(False, "jeremie: silent (last minute never)")]
    tick(at("09:20"))
    assert told("09:20") == []
    tick(at("09:21"))
    ((passed, what),) = told("09:21")
    assert not passed
    assert "jimmy: silent (last minute 2023-09-05 09:04 UTC, minutes silent 16)" in what
    assert told("09:22") == []
    deliver(minute_file(at("09:22")))
    tick(at("09:23:10"))
    assert told("09:23:20") == [(False, "jeremie: silent (last minute never)")]


def test_nothing_is_silent_while_the_feed_catches_up(household: Household) -> None:
    household.tick(at("09:06"))
    household.feed.tick(at("11:00"), "freshness")
    assert household.feed.checked(silver.SENSOR_FILES, "freshness") == []
