"""Three simulated days of two homes with resets, glitches, gaps and late files: energy against the truth.

The truth is what the simulated loads drew, written before anything goes wrong. A plug's counter includes its
own minute, so what Gold sums up after minute a until minute b is what was drawn in the minutes a+1 to b.
"""

import csv
import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from domotic_assets.domains.homes.flows.facts import energy_facts, presence_facts
from domotic_assets.domains.homes.flows.landing import discover_sensor_files
from domotic_assets.flow.windows import cover, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import Table, surrogate_key
from domotic_assets.settings import Settings
from domotic_assets.simulator.run import Folders, simulate_history
from domotic_assets_tests.support.builders import HOMES, REGISTRY, write_sites
from domotic_assets_tests.support.carry import TO_SILVER, carry

pytestmark = pytest.mark.untraced

START, DAYS = date(2023, 9, 4), 3
MINUTE = timedelta(minutes=1)
SEED = 2
DEFECTS = {
    "counter_reset": 3e-3,
    "counter_glitch": 4e-3,
    "missing": 0.03,
    "late": 0.03,
    "truncated": 0.005,
    "invalid_plug": 0.01,
    "invalid_phase": 0.01,
    "bad_number": 0.01,
    "null": 0.01,
    "huge": 0.0,
}
ROOM_IDS = {
    "Kitchen": "kitchen",
    "Laundry": "laundry",
    "Livingroom": "livingroom",
    "Office": "office",
    "Bhroom": "bathroom",
}

# From Wednesday 6 September, the third day, on: other prices.
NEW_TARIFF = """\
  - provider: oiken
    valid_from: 2023-09-06
    bands:
      - {name: high, from: "06:00", to: "22:00", chf_per_kwh: 0.40}
      - {name: low, from: "22:00", to: "06:00", chf_per_kwh: 0.10}
homes:
"""
TARIFFS = REGISTRY.replace("valid_to: 2024-01-01", "valid_to: 2023-09-06").replace("homes:\n", NEW_TARIFF, 1)

# Counters count thousandths of a Wh, so a sum that is right is off by rounding alone.
ROUNDING_WH = 1e-4

Series = dict[datetime, float]
"""UTC minute to a value."""


