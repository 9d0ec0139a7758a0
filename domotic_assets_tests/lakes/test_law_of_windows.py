"""The law of windows: the same rows however time was cut, in any order, with repeats and broken-off runs.

A case costs about a second with its tables in memory and many times that as Delta (hundreds of small
commits), so most cases run in memory and some on Delta; `test_store` shows that both keep the same
promises. Hypothesis draws the seed of a case and not its files: drawn one by one, feeds came out much
alike, and a failing one could not be made smaller within minutes. A failure names its seed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domotic_assets.domains.homes.flows import facts, health, landing, reading
from domotic_assets.flow.windows import Window, day_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.store import Lake
from domotic_assets.registry.loading import Sites
from domotic_assets.schemas import gold, refusals
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.homes import silver
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.lakes import assert_same
from domotic_assets_tests.support.memory_lake import MemoryLake

pytestmark = pytest.mark.untraced

TABLES = (
    silver.SENSOR_EVENTS, silver.SENSOR_FILES, refusals.REJECTS, silver.DEVICES, silver.VARIABLES,
    silver.DEVICE_TYPES, *gold.MINUTE_FACTS, homes_gold.FACT_DEVICE_HEALTH_DAY,
)  # fmt: skip
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2023, 9, 5, tzinfo=UTC)
AUTUMN = datetime(2023, 10, 29, 1, tzinfo=UTC)
"""The second pass of the repeated hour begins; an hour earlier the first did."""

FACT_STEPS = (facts.energy_facts, facts.environment_facts, facts.presence_facts)
CASES = int(os.environ.get("DOMOTIC_LAW_CASES", "12"))
"""`make drill-law` shows more."""
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
SEEDS = st.integers(0, 2**64 - 1)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
LakeOf = Callable[[str], Lake]

# One home lives by another calendar: its local days end at another moment.
REGISTRY = builders.registry(
    builders.REGISTRY.replace(
        "    feed_user: JeremieVianin", "    feed_user: JeremieVianin\n    time_zone: Asia/Tokyo"
    )
)


@dataclass(frozen=True)
class Version:
    """One version of a file of the feed: what it holds, and when it was written."""

    home: str
    at: datetime
    inside: str
    counter: float | None
    power_valid: bool
    motion: bool | None
    climate: str
    damage: str
    named: bool
    hints: bool
    delay: timedelta
    kind: str | None = "Door"

    @property
    def name(self) -> str:
        """Its name; two homes never share one."""
        return builders.name_of(self.home, self.at) if self.named else f"odd {self.home} {self.at:%H}.json"

    def file(self, later: int) -> builders.ShareFile:
        """The file as it lies on the share; `later` tells the versions of a name apart in time."""
        content = self._content()
        if self.damage == "truncated":
            content = content[:-20]
        arrived_at = self.at + self.delay + timedelta(seconds=later, microseconds=later)
        return builders.ShareFile(self.name, content, arrived_at)

    def _content(self) -> bytes:
        document = self._document()
        if self.damage == "other user":
            document["user"] = "Nobody"
        return b"[1]" if self.damage == "no object" else builders.to_bytes(document)

    def _document(self) -> dict[str, Any]:
        plug = {"power": 17.6, "total": self.counter, "is_valid": self.power_valid}
        meter = {"total_power": 60.7, "power1": 32.7, "is_valid1": self.power_valid}
        if self.hints:
            plug["timePlug"] = int(self.at.timestamp())
        document = builders.payload(
            self.home,
            self.at,
            plugs={"Office": plug},
            doorsWindows={"Office": [{"type": self.kind, "switch": "on", "battery": self.at.minute}]},
            motions=None if self.motion is None else {"Office": {"motion": self.motion}},
            meteos=_stations(self.climate),
            humidities={"Office": {"temperature": 20.5}},
            consumptions={"House": meter},
        )
        return _timed(document, self.at, self.inside)


def _stations(climate: str) -> dict[str, Any] | None:
    station = {
        "good": {"Temperature": 21.5, "CO2": 700},
        "outlier": {"Temperature": 85.3, "Humidity": 40},
        "bad": {"Temperature": "21,5", "CO2": float("nan")},
        "silent": {"Temperature": None},
    }.get(climate)
    return None if station is None else {"meteo": {"Office": station}}


def _timed(document: dict[str, Any], at: datetime, inside: str) -> dict[str, Any]:
    if inside == "missing":
        del document["datetime"]
    elif inside == "unreadable":
        document["datetime"] = "soon"
    else:
        document["datetime"] = builders.on_clock(at + int(inside) * MINUTE).strftime("%d.%m.%Y %H:%M")
    return document


NEAR, FAR = ("-2", "-1", "1", "4"), ("-60", "60", "-1440", "1380", "2000")
"""Minutes by which the time inside a file differs from its name."""


def _version(rng: Random, around: datetime) -> Version:
    """A version of a file; half of its traits are usual ones."""

    def mostly(usual: Any, *others: Any) -> Any:
        return usual if rng.random() < 0.7 else rng.choice(others)

    minute = rng.randint(-6, 6) if rng.random() < 0.7 else rng.randint(-90, 150)
    steady = 1000.0 + 2 * minute
    return Version(
        home=rng.choice(builders.HOMES),
        at=around + minute * MINUTE,
        inside=mostly("0", *NEAR, *NEAR, "missing", "unreadable", *FAR),
        counter=mostly(steady, 0.0, 7.0, 40.0, steady + 100, 1e6 + steady, 1e6, None, -5.0),
        power_valid=rng.random() < 0.9,
        motion=mostly(False, True, None, None),
        climate=mostly("good", "outlier", "bad", "silent", "none"),
        damage=rng.choice(("truncated", "no object", "other user")) if rng.random() < 0.12 else "none",
        named=rng.random() < 0.9,
        hints=rng.random() < 0.8,
        delay=mostly(timedelta(seconds=5), HOUR, 3 * HOUR, 2 * DAY, -5 * MINUTE, 26 * HOUR),
        kind=rng.choice(("Door", "Window", "Fenster", "hatch", None, None)),
    )


def feed_of(rng: Random) -> list[Version]:
    """20 to 60 file versions in order of delivery; some names come again, changed or as they were."""
    around = rng.choice((MIDNIGHT, MIDNIGHT, AUTUMN))
    versions = [_version(rng, around) for _ in range(rng.randint(16, 44))]
    for _ in range(rng.randint(4, 16)):
        first, other = rng.choice(versions), rng.choice(versions)
        again = rng.choice(("as it was", "later", "completed", "changed", "moved"))
        versions.append(
            {
                "as it was": first,
                "later": replace(first, delay=first.delay + HOUR),
                "completed": replace(first, damage="none"),
                "changed": replace(first, counter=other.counter, motion=other.motion, climate=other.climate),
                "moved": replace(first, inside=other.inside, delay=other.delay),
            }[again]
        )
    return versions


@dataclass
class Installation:
    """A share, a lake, and the steps of a run over windows, as the assets call them."""

    folder: Path
    lake: Lake
    work: Workspace = field(init=False)
    without_health: set[Window] = field(default_factory=set)

    def __post_init__(self) -> None:
        sites_file = builders.write_sites(self.folder)
        self.work = Workspace(Settings.of(sites_file, "memory", {}), Sites(REGISTRY, self.folder), self.lake)

    def deliver(self, files: Sequence[builders.ShareFile]) -> Iterator[list[datetime]]:
        """Write files so that none hides a version nobody saw; what is new each time round."""
        waiting = list(files)
        while waiting:
            # In a dictionary built backwards the first version of each name stays.
            firsts = {file.name: file for file in reversed(waiting)}
            builders.write_share(self.folder / "share", firsts.values())
            yield sorted(landing.discover_sensor_files(self.work).minutes)
            waiting = [file for file in waiting if file is not firsts[file.name]]

    def land(self, windows: Sequence[Window]) -> None:
        """The first step of a run."""
        landing.land_sensor_files(self.work, windows)

    def run(self, windows: Sequence[Window], steps: int = 4) -> None:
        """The other steps of a run, or the first few where it is broken off."""
        self.without_health |= set(windows)
        for step in (reading.flatten_sensor_files, *FACT_STEPS)[:steps]:
            step(self.work, windows)

    def refresh_health(self) -> None:
        """Device health of what was run since it was last refreshed."""
        touched = health.local_days(self.work, sorted(self.without_health))
        days = health.health_days_to_refresh(self.work, touched)
        health.health_facts(self.work, days)
        self.without_health.clear()

    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table, by its primary key."""
        return {table.id: self.lake.read(table).sort(table.primary_key) for table in TABLES}


