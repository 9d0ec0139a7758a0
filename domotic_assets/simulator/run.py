"""Runs the simulation: worlds, their deliveries and the forecasts in order of time, written to the folders.

`simulate_history` writes days as fast as it can, `simulate_live` goes on minute by minute in real time.
"""

import heapq
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from domotic_assets.errors import ConfigurationError
from domotic_assets.localtime import MINUTE, zone
from domotic_assets.registry.entry import MINUTES_PER_DAY
from domotic_assets.registry.loading import Sites
from domotic_assets.registry.registry import Registry
from domotic_assets.registry.sources import FolderFiles, SqliteDatabase
from domotic_assets.simulator.defects import Carrier, Delivery, shares
from domotic_assets.simulator.forecasts import (
    ISSUE_HOUR_LOCAL,
    file_name,
    forecast_file,
    forecast_sites,
    issue_moment,
)
from domotic_assets.simulator.register import write_register
from domotic_assets.simulator.truth import TruthFiles, open_truth
from domotic_assets.simulator.world import World

DEFAULT_SEED = 1
DEFAULT_WEATHER_SITES = 8

Progress = Callable[[datetime, int], None]
"""Called with the simulated moment and the files written so far: in a history every simulated hour, live
every minute."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a simulation's files depend on besides the homes; saved beside the share, so that it can go on."""

    start: datetime
    seed: int = DEFAULT_SEED
    weather_sites: int = DEFAULT_WEATHER_SITES
    defects: Mapping[str, float] = field(default_factory=dict)

    def write(self, folders: "Folders") -> None:
        """Save the conditions beside the share."""
        kept = asdict(self) | {"start": self.start.isoformat(), "defects": dict(self.defects)}
        _conditions_file(folders).write_text(json.dumps(kept, indent=1))

    @classmethod
    def read(cls, folders: "Folders") -> "Conditions":
        """Read the conditions of what filled these folders; raise ConfigurationError if there are none."""
        file = _conditions_file(folders)
        try:
            kept = json.loads(file.read_text())
        except FileNotFoundError:
            raise ConfigurationError(
                "no such file",
                where=str(file),
                expected="the conditions of the simulation that filled the share",
                remedy="simulate without --continue first",
            ) from None
        return cls(**(kept | {"start": datetime.fromisoformat(kept["start"])}))