@dataclass(frozen=True)
class World:
    """What Gold holds of the three days, and what really happened.

    drawn_wh: device to what it drew in each minute. gold_wh: device to the energy of each fact row that has
    one. struck: (home, minute, plug's room or "") by defect. untouched: home to the minutes that no defect
    struck, in order.
    """

    work: Workspace
    facts: pl.DataFrame
    drawn_wh: dict[str, Series]
    gold_wh: dict[str, Series]
    struck: dict[str, list[tuple[str, datetime, str]]]
    untouched: dict[str, list[datetime]]

    @property
    def plugs(self) -> list[str]:
        return [device for device in self.drawn_wh if "/plugs/" in device]

    def strikes(self, defect: str, device: str) -> list[datetime]:
        """When a counter defect struck a plug."""
        return [at for home, at, room in self.struck[defect] if f"{home}/{ROOM_IDS[room]}/plugs/1" == device]

    def around(self, device: str, at: datetime) -> tuple[datetime, datetime] | None:
        """The last minute before and the first after that no defect struck; None at the ends of the data."""
        minutes = self.untouched[device.split("/")[0]]
        before, after = bisect_left(minutes, at) - 1, bisect_right(minutes, at)
        return (minutes[before], minutes[after]) if before >= 0 and after < len(minutes) else None

    def unknowable_wh(self, device: str) -> Series:
        """What was drawn between the last reading before a restart and the restart: no counter tells it."""
        counted = self.gold_wh[device].keys() - self.strikes("counter_glitch", device)
        lost: Series = {}
        for restart in self.strikes("counter_reset", device):
            last = max(minute for minute in counted if minute < restart)
            lost |= between(self.drawn_wh[device], last, restart - MINUTE)
        return lost


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The days taken in by the plain steps, last day first; then what arrives again, first day first."""
    folder = tmp_path_factory.mktemp("simulated")
    work = Workspace.open(Settings.of(write_sites(folder, TARIFFS), str(folder / "lake"), environment={}))
    folders = Folders.of(work.sites)
    simulate_history(
        work.registry,
        folders,
        START,
        DAYS,
        seed=SEED,
        defects=DEFECTS,
        weather_sites=1,
        truth=folder / "truth",
    )
    take_in(work, newest_first=True)
    again = list(folders.later.iterdir())
    assert again
    for file in again:
        shutil.copy2(file, folders.share / file.name)
    take_in(work, newest_first=False)
    return read_world(work, folder / "truth")


def take_in(work: Workspace, *, newest_first: bool) -> None:
    """Everything new on the share to fact_energy_minute, a UTC day a run."""
    windows = cover(discover_sensor_files(work).minutes, datetime.now(UTC))
    assert len(windows) == DAYS
    for window in reversed(windows) if newest_first else windows:
        carry(work, [window], flows=TO_SILVER)
        energy_facts(work, [window])


def read_world(work: Workspace, truth: Path) -> World:
    drawn: dict[str, Series] = {}
    minutes: dict[str, list[datetime]] = {}
    for home in HOMES:
        rows = list(csv.DictReader((truth / f"{home}.csv").open(encoding="utf-8")))
        minutes[home] = [utc(row["minute_utc"]) for row in rows]
        for spelling, room in ROOM_IDS.items():
            values = [float(row[f"plug_energy_wh:{spelling}"]) for row in rows]
            drawn[f"{home}/{room}/plugs/1"] = dict(zip(minutes[home], values, strict=True))
        values = [float(row["house_energy_wh"]) for row in rows]
        drawn[f"{home}/house/consumptions/1"] = dict(zip(minutes[home], values, strict=True))
    struck: dict[str, list[tuple[str, datetime, str]]] = {}
    for row in csv.DictReader((truth / "defects.csv").open(encoding="utf-8")):
        struck.setdefault(row["defect"], []).append((row["home"], utc(row["minute_utc"]), row["plug_room"]))
    hit = {(home, minute) for rows in struck.values() for home, minute, _ in rows}
    facts = work.lake.read(gold.FACT_ENERGY_MINUTE).with_columns(
        ts=pl.col("datetime_key").cast(pl.String).str.to_datetime("%Y%m%d%H%M", time_zone="UTC")
    )
    known = facts.filter(pl.col("energy_wh").is_not_null())
    of_device = {key: known.filter(pl.col("device_key") == key) for key in map(surrogate_key, drawn)}
    return World(
        work,
        facts,
        drawn,
        {name: dict(of_device[surrogate_key(name)].select("ts", "energy_wh").iter_rows()) for name in drawn},
        struck,
        {home: [minute for minute in minutes[home] if (home, minute) not in hit] for home in HOMES},
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(values: Series, after: datetime, until: datetime) -> Series:
    """The minutes later than `after` and not later than `until`."""
    return {minute: value for minute, value in values.items() if after < minute <= until}


def total(values: Series, after: datetime, until: datetime) -> float:
    return sum(between(values, after, until).values())


def off_by(
    world: World, devices: Iterable[str], periods: Callable[[str], Iterable[tuple[datetime, datetime]]]
) -> dict[tuple[str, datetime, datetime], tuple[float, float]]:
    """Plug periods whose sum in Gold is not what was drawn: (summed, drawn) in Wh."""
    wrong = {}
    for device in devices:
        lost = world.unknowable_wh(device)
        for after, until in periods(device):
            summed = total(world.gold_wh[device], after, until)
            expected = total(world.drawn_wh[device], after, until) - total(lost, after, until)
            if abs(summed - expected) > ROUNDING_WH:
                wrong[device, after, until] = (summed, expected)
    return wrong


def test_the_world_has_what_is_to_be_shown(world: World) -> None:
    """Without it the tests below would show nothing."""
    assert len(world.struck["counter_reset"]) >= 4
    assert len(world.struck["counter_glitch"]) >= 4
    assert all(len(world.struck[defect]) >= 20 for defect in ("missing", "late", "invalid_plug"))
    assert all(sum(drawn.values()) > 50 for drawn in world.drawn_wh.values())
    lost = {device: sum(world.unknowable_wh(device).values()) for device in world.plugs}
    assert ROUNDING_WH < sum(lost.values()) < 1


def test_every_minute_that_nothing_struck_has_its_energy(world: World) -> None:
    for device, values in world.gold_wh.items():
        untouched = set(world.untouched[device.split("/")[0]])
        assert len(untouched) > 3_500
        assert untouched <= values.keys()


@pytest.mark.rule(1)
def test_the_energy_of_any_period_is_what_the_plug_drew(world: World) -> None:
    """Forty random periods a plug, from some minutes to days, that begin and end with a reading."""
    rng = Random(SEED)

    def periods(device: str) -> list[tuple[datetime, datetime]]:
        minutes = world.untouched[device.split("/")[0]]
        pairs = [sorted(rng.sample(minutes, 2)) for _ in range(40)]
        return [(after, until) for after, until in pairs] + [(minutes[0], minutes[-1])]

    assert len(world.plugs) == 10
    assert off_by(world, world.plugs, periods) == {}


@pytest.mark.rule(1)
@pytest.mark.parametrize("defect", ["counter_reset", "counter_glitch"])
def test_the_energy_around_every_reset_and_glitch(world: World, defect: str) -> None:
    """From the last sound minute before it to the first one after."""

    def periods(device: str) -> list[tuple[datetime, datetime]]:
        found = [world.around(device, at) for at in world.strikes(defect, device)]
        return [period for period in found if period is not None]

    assert sum(len(periods(device)) for device in world.plugs) >= 4
    assert off_by(world, world.plugs, periods) == {}


@pytest.mark.rule(1)
def test_a_gap_is_included_at_its_end(world: World) -> None:
    """Over every missing minute: the reading after it has what was drawn since the one before."""

    def gaps(device: str) -> set[tuple[datetime, datetime]]:
        missing = [at for home, at, _ in world.struck["missing"] if device.startswith(f"{home}/")]
        found = {world.around(device, at) for at in missing}
        return {period for period in found if period is not None}

    assert all(len(gaps(device)) >= 20 for device in world.plugs)
    assert off_by(world, world.plugs, gaps) == {}


@pytest.mark.rule(1)
def test_glitches_are_flagged(world: World) -> None:
    """The row of a glitch adds nothing and is not valid; it is the plug's only one at that minute."""
    rows = {
        (key, ts): (energy_wh, is_valid)
        for key, ts, energy_wh, is_valid in world.facts.select(
            "device_key", "ts", "energy_wh", "is_valid"
        ).iter_rows()
    }
    assert len(rows) == world.facts.height
    alone = glitches_alone(world)
    assert len(alone) >= 4
    for home, at, room in alone:
        assert rows[surrogate_key(f"{home}/{ROOM_IDS[room]}/plugs/1"), at] == (0.0, False)