def all_at_once(files: Sequence[builders.ShareFile], place: Installation) -> None:
    """Land every version, then one run over all days."""
    minutes: set[datetime] = set()
    for new in place.deliver(files):
        place.land(sorted(map(day_window, new)))
        minutes.update(new)
    place.run(sorted(set(map(day_window, minutes))))
    place.refresh_health()


def cut(files: Sequence[builders.ShareFile], rng: Random, place: Installation) -> None:
    """Deliver in random parts; run windows of random lengths in random order, some again, some broken off."""
    waiting: list[list[Window]] = []
    done: list[list[Window]] = []
    for part in parts(files, rng):
        for new in place.deliver(part):
            runs = windows_of(new, rng)
            for windows in runs:
                place.land(windows)
            waiting += runs
        rng.shuffle(waiting)
        for _ in range(rng.randint(0, len(waiting))):
            windows = waiting.pop()
            if rng.random() < 0.1:
                place.run(windows, rng.randint(0, 3))
                waiting.insert(0, windows)
                continue
            place.run(windows)
            done.append(windows)
            if rng.random() < 0.1:
                place.run(rng.choice(done))
        if rng.random() < 0.5:
            place.refresh_health()
    while waiting:
        place.run(waiting.pop())
    place.refresh_health()


def parts(files: Sequence[builders.ShareFile], rng: Random) -> list[list[builders.ShareFile]]:
    """The files in a random order and number of deliveries, the versions of a name in theirs."""
    number = rng.randint(2, 4)
    due: dict[str, list[int]] = {}
    for file in files:
        due.setdefault(file.name, []).append(rng.randrange(number))
    for numbers in due.values():
        numbers.sort(reverse=True)
    cuts: list[list[builders.ShareFile]] = [[] for _ in range(number)]
    for file in files:
        cuts[due[file.name].pop()].append(file)
    return cuts


