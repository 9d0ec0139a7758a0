"""Feeds whose clocks are wrong: of the sender, of the share, and of the machine that builds. Names are right.

Each file has a number of its own as the power of a plug, so that its true minute is known without the code
under test. What is sent is fixed by a seed. The clocks of the devices (unix times) are right to 20 seconds in
at least three of four devices, or there are none: then only one of the other hints is wrong, as two that are
wrong alike outweigh a name. A share's clock is right in a repeated hour without unix times.
Without any time inside it is up to 30 days behind.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import polars as pl

from domotic_assets.domains.homes.flows import arrivals, facts, landing, reading
from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.clock import refuse_a_clock_behind
from domotic_assets.flow.windows import Window, cover
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.store import Lake
from domotic_assets.registry.loading import Sites
from domotic_assets.schemas import gold, refusals
from domotic_assets.schemas.homes import silver
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.memory_lake import MemoryLake

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

CHANGES = (
    ("Europe/Zurich", "2023-03-26T01:00", 60),
    ("Europe/Zurich", "2023-10-29T01:00", 60),
    ("Australia/Lord_Howe", "2023-04-01T15:00", 30),
    ("Australia/Lord_Howe", "2023-09-30T15:30", 30),
    ("America/St_Johns", "2023-03-12T05:30", 60),
    ("America/St_Johns", "2023-11-05T04:30", 60),
    ("Asia/Kathmandu", "2023-06-15T18:10", 60),
    ("Europe/Zurich", "2023-09-05T00:00", 60),
)
"""Zone of a home's clock, a moment around which it sends (most are a change of that clock), and by how many
minutes the clock goes back."""

TABLES = (
    silver.SENSOR_EVENTS, silver.SENSOR_FILES, refusals.REJECTS, silver.DEVICES, silver.VARIABLES,
    silver.DEVICE_TYPES, *gold.MINUTE_FACTS,
)  # fmt: skip

FAR = (0, 315_532_800, 4_070_908_800, 253_402_300_800, -62_135_596_800 * 2)
"""Last writes in unix seconds: 1970, 1980, 2099, the year 10000 and one before year 1."""


@dataclass(frozen=True)
class Sent:
    """A file: the minute that it is of, its number, what is on the share, and its last write in unix µs."""

    at: datetime
    number: int
    name: str
    content: bytes
    written_us: int


@dataclass(frozen=True)
class Feed:
    """Files of homes in order, cut into deliveries, and the machine's clocks: in builds after each.

    zones: of the homes' clocks.
    """

    zones: tuple[str, ...]
    deliveries: tuple[tuple[Sent, ...], ...]
    clocks: tuple[tuple[datetime, ...], ...]

    @property
    def right_clocks(self) -> tuple[tuple[datetime, ...], ...]:
        """One build after each delivery, with a right clock."""
        return tuple((now_after(files),) for files in self.deliveries)

    @property
    def truth(self) -> dict[int, datetime]:
        """The minute of each number."""
        return {sent.number: sent.at for files in self.deliveries for sent in files}

    def registry_text(self) -> str:
        """sites.yaml, with each home's clock in its zone."""
        before = builders.REGISTRY[: builders.REGISTRY.index("homes:\n")]
        homes = "".join(
            f"  - {{id: h{place}, name: Home {place}, feed_user: {_user(place)}, weather_site: Sion, "
            f"tariff: oiken, clock_zone: {zone}, rooms: {{}}}}\n"
            for place, zone in enumerate(self.zones)
        )
        people = "people:\n  - {user: u-admin, role: admin}\n"
        return f"{before}homes:\n{homes}{people}"


def _user(place: int) -> str:
    return f"SenderNumber{place}"


def now_after(files: Sequence[Sent]) -> datetime:
    """A right clock some minutes after the last file."""
    return files[-1].at + 7 * MINUTE


