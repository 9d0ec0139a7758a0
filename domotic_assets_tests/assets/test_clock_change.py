"""Days on which the clock changes: every local minute once, on its date, with its own readings."""

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.build import build
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.simulator.defects import CLEAN
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets.simulator.truth import open_truth
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import TO_FACTS, carry
from domotic_assets_tests.support.lakes import open_lake

pytestmark = [pytest.mark.untraced, pytest.mark.usefixtures("unpublished")]

MINUTE = timedelta(minutes=1)
LONG_DAY = (datetime(2023, 10, 28, 22, tzinfo=UTC), datetime(2023, 10, 29, 23, tzinfo=UTC))
SHORT_DAY = (datetime(2023, 3, 25, 23, tzinfo=UTC), datetime(2023, 3, 26, 22, tzinfo=UTC))
"""Start and end in UTC of 29 October and 26 March 2023 in Sion: 25 and 23 hours."""


def feed(folder: Path, day: tuple[datetime, datetime]) -> Workspace:
    """A clean feed of a local day and half an hour around it: share, later and truth in the folder."""
    work = open_lake(builders.write_sites(folder), folder / "lake")
    simulation = Simulation(work.registry, day[0] - 30 * MINUTE, defects=CLEAN, weather_sites=1)
    minutes = (day[1] - day[0]) // MINUTE + 60
    with open_truth(folder / "truth") as truth:
        write_history(simulation, Folders.below(folder), minutes, truth)
    return work


def second_delivery(folder: Path) -> int:
    """Copy what came later over the share, as it was written; number of files."""
    files = list((folder / "later").iterdir())
    for file in files:
        shutil.copy2(file, folder / "share" / file.name)
    return len(files)


def drop_unix_times(folder: Path) -> None:
    """Take out of the files whatever tells the passes apart but the time of arrival."""
    for file in [*(folder / "share").iterdir(), *(folder / "later").iterdir()]:
        written_ns = file.stat().st_mtime_ns
        document = json.loads(file.read_bytes())
        for category, key in (("plugs", "timePlug"), ("consumptions", "timeConsumption")):
            for device in document[category].values():
                del device[key]
        builders.write_share(
            file.parent, [builders.ShareFile(file.name, builders.to_bytes(document), _at(written_ns))]
        )


def _at(written_ns: int) -> datetime:
    return datetime.fromtimestamp(written_ns // 1_000_000_000, UTC) + timedelta(
        microseconds=written_ns // 1_000 % 1_000_000
    )


def true_power(folder: Path, home: str, day: tuple[datetime, datetime]) -> dict[int, float]:
    """What the house meter showed in each UTC minute of the day, by datetime_key."""
    with (folder / "truth" / f"{home}.csv").open() as file:
        rows = [
            (datetime.fromisoformat(row["minute_utc"]).replace(tzinfo=UTC), row)
            for row in csv.DictReader(file)
        ]
    return {
        int(f"{minute:%Y%m%d%H%M}"): float(row["house_power_w"])
        for minute, row in rows
        if day[0] <= minute < day[1]
    }


def assert_whole_day(
    work: Workspace, folder: Path, day: tuple[datetime, datetime], date_key: int, minutes: int
) -> None:
    """Each home has each minute of that local date once, with what its meter showed in that minute."""
    facts = work.lake.read(gold.FACT_ENERGY_MINUTE).filter(pl.col("date_key") == date_key)
    events = work.lake.read(silver.SENSOR_EVENTS).filter(pl.col("ts").is_between(*day, closed="left"))
    for home in builders.HOMES:
        meter = facts.filter(device_key=surrogate_key(f"{home}/house/consumptions/1"))
        truth = true_power(folder, home, day)
        assert len(truth) == minutes
        assert meter.height == minutes
        assert dict(meter.select("datetime_key", "power_w").iter_rows()) == pytest.approx(truth)
        power = events.filter(device=f"{home}/house/consumptions/1", variable="consumptions.total_power")
        assert (power.height, power["ts"].n_unique()) == (minutes, minutes)


@pytest.mark.rule(2)
@pytest.mark.parametrize("times_inside", [True, False], ids=["unix times inside", "arrival decides"])
def test_the_long_day_has_1500_minutes_none_lost_none_doubled(tmp_path: Path, times_inside: bool) -> None:
    work = feed(tmp_path, LONG_DAY)
    if not times_inside:
        drop_unix_times(tmp_path)
    steps = build if times_inside else partial(carry, flows=TO_FACTS)
    steps(work)
    assert second_delivery(tmp_path) == 120
    steps(work)
    assert_whole_day(work, tmp_path, LONG_DAY, 20231029, 1500)
    files = work.lake.read(silver.SENSOR_FILES)
    assert set(files["status"]) == {"loaded"}
    assert files.filter(time_note="repeated_in_autumn").height == 240


@pytest.mark.rule(2)
def test_the_short_day_has_1380_minutes_none_lost_none_doubled(tmp_path: Path) -> None:
    work = feed(tmp_path, SHORT_DAY)
    held_back = tmp_path / "later"
    for file in sorted((tmp_path / "share").iterdir())[::2]:
        shutil.move(file, held_back / file.name)
    build(work)
    assert second_delivery(tmp_path) == 1440
    build(work)
    assert_whole_day(work, tmp_path, SHORT_DAY, 20230326, 1380)
    notes = work.lake.read(silver.SENSOR_FILES)["time_note"]
    assert notes.null_count() == notes.len()


@pytest.mark.rule(4)
def test_a_minute_that_spring_skips_takes_the_offset_before_and_the_row_says_so(tmp_path: Path) -> None:
    work = open_lake(builders.write_sites(tmp_path), tmp_path / "lake")
    skipped = datetime(2023, 3, 26, 2, 30)
    document = builders.payload(at=datetime(2023, 3, 26, 1, 30, tzinfo=UTC), datetime="26.03.2023 02:30")
    name = builders.file_name("JimmyLoup", skipped)
    arrived_at = datetime(2023, 3, 26, 1, 30, 5, tzinfo=UTC)
    builders.write_share(
        tmp_path / "share", [builders.ShareFile(name, builders.to_bytes(document), arrived_at)]
    )
    carry(work, flows=TO_FACTS)
    files = work.lake.read(silver.SENSOR_FILES, columns=["window", "minute", "time_note"])
    at = datetime(2023, 3, 26, 1, 30, tzinfo=UTC)
    assert files.rows() == [(at, at, "skipped_by_spring")]
    facts = work.lake.read(gold.FACT_ENERGY_MINUTE, columns=["datetime_key", "date_key"])
    assert set(facts.rows()) == {(202303260130, 20230326)}
