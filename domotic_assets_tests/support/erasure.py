"""Lakes with a home to forget: the world that they are built from, and what must not be left of the home."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from domotic_assets.alerts import memory
from domotic_assets.alerts.incidents import Incident, Known, Told
from domotic_assets.alerts.problems import Problem
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets_tests.support import builders, leaks
from domotic_assets_tests.support.copies import copy_installation
from domotic_assets_tests.support.lakes import leave_unpublished, open_lake
from domotic_assets_tests.support.leaks import Finding

HOME, OTHER = "jimmy", "jeremie"
START = datetime(2023, 9, 4, 22, tzinfo=UTC)
MINUTES = 150
"""Over midnight: two UTC dates."""
SHARES = {"all": 0.03, "missing": 0.05}

_FIRST, _SECOND = builders.REGISTRY.index("  - id: jimmy"), builders.REGISTRY.index("  - id: jeremie")
WITHOUT = (
    (builders.REGISTRY[:_FIRST] + builders.REGISTRY[_SECOND:])
    .replace("    rooms: *rooms\n", f"    rooms:\n{builders.ROOMS}")
    .replace("  - {user: u-1001, role: owner, homes: [jimmy], lives_there: true}\n", "")
)
"""The registry once the home's entry and its people are removed."""


@dataclass(frozen=True)
class World:
    """Sources, sites.yaml, a lake, and a folder for receipts."""

    folder: Path

    @property
    def lake(self) -> Path:
        # People name folders as they like; what opens files by their addresses in Delta's log has to cope.
        return self.folder / "our lake, größer"

    @property
    def sites_file(self) -> Path:
        return self.folder / "sites.yaml"

    @property
    def receipt(self) -> Path:
        return self.folder / "receipt.json"

    def work(self) -> Workspace:
        return open_lake(self.sites_file, self.lake)

    def copy(self, folder: Path) -> "World":
        """The same elsewhere."""
        copy_installation(self.folder, folder)
        return World(folder)

    def unname(self) -> None:
        """Remove the home from sites.yaml."""
        builders.write_sites(self.folder, WITHOUT)

    def findings(self) -> list[Finding]:
        """What the tests' own scan finds of the home below the lake."""
        return leaks.scan(self.lake, forbidden())


def simulated(folder: Path) -> World:
    """The sources of two homes with defects, over two hours and a half."""
    world = World(folder)
    builders.write_sites(folder)
    simulation = Simulation(world.work().registry, START, seed=4, defects=SHARES, weather_sites=1)
    write_history(simulation, Folders.below(folder), MINUTES)
    return world


def deliver_later(world: World) -> None:
    """What came later under a name that was there."""
    for file in (world.folder / "later").iterdir():
        shutil.copy2(file, world.folder / "share" / file.name)


def built(folder: Path) -> World:
    """A lake of two deliveries, with logs, checkpoints and alerts that speak of the home."""
    # Here, as a process that forgets does not wait for all that a build imports.
    from domotic_assets.orchestration.build import build

    world = simulated(folder)
    with pytest.MonkeyPatch.context() as patch:
        leave_unpublished(patch)
        build(world.work())
    deliver_later(world)
    build(world.work())
    for table in ("bronze/sensor_files", "silver/sensor_events", "gold/fact_energy_minute"):
        DeltaTable(str(world.lake / table)).create_checkpoint()
    problem = Problem("silence", "silent", "silver/sensor_files", START, HOME)
    other = Problem("silence", "silent", "silver/sensor_files", START, OTHER)
    incidents = {one.id: one for one in (Incident(problem, START), Incident(other, START))}
    told = {"mail": Told(dict.fromkeys(incidents, "started"))}
    memory.remember(world.lake / "dagster", memory.Memory(Known(incidents, told)))
    (world.lake / "dagster" / "live.log").write_text(f"ERROR nothing came of {HOME}\n")
    return world


def forbidden() -> Mapping[str, str]:
    """The home's id, user, name and token, and its surrogate keys as the devices of its files give them."""
    natural = [f"{HOME}/{room}" for room in ("office", "kitchen", "livingroom", "house", "bathroom")]
    natural += [f"{HOME}/office/plugs/1", f"{HOME}/house/consumptions/1", f"{HOME}/livingroom/doorsWindows/1"]
    values = [HOME, builders.FEED_USERS[HOME], "Apartment Jimmy"]
    return {f"value {value}": value for value in values} | {
        f"key of {name}": str(surrogate_key(name)) for name in (HOME, *natural)
    }


def bytes_of_keys() -> list[bytes]:
    """The keys of the home and of one of its rooms as a column of whole numbers stores them."""
    return [surrogate_key(name).to_bytes(8, "little") for name in (HOME, f"{HOME}/office")]


def rows_of_others(frame: pl.DataFrame) -> pl.DataFrame:
    """A table's rows less those of the home, by its ids and keys alone."""
    keys = [surrogate_key(HOME), *(surrogate_key(name) for name in _natural_ids(frame))]
    for column in ("apartment_key", "room_key", "device_key"):
        if column in frame.columns:
            frame = frame.filter(~pl.col(column).is_in(keys))
    return frame.filter(pl.col("home").ne_missing(HOME)) if "home" in frame.columns else frame


def _natural_ids(frame: pl.DataFrame) -> list[str]:
    named = [column for column in ("room_id", "device_id") if column in frame.columns]
    return [value for column in named for value in frame[column] if value.startswith(f"{HOME}/")]
