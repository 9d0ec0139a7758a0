"""The law of windows through Dagster: builds between deliveries, against one build of the same versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from domotic_assets.domains.homes.flows import landing
from domotic_assets.domains.weather import flows as weather_flows
from domotic_assets.flow.windows import day_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.build import BuildReport, build
from domotic_assets.schemas import gold, refusals
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.lakes import assert_same, contents, open_lake

pytestmark = pytest.mark.untraced

MIDNIGHT = datetime(2023, 9, 5, tzinfo=UTC)
FORECAST = "Time,Value,Prediction,Site,Measurement,Unit\n{0} 06:00:00+00:00,{1},00,Sion,PRED_T_2M_ctrl,C\n"


@dataclass(frozen=True)
class Delivery:
    """What comes to the share and the weather folder before a build."""

    files: Sequence[builders.ShareFile]
    forecast: builders.ShareFile


def sensor_file(home: str, minute: int, counter: float | None = None, **more: object) -> builders.ShareFile:
    """The file of a minute from midnight on; its office plug counts 2 Wh a minute unless told otherwise."""
    at = MIDNIGHT + timedelta(minutes=minute)
    total = 81_983 + 2 * minute if counter is None else counter
    sections = {
        "plugs": {"Office": builders.plug(at, total=total)},
        "motions": {"Office": builders.motion(minute % 23 == 0)},
    }
    return builders.share_file(home, at, **sections | more)


def again(file: builders.ShareFile, content: bytes, minutes: int) -> builders.ShareFile:
    """The same name, written again that much later."""
    return builders.ShareFile(file.name, content, file.arrived_at + timedelta(minutes=minutes))


def forecast(issued: date, value: str, hour: int) -> builders.ShareFile:
    arrived_at = datetime(issued.year, issued.month, issued.day, hour, tzinfo=UTC)
    return builders.ShareFile(f"Pred_{issued}.csv", FORECAST.format(issued, value).encode(), arrived_at)


def deliveries() -> list[Delivery]:
    """An evening and a night: gaps, a restart, a glitch, a cut-off file, resends and late ones."""
    evening = {(home, n): sensor_file(home, n) for home in builders.HOMES for n in range(-30, -5)}
    whole = evening["jimmy", -20]
    evening["jimmy", -20] = builders.ShareFile(whole.name, whole.content[:300], whole.arrived_at)
    evening["jeremie", -12] = sensor_file("jeremie", -12, counter=0)
    late = [evening.pop(("jimmy", n)) for n in (-28, -17, -16)]
    night = {(home, n): sensor_file(home, n) for home in builders.HOMES for n in range(-5, 25)}
    for n in range(10, 25):
        night["jimmy", n] = sensor_file("jimmy", n, counter=2 * (n - 10))
    kitchen = MIDNIGHT - timedelta(minutes=29)
    first_of_kitchen = sensor_file(
        "jeremie", -29, plugs={"Kitchen": builders.plug(kitchen, total=5)}, motions=None
    )
    other_minute = sensor_file("jimmy", 3, datetime=f"{builders.on_clock(MIDNIGHT):%d.%m.%Y} 02:20")
    return [
        Delivery([*evening.values()], forecast(date(2023, 9, 4), "n/a", 5)),
        Delivery([*night.values(), again(whole, whole.content, 9)], forecast(date(2023, 9, 4), "21.5", 6)),
        Delivery(
            [
                *late,
                again(evening["jeremie", -29], first_of_kitchen.content, 50),
                again(night["jimmy", 3], other_minute.content, 5),
                again(night["jeremie", 11], sensor_file("jeremie", 11, counter=1e6).content, 7),
            ],
            forecast(date(2023, 9, 5), "-99999.0", 5),
        ),
    ]


class Homestead:
    """Source folders and a lake of one installation."""

    def __init__(self, folder: Path) -> None:
        self.work: Workspace = open_lake(builders.write_sites(folder), folder / "lake")
        self._folder = folder
        write_register(folder / "register.sqlite", 1, self.work.registry.homes, MIDNIGHT)

    def receive(self, delivery: Delivery) -> None:
        builders.write_share(self._folder / "share", delivery.files)
        builders.write_share(self._folder / "weather", [delivery.forecast])


@pytest.mark.rule(6)
@pytest.mark.usefixtures("unpublished")
def test_builds_between_deliveries_give_the_tables_of_one_build(tmp_path: Path) -> None:
    pieces, whole = Homestead(tmp_path / "pieces"), Homestead(tmp_path / "whole")
    reports: list[BuildReport] = []
    for delivery in deliveries():
        pieces.receive(delivery)
        reports.append(build(pieces.work))
        whole.receive(delivery)
        minutes = landing.discover_sensor_files(whole.work).minutes
        landing.land_sensor_files(whole.work, sorted({day_window(minute) for minute in minutes}))
        weather_flows.land_forecast_files(whole.work, weather_flows.discover_forecasts(whole.work))
    assert [len(report.windows) for report in reports] == [1, 2, 2]
    build(whole.work)
    found, expected = contents(pieces.work), contents(whole.work)
    assert_same(found, expected)
    # What the deliveries hold shows in the tables: none of them is empty for want of it.
    events = found["silver/sensor_events"]
    assert events.filter(device="jeremie/kitchen/plugs/1")["value"].len() > 0
    assert found["silver/sensor_files"]["status"].value_counts().sort("status").rows() == [
        ("loaded", 110),
        ("quarantined", 1),
        ("superseded", 3),
    ]
    assert found[refusals.REJECTS.id].is_empty()
    assert all(found[table.id].height for table in gold.MINUTE_FACTS)
