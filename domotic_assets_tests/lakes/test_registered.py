"""Definitions of a growing day: what is registered minute by minute is what all events of the day say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domotic_assets.domains.homes.flows import facts
from domotic_assets.domains.homes.silver.events import device_types, devices, variables
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.store import NO_MARKS, Marks
from domotic_assets.registry.loading import Sites
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.table import Table
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import TO_SILVER, carry
from domotic_assets_tests.support.memory_lake import MemoryLake

pytestmark = pytest.mark.untraced

MINUTE = timedelta(minutes=1)
AT = datetime(2023, 9, 5, 8, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(
    ("plugs", "doorsWindows", "motions", "meteos", "humidities", "consumptions")
)
PLUG = {"plugs": {"Office": {"power": 17.6, "total": 1000.0, "is_valid": True}}}
HUMIDITY = {"humidities": {"Office": {"humidity": 50}}}
MOTION = {"motions": {"Office": {"motion": True}}}


class WatchedLake(MemoryLake):
    """Counts the rows that reads of events give, and may break off at the first write of a table."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.event_rows = 0
        self.breaks_at: Table | None = None

    def read(self, table: Table, **options: Any) -> pl.DataFrame:
        rows = super().read(table, **options)
        self.event_rows += rows.height if table is silver.SENSOR_EVENTS else 0
        return rows

    def replace_dates(
        self, table: Table, rows: pl.DataFrame, dates: Sequence[Any], marks: Marks = NO_MARKS
    ) -> None:
        if table is self.breaks_at:
            raise KeyboardInterrupt
        super().replace_dates(table, rows, dates, marks)


class Feed:
    """A share and a lake, and a run for each delivery."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lake = folder, WatchedLake()
        sites_file = builders.write_sites(folder)
        self.work = Workspace(
            Settings.of(sites_file, "memory", {}), Sites(builders.registry(), folder), self.lake
        )

    def deliver(self, minute: int, arrives_after: timedelta = timedelta(seconds=5), **parts: Any) -> None:
        """The file of a minute, and a run of its window."""
        at = AT + minute * MINUTE
        content = builders.to_bytes(builders.payload("jimmy", at, **NOTHING | parts))
        file = builders.ShareFile(builders.name_of("jimmy", at), content, at + arrives_after)
        builders.write_share(self.folder / "share", [file])
        self.run(minute)

    def run(self, minute: int) -> None:
        """A run of a window."""
        window = Window(AT + minute * MINUTE, AT + (minute + 1) * MINUTE)
        carry(self.work, [window], flows=TO_SILVER)
        facts.energy_facts(self.work, [window])


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


def assert_as_read_off_all_events(feed: Feed) -> None:
    events = feed.lake.read(silver.SENSOR_EVENTS)
    expected = {
        silver.DEVICES: devices(events),
        silver.VARIABLES: variables(events),
        silver.DEVICE_TYPES: device_types(devices(events)),
    }
    for table, rows in expected.items():
        assert not rows.is_empty()
        assert_frame_equal(feed.lake.read(table), rows, check_row_order=False, check_exact=True)


def test_new_minutes_repeats_and_late_ones_are_counted_once(feed: Feed) -> None:
    for minute in (0, 1, 4, 4, 2, 1):
        feed.deliver(minute, **PLUG, **MOTION)
    assert_as_read_off_all_events(feed)
    assert feed.lake.read(silver.DEVICES)["minutes"].to_list() == [4, 4]


def test_a_device_that_a_corrected_minute_no_longer_names_goes(feed: Feed) -> None:
    feed.deliver(0, **MOTION)
    feed.deliver(0, arrives_after=timedelta(seconds=30), **PLUG)
    assert_as_read_off_all_events(feed)
    assert feed.lake.read(silver.DEVICES)["category"].to_list() == ["plugs"]


@pytest.mark.parametrize(
    "table", [silver.DEVICES, silver.VARIABLES, silver.DEVICE_TYPES], ids=lambda t: t.name
)
def test_a_run_broken_off_between_events_and_definitions_is_made_good(feed: Feed, table: Table) -> None:
    feed.deliver(0, **PLUG)
    feed.lake.breaks_at = table
    with pytest.raises(KeyboardInterrupt):
        feed.deliver(1, **PLUG, **MOTION)
    feed.lake.breaks_at = None
    feed.run(1)
    assert_as_read_off_all_events(feed)


@pytest.mark.parametrize(
    "table", [silver.DEVICES, silver.VARIABLES, silver.DEVICE_TYPES], ids=lambda t: t.name
)
def test_a_late_file_after_a_run_broken_off_makes_it_good_too(feed: Feed, table: Table) -> None:
    feed.deliver(0, **PLUG, **HUMIDITY)
    feed.lake.breaks_at = table
    with pytest.raises(KeyboardInterrupt):
        feed.deliver(1, **HUMIDITY, **MOTION)
    feed.lake.breaks_at = None
    # Whether what the broken run wrote was counted, only the numbers beside it tell.
    feed.deliver(1, arrives_after=timedelta(seconds=30), **MOTION)
    feed.deliver(2, **PLUG)
    assert_as_read_off_all_events(feed)


def test_a_minute_late_in_the_day_reads_no_more_events_than_one_early_in_it(feed: Feed) -> None:
    read: list[int] = []
    for minute in range(40):
        before = feed.lake.event_rows
        feed.deliver(minute, **PLUG)
        read.append(feed.lake.event_rows - before)
    assert read[39] == read[20] < 60


def test_a_file_that_comes_late_reads_no_more_events_late_in_the_day(feed: Feed) -> None:
    read: list[int] = []
    for minute in range(80):
        if minute != 30:
            feed.deliver(minute, **PLUG)
        if minute in (60, 79):
            before = feed.lake.event_rows
            feed.deliver(30, arrives_after=timedelta(minutes=minute), **PLUG)
            read.append(feed.lake.event_rows - before)
    assert_as_read_off_all_events(feed)
    # A quarter of an hour on both sides of the minute, three readings each, and what stood there.
    assert read[0] <= read[1] < 4 * 40


def test_a_minute_after_midnight_reads_a_quarter_of_an_hour_of_the_day_before(feed: Feed) -> None:
    midnight = 16 * 60
    for minute in range(midnight - 40, midnight + 3):
        before = feed.lake.event_rows
        feed.deliver(minute, **PLUG)
        read = feed.lake.event_rows - before
    assert_as_read_off_all_events(feed)
    assert 3 * 16 <= read < 4 * 20