def off(rng: Random) -> timedelta:
    """How far a clock is off: minutes to years, ahead or behind."""
    size = rng.choice(
        [rng.randint(1, 9) * MINUTE, rng.randint(10, 90) * MINUTE, rng.randint(2, 23) * HOUR,
         rng.randint(1, 40) * DAY, rng.randint(1, 9) * 365 * DAY, HOUR, 12 * HOUR, DAY]
    )  # fmt: skip
    return size * rng.choice((1, -1))


def feed_of(rng: Random, homes: int) -> Feed:
    """What homes send around moments of their own, with clocks of all kinds."""
    files: list[Sent] = []
    zones = []
    for place in range(homes):
        zone, moment, shift = rng.choice(CHANGES)
        around = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        reach = shift + 15
        minutes = {around + rng.randint(-reach, reach) * MINUTE for _ in range(rng.randint(6, 9))}
        minutes |= {minute + shift * MINUTE for minute in minutes if rng.random() < 0.5 and minute < around}
        files += _files(rng, _user(place), zone, sorted(minutes), len(files))
        zones.append(zone)
    deliveries = _deliveries(rng, sorted(files, key=lambda sent: sent.at))
    clocks = tuple(_clocks(rng, deliveries, place) for place in range(len(deliveries)))
    return Feed(tuple(zones), deliveries, clocks)


def _files(rng: Random, user: str, zone: str, minutes: Sequence[datetime], before: int) -> list[Sent]:
    def local(minute: datetime) -> datetime:
        return minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    has_unix = rng.random() < 0.85
    sender = rng.choice(("right", "off", "off", "still", "missing"))
    share = rng.choice(("right", "late", "off", "far", "any"))
    passes = [local(minute) for minute in minutes]
    is_repeated = any(
        local(minute + step * MINUTE) == local(minute) for minute in minutes for step in (-60, -30, 30, 60)
    )
    if not has_unix and (is_repeated or sender != "right"):
        share = "early" if sender == "missing" and not is_repeated else "right"
    early = rng.randint(0, 30 * 24) * HOUR
    ahead, still = off(rng), rng.choice(minutes)
    share_off, far = off(rng), rng.choice(FAR)
    odd = rng.choice(("none", "none", "hour", "idle", "off"))
    odd_by = {"hour": rng.choice((HOUR, -HOUR)), "off": off(rng)}.get(odd, timedelta(0))
    idle_since = minutes[0] - rng.randint(0, 20) * MINUTE
    found = []
    for number, (minute, shown) in enumerate(zip(minutes, passes, strict=True), before + 1):
        inside = {
            "right": shown,
            "off": shown + ahead,
            "still": local(min(minute, still)),
            "missing": None,
        }[sender]
        devices = [minute + timedelta(seconds=rng.uniform(-20, 20)) for _ in range(3)]
        if odd != "none":
            devices.append(idle_since if odd == "idle" else minute + odd_by)
        prompt = minute + timedelta(seconds=rng.uniform(2, 50))
        # A second pass of the same size and last write as the first is not seen: such a share's clock ticks.
        far_us = (far + number * is_repeated) * 1_000_000
        written_us = {
            "right": _us(prompt),
            "late": _us(prompt + rng.randint(0, 200) * MINUTE),
            "off": _us(prompt + share_off),
            "early": _us(prompt - early),
            "far": far_us,
            "any": rng.choice([_us(prompt + off(rng)), far_us]),
        }[share]
        content = _content(user, number, inside, devices if has_unix else ())
        name = builders.file_name(user, shown)
        found.append(Sent(minute, number, name, content, written_us))
    return found


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _content(user: str, number: int, inside: datetime | None, devices: Sequence[datetime]) -> bytes:
    rooms = ("Office", "Kitchen", "Livingroom", "Bdroom")
    plugs = {room: {"power": 10.0, "total": 500 + number} for room in rooms}
    plugs["Office"]["power"] = float(number)
    for room, moment in zip(rooms, devices, strict=False):
        plugs[room]["timePlug"] = int(moment.timestamp())
    document = builders.payload(user=user, plugs=plugs, consumptions=None)
    if inside is None:
        del document["datetime"]
    else:
        document["datetime"] = inside.strftime("%d.%m.%Y %H:%M")
    return builders.to_bytes(document)


