"""Faults seeded into the last day of a simulated week: each raises the right check, and no other.

The week is without defects, and every day of it is judged clean. A fault spoils what arrives, never the
world, so the other days stay what they were.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from domotic_assets.domains.all_domains import CHECKS
from domotic_assets.domains.homes.checks import rounds
from domotic_assets.flow.windows import Window, day_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.quality import round
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas import gold, silver
from domotic_assets.schemas.homes import bronze
from domotic_assets.simulator.defects import CLEAN, Delivery
from domotic_assets.simulator.run import Folders, Simulation, publish
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import TO_FACTS, carry
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.shared_data import REPOSITORY

pytestmark = pytest.mark.untraced

FIRST_DAY, LAST_DAY = date(2023, 9, 4), date(2023, 9, 10)
MIDNIGHT, MORNING = datetime(2023, 9, 10, tzinfo=UTC), datetime(2023, 9, 10, 6, tzinfo=UTC)
NOON = datetime(2023, 9, 10, 12, tzinfo=UTC)

# No dimensions and no forecasts here: what is judged of them has tests of its own.
JUDGED = [
    check
    for check in CHECKS
    if check.table in (bronze.SENSOR_FILES, *silver.TABLES[:3], *gold.MINUTE_FACTS)
    and check.name != "references"
]

Message = dict[str, Any]
Alarms = dict[str, set[tuple[str, str, str]]]


def start_of(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


@dataclass
class Week:
    """A household's week of deliveries, and a lake with all days but the last."""

    folder: Path
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def last_day(self) -> list[Delivery]:
        return [found for found in self.deliveries if found.arrived_at >= start_of(LAST_DAY)]

    def copy(self, folder: Path) -> Workspace:
        """The same lake elsewhere; files of a Delta table never change, so they are shared."""
        shutil.copytree(self.folder / "lake", folder / "lake", copy_function=os.link)
        for name in ("sites.yaml", "contract.yaml"):
            shutil.copy(self.folder / name, folder)
        Folders.below(folder).make()
        return open_lake(folder / "sites.yaml", folder / "lake")


def carry_days(work: Workspace, days: Iterable[date]) -> None:
    """The files of these days, from the share to the minute facts."""
    carry(work, [day_window(start_of(day)) for day in days], flows=TO_FACTS)


def judge(work: Workspace, span: Window | None = None, now: datetime | None = None) -> dict[str, Verdict]:
    """The verdicts of the checks of the feed and its Gold, by check; of the newest day by default."""
    judged = span or rounds.newest_span(work)
    assert judged is not None
    rounds.remember_days(work, judged.end)
    round_of_checks = round.Round(work, judged, now or judged.end)
    return {check.id: check.judge(round_of_checks) for check in JUDGED}


def alarms(verdicts: dict[str, Verdict]) -> Alarms:
    """What was found: check to (severity, reason, subject)."""
    return {
        name: {(breach.severity, breach.reason, breach.subject) for breach in verdict.breaches}
        for name, verdict in verdicts.items()
        if not verdict.passed
    }


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    folder = tmp_path_factory.mktemp("week")
    # Every scalar of sites.yaml is text.
    sites = yaml.load(builders.REGISTRY, yaml.BaseLoader)
    sites |= {"homes": sites["homes"][:1], "people": []}
    work = open_lake(builders.write_sites(folder, yaml.safe_dump(sites)), folder / "lake")
    shutil.copy(REPOSITORY / "contract.yaml", folder)
    simulation = Simulation(work.registry, start_of(FIRST_DAY), seed=3, defects=CLEAN)
    days = (LAST_DAY - FIRST_DAY).days + 1
    found = [item for item in simulation.deliveries(days * 1440) if item.folder == "share"]
    folders = Folders.below(folder)
    folders.make()
    this = Week(folder, found)
    for delivery in found:
        if delivery.arrived_at < start_of(LAST_DAY):
            publish(delivery, folders)
    carry_days(work, [FIRST_DAY + timedelta(days=number) for number in range(days - 1)])
    return this


@pytest.fixture
def deliver(week: Week, tmp_path: Path) -> Iterator[Callable[[list[Delivery]], Workspace]]:
    """Let a last day arrive in a copy of the week's lake, and carry it."""

    def arrive(deliveries: list[Delivery]) -> Workspace:
        work = week.copy(tmp_path)
        for delivery in deliveries:
            publish(delivery, Folders.below(tmp_path))
        carry_days(work, [LAST_DAY])
        return work

    return arrive