def glitches_alone(world: World) -> list[tuple[str, datetime, str]]:
    """The glitches whose file nothing else struck."""
    others = {
        (of, at) for defect, rows in world.struck.items() if defect != "counter_glitch" for of, at, _ in rows
    }
    return [row for row in world.struck["counter_glitch"] if row[:2] not in others]


@pytest.mark.rule(1)
@pytest.mark.parametrize("home", HOMES)
def test_the_house_meter_has_the_energy_of_its_power(world: World, home: str) -> None:
    """Minute by minute, and so over any period; a missing minute adds nothing."""
    device = f"{home}/house/consumptions/1"
    drawn, metered = world.drawn_wh[device], world.gold_wh[device]
    spoilt = {at for of, at, _ in world.struck["invalid_phase"] if of == home}
    missing = {at for of, at, _ in world.struck["missing"] if of == home}
    assert not missing & metered.keys()
    assert metered.keys() <= drawn.keys()
    assert {at: wh for at, wh in metered.items() if at not in spoilt} == pytest.approx(
        {at: drawn[at] for at in metered if at not in spoilt}, abs=ROUNDING_WH
    )
    assert sum(metered.values()) > 0.9 * sum(drawn.values()) > 0


@pytest.mark.rule(7)
@pytest.mark.parametrize("home", HOMES)
def test_an_invalid_phase_takes_away_its_own_power_only(world: World, home: str) -> None:
    """What Gold says is the whole but for one phase: never the garbage of 6.5 kW, and not valid."""
    device = f"{home}/house/consumptions/1"
    drawn, metered = world.drawn_wh[device], world.gold_wh[device]
    spoilt = {at for of, at, _ in world.struck["invalid_phase"] if of == home} & metered.keys()
    assert len(spoilt) >= 10
    assert all(0 <= metered[at] <= drawn[at] + ROUNDING_WH for at in spoilt)
    own = world.facts.filter(pl.col("device_key") == surrogate_key(device))
    flagged = set(own.filter(~pl.col("is_valid"))["ts"])
    assert spoilt <= flagged