def _deliveries(rng: Random, files: Sequence[Sent]) -> tuple[tuple[Sent, ...], ...]:
    """Cut the files at random, and before a name comes again: a share shows its last version only."""
    cuts: list[list[Sent]] = [[]]
    for sent in files:
        if cuts[-1] and (rng.random() < 0.02 or sent.name in {one.name for one in cuts[-1]}):
            cuts.append([])
        cuts[-1].append(sent)
    return tuple(map(tuple, cuts))


def _clocks(rng: Random, deliveries: Sequence[Sequence[Sent]], place: int) -> tuple[datetime, ...]:
    """The machine's clock in the builds after a delivery: wrong ones, and a right one in the end.

    The right one may be missing, unless a later delivery overwrites these files: a clock behind leaves them.
    """
    right = now_after(deliveries[place])
    wrong = [right + off(rng) for _ in range(rng.choice((0, 1, 1, 2)))]
    later = {sent.name for files in deliveries[place + 1 :] for sent in files}
    is_last = place == len(deliveries) - 1
    needed = is_last or any(sent.name in later for sent in deliveries[place]) or not wrong
    return (*wrong, right) if needed or rng.random() < 0.5 else tuple(wrong)


def put(folder: Path, files: Iterable[Sent]) -> None:
    """Write files to a share, with their last writes; a year that the disk cannot hold becomes its last."""
    folder.mkdir(parents=True, exist_ok=True)
    for sent in files:
        path = folder / sent.name
        path.write_bytes(sent.content)
        os.utime(path, ns=(sent.written_us * 1_000, sent.written_us * 1_000))


@dataclass
class Machine:
    """A share, a lake in memory, and a machine whose clock is set before each build."""

    folder: Path
    feed: Feed
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        self.sites_file = builders.write_sites(self.folder, self.feed.registry_text())
        self.lake = MemoryLake(f"{self.folder}/lake")
        self.registry = builders.registry(self.feed.registry_text())

    def run(self, clocks: Sequence[Sequence[datetime]]) -> "Machine":
        """Deliver all files; after each delivery build by each of its clocks."""
        for files, moments in zip(self.feed.deliveries, clocks, strict=True):
            put(self.folder / "share", files)
            for now in moments:
                # A refused build does nothing.
                with suppress(ConfigurationError):
                    self._build(now)
        return self

    def _build(self, now: datetime) -> None:
        """The steps of `domotic build`, with this clock."""
        settings = Settings.of(self.sites_file, f"{self.folder}/lake", {})
        work = Workspace(settings, Sites(self.registry, self.folder), self.lake, clock=lambda: now)
        refuse_a_clock_behind(work)
        arrivals.forget_keys_outside_calendar(work, work.worklist.read())
        found = landing.discover_sensor_files(work)
        minutes = {*found.minutes, *reading.unflattened_minutes(work)}
        windows: list[Window] = sorted(cover(minutes, now))
        if not windows:
            return
        with work.listing_cache.kept(found.rows):
            landing.land_sensor_files(work, windows)
        for step in (
            reading.flatten_sensor_files, facts.energy_facts, facts.environment_facts, facts.presence_facts,
        ):  # fmt: skip
            step(work, windows)

    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table right of bronze, by its primary key."""
        return {table.id: self.lake.read(table).sort(table.primary_key) for table in TABLES}


def minutes_of_numbers(lake: Lake) -> list[tuple[int, datetime]]:
    """Each number that silver holds, and the minute where it is."""
    is_number = (pl.col("variable") == "plugs.power") & pl.col("device").str.contains("/office/")
    found = lake.read(silver.SENSOR_EVENTS, where=is_number).sort("value")
    return [(int(value), minute) for value, minute in found.select("value", "ts").iter_rows()]