Deliver = Callable[[list[Delivery]], Workspace]


def spoiled(deliveries: list[Delivery], spoil: Callable[[Message], None], since: datetime) -> list[Delivery]:
    """The deliveries with something done to each message from a moment on."""
    out = []
    for delivery in deliveries:
        if delivery.arrived_at >= since:
            message = json.loads(delivery.content)
            spoil(message)
            delivery = replace(delivery, content=json.dumps(message).encode())
        out.append(delivery)
    return out


def stuck_sensor(message: Message) -> None:
    message["meteos"]["meteo"]["Livingroom"]["Noise"] = 41


def still_motion(message: Message) -> None:
    message["motions"]["Office"]["motion"] = True


def unknown_words(message: Message) -> None:
    message["doorsWindows"]["Kitchen"][0]["type"] = "Ventil"


def lost_place(message: Message) -> None:
    del message["doorsWindows"]["Livingroom"][0]


def drifted_device(message: Message) -> None:
    message["plugs"]["Office"]["timePlug"] += 17 * 60


def drifted_home(message: Message) -> None:
    for plug in message["plugs"].values():
        plug["timePlug"] -= 17 * 60
    message["consumptions"]["House"]["timeConsumption"] -= 17 * 60


def wrong_zone(message: Message) -> None:
    for plug in message["plugs"].values():
        plug["timePlug"] -= 7200
    message["consumptions"]["House"]["timeConsumption"] -= 7200


def swapped_rooms(message: Message) -> None:
    plugs = message["plugs"]
    plugs["Office"], plugs["Livingroom"] = plugs["Livingroom"], plugs["Office"]


def negative_counter(message: Message) -> None:
    message["plugs"]["Office"]["total"] *= -1


def plugs_in_kilowatts(message: Message) -> None:
    for plug in message["plugs"].values():
        plug["power"] /= 1000


def house_in_kilowatts(message: Message) -> None:
    house = message["consumptions"]["House"]
    for name in ("power1", "power2", "power3", "total_power"):
        house[name] /= 1000


def renamed_field(message: Message) -> None:
    for station in message["meteos"]["meteo"].values():
        if "CO2" in station:
            station["co2_ppm"] = station.pop("CO2")


OFFICE_PLUG, LIVINGROOM_PLUG = (f"jimmy/{room}/plugs/1" for room in ("office", "livingroom"))
HOUSE = "jimmy/house/consumptions/1"
CLOCKS, COUNTERS, UNITS = (f"silver/sensor_events: {name}" for name in ("clocks", "counters", "units"))
POWER, BALANCE = (f"gold/fact_energy_minute: {name}" for name in ("power_against_meter", "balance"))

FAULTS: list[tuple[Callable[[Message], None], datetime, Alarms]] = [
    (
        stuck_sensor,
        MORNING,
        {"silver/sensor_events: stuck": {("WARN", "stuck", "jimmy/livingroom/meteos/1 meteos.Noise")}},
    ),
    (
        still_motion,
        MIDNIGHT,
        {"silver/sensor_events: still": {("WARN", "stands_still", "jimmy/office/motions/1")}},
    ),
    (
        unknown_words,
        MIDNIGHT,
        {
            "silver/sensor_events: opening_kinds": {("WARN", "kind_unknown", "jimmy/kitchen/doorsWindows/1")},
            "silver/rejects: refused": {("ERROR", "refused_values", "doorsWindows.type")},
        },
    ),
    (
        lost_place,
        MORNING,
        {
            "silver/sensor_events: places": {
                ("WARN", "list_changed", "jimmy/livingroom/doorsWindows"),
                ("WARN", "kind_changed", "jimmy/livingroom/doorsWindows/1"),
            }
        },
    ),
    (drifted_device, MORNING, {CLOCKS: {("WARN", "device_clock", OFFICE_PLUG)}}),
    (drifted_home, MORNING, {CLOCKS: {("ERROR", "home_clock", "jimmy")}}),
    (wrong_zone, MORNING, {CLOCKS: {("ERROR", "clock_zone", "jimmy")}}),
    (swapped_rooms, MORNING, {COUNTERS: {("ERROR", "rooms_swapped", LIVINGROOM_PLUG)}}),
    (
        renamed_field,
        MIDNIGHT,
        {
            "silver/sensor_events: shape": {
                ("ERROR", "removed_field", "meteos.CO2"),
                ("WARN", "added_field", "meteos.co2_ppm"),
            }
        },
    ),
    (negative_counter, MORNING, {COUNTERS: {("ERROR", "counter_negative", OFFICE_PLUG)}}),
]