def test_cost_is_that_of_the_tariff_valid_at_the_minute(world: World) -> None:
    """0.30 and 0.20 until Tuesday, 0.40 and 0.10 from Wednesday on, by the local minute.

    What a plug used since its last good reading costs the mean of these minutes.
    """
    clock = ZoneInfo("Europe/Zurich")
    seen: set[float] = set()

    def price(ts: datetime) -> float:
        local = ts.astimezone(clock)
        high, low = (0.30, 0.20) if local.date() < date(2023, 9, 6) else (0.40, 0.10)
        seen.add(high if 6 <= local.hour < 22 else low)
        return high if 6 <= local.hour < 22 else low

    rows = world.facts.filter(pl.col("energy_wh").is_not_null()).sort("device_key", "ts")
    last: dict[int, datetime] = {}
    expected = []
    columns = ("device_key", "ts", "energy_kwh", "counter_total", "is_valid")
    for device, ts, energy_kwh, counter, is_valid in rows.select(columns).iter_rows():
        since = last.get(device, ts - MINUTE) if counter is not None else ts - MINUTE
        minutes = [ts - MINUTE * back for back in range((ts - since) // MINUTE)]
        expected.append(energy_kwh * sum(map(price, minutes)) / len(minutes))
        if is_valid or energy_kwh:
            last[device] = ts
    assert seen == {0.30, 0.20, 0.40, 0.10}
    assert rows["cost_chf"].to_list() == pytest.approx(expected, abs=1e-12)


@pytest.mark.rule(6)
def test_late_files_are_in_the_energy(world: World) -> None:
    """Those that nothing else struck: each has its row and its file is loaded."""
    others = {(of, at) for defect, rows in world.struck.items() if defect != "late" for of, at, _ in rows}
    late = [(of, at) for of, at, _ in world.struck["late"] if (of, at) not in others]
    assert len(late) >= 20
    loaded = world.work.lake.read(silver.SENSOR_FILES, where=pl.col("status") == "loaded")
    taken = set(loaded.select("home", "minute").iter_rows())
    for home, at in late:
        assert (home, at) in taken
        assert at in world.gold_wh[f"{home}/house/consumptions/1"]


@pytest.mark.parametrize(
    ("facts", "table"),
    [(energy_facts, gold.FACT_ENERGY_MINUTE), (presence_facts, gold.FACT_PRESENCE_MINUTE)],
    ids=["energy", "presence"],
)
def test_a_day_made_again_leaves_the_next_one_as_it_is(
    world: World, facts: Callable[..., int], table: Table
) -> None:
    """A step and a hold reach over midnight, and find there what they would write."""
    lake, days = world.work.lake, [START, START + timedelta(days=1)]
    for day in days:
        facts(world.work, [date_window(day)])
    files, rows = lake.files(table), lake.read(table).sort(table.primary_key)
    facts(world.work, [date_window(START)])
    written = set(lake.files(table)) ^ set(files)
    assert {file.split("utc_date=")[1][:10] for file in written} == {START.isoformat()}
    assert lake.read(table).sort(table.primary_key).equals(rows)