def windows_of(minutes: Sequence[datetime], rng: Random) -> list[list[Window]]:
    """Runs that cover these minutes: windows of one length, one or a few to a run, in any order."""
    length = rng.choice((MINUTE, MINUTE, HOUR, DAY))
    starts = {minute - (minute - MIDNIGHT) % length for minute in minutes}
    windows = sorted(Window(start, start + length) for start in starts)
    rng.shuffle(windows)
    runs = []
    while windows:
        size = rng.choice((1, 4, 12, 60))
        runs.append(sorted(windows[:size]))
        windows = windows[size:]
    return runs


def show_the_law(
    files: Sequence[builders.ShareFile], take_cut: Callable[[Installation], None], lake_of: LakeOf
) -> None:
    """Feed it both ways and compare every table."""
    with TemporaryDirectory(dir=FAST) as folder:
        whole, pieces = (
            Installation(Path(folder) / name, lake_of(f"{folder}/{name}/lake"))
            for name in ("whole", "pieces")
        )
        all_at_once(files, whole)
        take_cut(pieces)
        assert_same(pieces.tables(), whole.tables())


def files_of(feed: Sequence[Version]) -> list[builders.ShareFile]:
    """The versions as files, each a little later than the one before it."""
    return [version.file(number) for number, version in enumerate(feed)]


