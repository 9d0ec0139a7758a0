"""Feeds that lack a kind of device, a forecast or a register: what is loaded is not loaded again."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domotic_assets.domains.homes.flows import facts, health, landing, reading
from domotic_assets.domains.register.flows import register_is_behind
from domotic_assets.domains.weather.flows import discover_forecasts
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes import gold
from domotic_assets.schemas.table import Table
from domotic_assets.schemas.weather import FACT_WEATHER_DAY, FACT_WEATHER_HOUR
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.lakes import open_lake, versions

pytestmark = pytest.mark.untraced

AT = datetime(2023, 9, 4, 10, tzinfo=UTC)
KINDS = ("plugs", "doorsWindows", "motions", "meteos", "humidities", "consumptions")
HEADER = "Time,Value,Prediction,Site,Measurement,Unit"
LINE = "2023-09-04 03:00:00+00:00,11.5,03,Sion,PRED_T_2M_ctrl,°C"
WITHOUT_REGISTER = builders.REGISTRY.replace(
    "  register_rows: {kind: sqlite, address: register.sqlite}\n", ""
)
WITHOUT_FORECASTS = WITHOUT_REGISTER.replace("  weather_files: {kind: folder, address: weather}\n", "")

Send = Callable[[Path], object]


def share(folder: Path, **sections: Any) -> None:
    """Three minutes of a home."""
    minutes = [AT + timedelta(minutes=number) for number in range(3)]
    builders.write_share(folder / "share", [builders.share_file(at=at, **sections) for at in minutes])


def only(*kinds: str) -> Send:
    return lambda folder: share(folder, **{kind: None for kind in KINDS if kind not in kinds})


def forecast(*lines: str) -> Send:
    def send(folder: Path) -> None:
        share(folder)
        (folder / "weather" / "Pred_2023-09-04.csv").write_text("\n".join([HEADER, *lines]))

    return send


FEEDS: dict[str, tuple[Send, str]] = {
    **{f"{kind} alone": (only(kind), WITHOUT_REGISTER) for kind in KINDS},
    "no kind at all": (only(), WITHOUT_REGISTER),
    "unknown things": (
        lambda folder: share(folder, **dict.fromkeys(KINDS), gadgets={"Office": {"x": 1}}),
        WITHOUT_REGISTER,
    ),
    "refused values": (
        lambda folder: share(
            folder, **dict.fromkeys(KINDS) | {"humidities": {"Bhroom": {"humidity": "n/a"}}}
        ),
        WITHOUT_REGISTER,
    ),
    "the register of others": (
        lambda folder: (share(folder), write_register(folder / "register.sqlite", 1, (), AT)),
        builders.REGISTRY,
    ),
    "no forecasts": (only(*KINDS), WITHOUT_FORECASTS),
    "no file": (lambda _: None, WITHOUT_REGISTER),
    "unreadable files": (
        lambda folder: builders.write_share(folder / "share", [builders.share_file(content=b"{")]),
        WITHOUT_REGISTER,
    ),
    "forecasts alone": (
        lambda folder: (folder / "weather" / "Pred_2023-09-04.csv").write_text(f"{HEADER}\n{LINE}"),
        WITHOUT_REGISTER,
    ),
    "a forecast of one time": (forecast(LINE), WITHOUT_REGISTER),
    "a forecast of other things": (forecast(LINE.replace("T_2M", "SNOW")), WITHOUT_REGISTER),
    "a forecast that is refused": (forecast("one,two"), WITHOUT_REGISTER),
    "a forecast without a line": (forecast(), WITHOUT_REGISTER),
}


def to_do(work: Workspace) -> list[object]:
    """What a build would work on."""
    return [
        *landing.discover_sensor_files(work).minutes,
        *reading.unflattened_minutes(work),
        *facts.days_without_gold(work),
        *discover_forecasts(work),
        *health.health_days_to_refresh(work, ()),
        *([True] if register_is_behind(work) else []),
    ]


@pytest.fixture(params=FEEDS)
def work(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A lake with all that a feed sent."""
    send, registry = FEEDS[request.param]
    sites = builders.write_sites(tmp_path, registry)
    send(tmp_path)
    carry(open_lake(sites, tmp_path / "lake"))
    return open_lake(sites, tmp_path / "lake")


def test_what_a_feed_lacks_is_no_work(work: Workspace) -> None:
    assert to_do(work) == []
    before = versions(work)
    carry(work, [], [])
    assert versions(work) == before


@pytest.mark.parametrize(
    "table", [gold.FACT_ENERGY_MINUTE, gold.FACT_ENVIRONMENT_MINUTE, gold.FACT_PRESENCE_MINUTE],
    ids=lambda table: table.name,
)  # fmt: skip
@pytest.mark.parametrize("feed", ["plugs alone", "no forecasts"])
def test_a_minute_fact_that_was_removed_is_built_again(table: Table, feed: str, tmp_path: Path) -> None:
    send, registry = FEEDS[feed]
    work = open_lake(builders.write_sites(tmp_path, registry), tmp_path / "lake")
    send(tmp_path)
    carry(work)
    rows = work.lake.read(table)
    shutil.rmtree(tmp_path / "lake" / table.id)
    [day] = facts.days_without_gold(work)
    assert day.start == datetime(2023, 9, 4, tzinfo=UTC)
    carry(work, [day])
    assert facts.days_without_gold(work) == []
    assert work.lake.read(table).equals(rows)


def test_a_weather_fact_that_was_removed_is_built_again(tmp_path: Path) -> None:
    work = open_lake(builders.write_sites(tmp_path, WITHOUT_REGISTER), tmp_path / "lake")
    forecast(LINE, LINE.replace("03:00", "06:00"))(tmp_path)
    carry(work)
    for table in (FACT_WEATHER_HOUR, FACT_WEATHER_DAY):
        rows = work.lake.read(table)
        assert not rows.is_empty()
        shutil.rmtree(tmp_path / "lake" / table.id)
        assert discover_forecasts(work) == [date(2023, 9, 4)]
        carry(work, [])
        assert discover_forecasts(work) == []
        assert work.lake.read(table).equals(rows)