@pytest.mark.parametrize(("spoil", "since", "expected"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_fault_raises_the_right_check_and_no_other(
    week: Week, deliver: Deliver, spoil: Callable[[Message], None], since: datetime, expected: Alarms
) -> None:
    work = deliver(spoiled(week.last_day, spoil, since))
    assert alarms(judge(work)) == expected


def test_a_clean_week_raises_no_alarm(week: Week, deliver: Deliver) -> None:
    work = deliver(week.last_day)
    days = [FIRST_DAY + timedelta(days=number) for number in range(7)]
    found = {day: alarms(judge(work, span := day_window(start_of(day)), span.end)) for day in days}
    assert found == {day: {} for day in days}


def test_a_dead_home_is_told_within_a_tick(week: Week, deliver: Deliver) -> None:
    work = deliver([delivery for delivery in week.last_day if delivery.arrived_at < NOON])
    last = rounds.newest_minute(work)
    assert last is not None
    patience = timedelta(minutes=work.registry.settings.silent_after_minutes + 1)
    assert alarms(judge(work, now=last + patience)) == {}
    silent = {"silver/sensor_files: freshness": {("ERROR", "silent", "jimmy")}}
    assert alarms(judge(work, now=last + patience + timedelta(minutes=1))) == silent


def test_missing_minutes_are_told(week: Week, deliver: Deliver) -> None:
    rng = Random(1)
    kept = [delivery for delivery in week.last_day if rng.random() < 0.9]
    warned = {"silver/sensor_files: completeness": {("WARN", "missing_minutes", "jimmy")}}
    assert alarms(judge(deliver(kept), day_window(MIDNIGHT), MIDNIGHT + timedelta(days=1))) == warned


def test_two_percent_of_unreadable_files_are_told(week: Week, deliver: Deliver) -> None:
    rng = Random(1)
    cut = [
        replace(found, content=found.content[:200]) if rng.random() < 0.02 else found
        for found in week.last_day
    ]
    warned = {"silver/sensor_files: readable": {("WARN", "unreadable_files", "jimmy")}}
    assert alarms(judge(deliver(cut))) == warned


def test_files_sent_twice_are_told(week: Week, deliver: Deliver, tmp_path: Path) -> None:
    work = deliver(week.last_day)
    for delivery in week.last_day[:300]:
        seconds = (delivery.arrived_at + timedelta(hours=1)).timestamp()
        os.utime(tmp_path / "share" / delivery.name, (seconds, seconds))
    carry_days(work, [LAST_DAY])
    assert alarms(judge(work)) == {"bronze/sensor_files: sent_once": {("WARN", "sent_twice", "jimmy")}}


def test_kilowatts_for_watts_are_told_of_plugs(week: Week, deliver: Deliver) -> None:
    found = alarms(judge(deliver(spoiled(week.last_day, plugs_in_kilowatts, MIDNIGHT))))
    assert {severity for each in found.values() for severity, _, _ in each} == {"ERROR"}
    assert found.keys() == {UNITS, POWER}
    changed = {subject.split()[0] for _, _, subject in found[UNITS]} | {s for _, _, s in found[POWER]}
    plugs = json.loads(week.last_day[0].content)["plugs"]
    assert len(changed) == len(plugs) == 5


def test_kilowatts_for_watts_are_told_of_the_house(week: Week, deliver: Deliver) -> None:
    found = alarms(judge(deliver(spoiled(week.last_day, house_in_kilowatts, MIDNIGHT))))
    assert found[BALANCE] == {("ERROR", "plugs_over_house", "jimmy")}
    assert ("ERROR", "unit_changed", f"{HOUSE} consumptions.total_power") in found[UNITS]
    assert found.keys() == {UNITS, BALANCE}