def show_a_random_case(seed: int, lake_of: LakeOf) -> None:
    """A feed, its deliveries and its runs, all from the seed."""
    rng = Random(seed)
    files = files_of(feed_of(rng))
    show_the_law(files, lambda place: cut(files, rng, place), lake_of)


@given(seed=SEEDS)
@settings(max_examples=CASES, phases=PHASES)
def test_any_cut_order_and_repeat_gives_the_tables_of_one_run(seed: int) -> None:
    show_a_random_case(seed, MemoryLake)


@given(seed=SEEDS)
@settings(max_examples=2, phases=PHASES)
def test_any_cut_order_and_repeat_gives_the_tables_of_one_run_on_delta(seed: int) -> None:
    show_a_random_case(seed, Lake)


USUAL = Version(
    home="jimmy",
    at=MIDNIGHT,
    inside="0",
    counter=1000.0,
    power_valid=True,
    motion=False,
    climate="good",
    damage="none",
    named=True,
    hints=True,
    delay=timedelta(seconds=5),
)
AHEAD = replace(USUAL, at=MIDNIGHT - 3 * HOUR, inside="2000", delay=2 * DAY)
EVENING = datetime(2023, 9, 4, 15, 30, tzinfo=UTC)
LATE = replace(USUAL, at=MIDNIGHT - 3 * HOUR, motion=True, delay=2 * DAY)
STILL = [
    replace(USUAL, at=MIDNIGHT - 2 * HOUR, motion=None),
    *(replace(USUAL, at=MIDNIGHT + after) for after in (8 * HOUR, DAY, 2 * DAY)),
]
NAMELESS = replace(USUAL, named=False, climate="bad")
UNDECIDED = replace(USUAL, at=AUTUMN - 90 * MINUTE, inside="60", hints=False)


@pytest.mark.parametrize(
    "parts_of_feed",
    [
        pytest.param(
            [
                [AHEAD, *(replace(USUAL, at=MIDNIGHT + n * MINUTE) for n in range(3))],
                [replace(AHEAD, inside="0")],
            ],
            id="the newest reading moves back over a day",
        ),
        pytest.param(
            [
                [replace(USUAL, at=EVENING), replace(USUAL, at=EVENING + 5 * MINUTE, home="jeremie")],
                [replace(USUAL, at=EVENING + HOUR, home="jeremie")],
            ],
            id="a home goes on while it is yesterday for the other",
        ),
        pytest.param([STILL, [LATE]], id="a device turns out to have begun a day earlier"),
        pytest.param(
            [[LATE, *STILL], [replace(LATE, motion=None)]], id="a device turns out to have begun later"
        ),
        pytest.param(
            [[UNDECIDED], [replace(UNDECIDED, delay=4 * HOUR)]],
            id="the same bytes again, read as the second pass of the autumn hour",
        ),
        pytest.param(
            [[NAMELESS], [replace(NAMELESS, delay=7 * MINUTE)]],
            id="the same bytes under a name that says nothing, in two windows",
        ),
    ],
)
def test_what_a_delivery_changes_far_from_its_own_minutes_follows(parts_of_feed: list[list[Version]]) -> None:
    files = files_of([version for part in parts_of_feed for version in part])

    def minute_by_minute(place: Installation) -> None:
        waiting = list(files)
        for part in parts_of_feed:
            for new in place.deliver([waiting.pop(0) for _ in part]):
                windows = [Window(minute, minute + MINUTE) for minute in new]
                place.land(windows)
                place.run(windows)
            place.refresh_health()

    show_the_law(files, minute_by_minute, MemoryLake)