def _conditions_file(folders: "Folders") -> Path:
    """Return the path of the file that keeps a simulation's conditions, beside the share."""
    return folders.share.parent / "simulation.json"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the sources' files go.

    later: for files whose name already exists on the share. register: None if sites.yaml names none.
    """

    share: Path
    later: Path
    weather: Path
    register: Path | None

    @classmethod
    def below(cls, folder: Path) -> "Folders":
        """Return `share`, `later`, `weather` and `register.sqlite` in one folder."""
        return cls(folder / "share", folder / "later", folder / "weather", folder / "register.sqlite")

    @classmethod
    def of(cls, sites: Sites) -> "Folders":
        """Return the addresses that sites.yaml names; `later` is beside the share.

        Raises ConfigurationError if a source is a server, since the simulation cannot write to one.
        """
        share = _folder(sites, "sensor_files")
        weather = _folder(sites, "weather_files") if "weather_files" in sites.registry.sources else None
        register = _folder(sites, "register_rows") if "register_rows" in sites.registry.sources else None
        return cls(share, share.parent / "later", weather or share.parent / "weather", register)

    def make(self) -> None:
        """Create the folders that are missing; raise ConfigurationError if one cannot be created."""
        for folder in (
            self.share,
            self.later,
            self.weather,
            *([self.register.parent] if self.register else []),
        ):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"cannot be made ({error.strerror})",
                    where=str(folder),
                    expected="a folder that may be written",
                    remedy="check its permissions, or name another by --out",
                ) from None


def _folder(sites: Sites, name: str) -> Path:
    """Return the local path of the source that sites.yaml has under this name: a folder or a SQLite file.

    Raises ConfigurationError if the source is of another kind, such as a server, and KeyError if there is
    none.
    """
    source = sites.registry.sources[name]
    if not isinstance(source, FolderFiles | SqliteDatabase):
        raise ConfigurationError(
            f"a source of kind {source.kind} cannot be simulated into",
            where=source.address,
            expected="folders and a SQLite register",
            remedy="name a folder of this machine by --out",
        )
    return sites.path(source.address)


class Simulation:
    """Every home's world from `start` on, and everything that arrives because of it.

    The same arguments give the same deliveries. Those of a home depend on seed, home and start, not on other
    homes.
    """

    def __init__(
        self,
        registry: Registry,
        start: datetime,
        *,
        seed: int = DEFAULT_SEED,
        defects: Mapping[str, float] | None = None,
        weather_sites: int = DEFAULT_WEATHER_SITES,
    ) -> None:
        chosen = shares(defects)
        self.registry = registry
        self.start = start
        self.seed = seed
        self.now = start
        self.worlds = [World(seed, home, start) for home in registry.homes]
        self._carriers = [Carrier(seed, world, chosen) for world in self.worlds]
        self._sites = forecast_sites(registry, weather_sites)
        self._waiting: list[tuple[datetime, int, Delivery]] = []
        self._number = 0

    def advance(self, truth: TruthFiles | None = None) -> Iterator[Delivery]:
        """Simulate the next minute and yield what arrives in it, in order of arrival."""
        for world, carrier in zip(self.worlds, self._carriers, strict=True):
            world.step()
            deliveries, struck = carrier.carry()
            for delivery in deliveries:
                self._expect(delivery)
            if truth is not None:
                truth.write(world, struck)
        if self.now.minute == 0:
            self._forecast()
        self.now += MINUTE
        while self._waiting and self._waiting[0][0] < self.now:
            yield heapq.heappop(self._waiting)[2]

    def rest(self) -> Iterator[Delivery]:
        """Yield what left its home before now and has not arrived yet."""
        while self._waiting:
            yield heapq.heappop(self._waiting)[2]

    def deliveries(self, minutes: int, truth: TruthFiles | None = None) -> Iterator[Delivery]:
        """Yield all that leaves in the next `minutes`, up to the last late file, in order of arrival."""
        for _ in range(minutes):
            yield from self.advance(truth)
        yield from self.rest()

    def _expect(self, delivery: Delivery) -> None:
        """Add a delivery to those that wait for their time of arrival."""
        self._number += 1
        heapq.heappush(self._waiting, (delivery.arrived_at, self._number, delivery))

    def _forecast(self) -> None:
        """Add today's forecast file to the waiting deliveries if this is its hour of issue.

        Today and ISSUE_HOUR_LOCAL are those of the registry's calendar time zone.
        """
        local = self.now.astimezone(zone(self.registry.calendar_time_zone))
        if local.hour == ISSUE_HOUR_LOCAL:
            issued = local.date()
            arrived_at = issue_moment(issued, self.registry.calendar_time_zone)
            content = forecast_file(self.seed, issued, self._sites)
            self._expect(Delivery(file_name(issued), arrived_at, content, folder="weather"))


def utc_day(day: date) -> datetime:
    """Return the start of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def simulate_history(
    registry: Registry,
    folders: Folders,
    start: date,
    days: int,
    *,
    seed: int = DEFAULT_SEED,
    defects: Mapping[str, float] | None = None,
    weather_sites: int = DEFAULT_WEATHER_SITES,
    truth: Path | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the register and `days` UTC days from `start` on; return the number of files written.

    A file's last-write time is its time of arrival. The same arguments give the same bytes and times.
    """
    simulation = Simulation(registry, utc_day(start), seed=seed, defects=defects, weather_sites=weather_sites)
    with open_truth(truth) as truth_files:
        return write_history(simulation, folders, days * MINUTES_PER_DAY, truth_files, progress)


def write_history(
    simulation: Simulation,
    folders: Folders,
    minutes: int,
    truth: TruthFiles | None = None,
    progress: Progress | None = None,
    *,
    goes_on: bool = False,
    again: bool = False,
) -> int:
    """Write the register and what leaves in the next `minutes`, without waiting; return the number of files.

    goes_on: leave what arrives after these minutes to the live feed. again: these minutes may have been
    written before; files that exist are left as they are.
    """
    folders.make()
    if folders.register is not None and not (again and folders.register.exists()):
        write_register(folders.register, simulation.seed, simulation.registry.homes, simulation.start)
    written = 0
    for _ in range(minutes):
        for delivery in simulation.advance(truth):
            if not (again and path_of(delivery, folders).exists()):
                publish(delivery, folders)
                written += 1
        if progress is not None and simulation.now.minute == 0:
            progress(simulation.now, written)
    if not goes_on:
        for delivery in simulation.rest():
            publish(delivery, folders)
            written += 1
    return written


def simulate_live(
    simulation: Simulation,
    folders: Folders,
    *,
    speed: float = 1.0,
    minutes: int | None = None,
    truth: TruthFiles | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Go on from the simulation's moment, a minute every 60 / speed seconds; return the number of files.

    Without `minutes` it goes on for ever. A file is written when it arrives. A name may be written again in
    place, as on the real share.
    """
    folders.make()
    began, start = clock(), simulation.now
    written = passed = 0
    while minutes is None or passed < minutes:
        for delivery in simulation.advance(truth):
            due = began + (delivery.arrived_at - start).total_seconds() / speed
            sleep(max(0.0, due - clock()))
            publish(delivery, folders, in_place=True)
            written += 1
        passed += 1
        if progress is not None:
            progress(simulation.now, written)
        sleep(max(0.0, began + passed * 60 / speed - clock()))
    return written


def path_of(delivery: Delivery, folders: Folders, *, in_place: bool = False) -> Path:
    """Return the path of a delivery's file."""
    if delivery.folder == "weather":
        return folders.weather / delivery.name
    return (folders.later if delivery.again and not in_place else folders.share) / delivery.name


def publish(delivery: Delivery, folders: Folders, *, in_place: bool = False) -> None:
    """Write a file, with its time of arrival as last-write time."""
    path = path_of(delivery, folders, in_place=in_place)
    # Truncating an old file costs a flush of two milliseconds; a new file in its place does not.
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(delivery.content)
    seconds = delivery.arrived_at.timestamp()
    os.utime(path, (seconds, seconds))
