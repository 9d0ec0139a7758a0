"""What the bench works on: simulated homes with their usual defects, and the measured week."""

import os
import re
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from domotic_assets.domains.homes.bronze.landing import Landing
from domotic_assets.ingest.files import File, versions
from domotic_assets.registry.loading import load_sites
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes import bronze
from domotic_assets.simulator.homes import with_homes, write_sites
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets.sources.files.local import LocalFolder
from domotic_assets_tests.support.shared_data import REPOSITORY, shared_folder

REAL_WEEK = shared_folder() / "real_week"
FIRST_DAY = datetime(2023, 9, 4, tzinfo=UTC)
SEED = 20230904


@dataclass(frozen=True)
class Feed:
    """A share of sensor files in a folder, and the registry of its homes."""

    folder: Path
    registry: Registry

    @property
    def sites_file(self) -> Path:
        """The registry's file."""
        return self.folder / "sites.yaml"

    @property
    def share(self) -> Path:
        """The folder of sensor files."""
        return self.folder / "share"


def simulated(place: Path, minutes: int, homes: int = 2) -> Feed:
    """Simulated minutes of some homes, every defect at its usual share; made where not there yet."""
    folder = place / f"homes{homes}-minutes{minutes}"
    registry = with_homes(load_sites(REPOSITORY / "sites.yaml").registry, homes)
    if not (folder / "complete").exists():
        folders = Folders.below(folder)
        folders.make()
        write_sites(folder / "sites.yaml", registry)
        write_history(Simulation(registry, FIRST_DAY, seed=SEED), folders, minutes)
        (folder / "complete").touch()
    return Feed(folder, load_sites(folder / "sites.yaml").registry)


def real_week(place: Path) -> Feed | None:
    """The measured week, unpacked; None where it is not on this machine."""
    if not REAL_WEEK.exists():
        return None
    folder = place / "real-week"
    registry = load_sites(REPOSITORY / "sites.yaml").registry
    if not (folder / "complete").exists():
        (folder / "share").mkdir(parents=True, exist_ok=True)
        with tarfile.open(REAL_WEEK / "share.tar.xz") as archive:
            archive.extractall(folder / "share", filter="data")
        write_sites(folder / "sites.yaml", registry)
        (folder / "complete").touch()
    return Feed(folder, registry)


def real_weeks(place: Path, weeks: int, beside: Feed) -> Feed | None:
    """The measured week and as many before it, alike but for their dates.

    beside: whose forecasts and register lie beside them. No clock is changed in the half year before the
    week. None where it is not on this machine.
    """
    week = real_week(place)
    if week is None:
        return None
    folder = place / f"real-weeks{weeks}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(beside.folder, folder, ignore=lambda *_: {"share", "complete"})
        (folder / "share").mkdir()
        for file in week.share.iterdir():
            for earlier in range(weeks):
                write_earlier(file, folder / "share", timedelta(weeks=earlier))
        (folder / "complete").touch()
    return Feed(folder, load_sites(folder / "sites.yaml").registry)


def write_earlier(file: Path, share: Path, by: timedelta) -> None:
    """The file as it would have been sent so long before: name, times inside, and last write."""
    day, rest = file.name.split(" ", 1)
    seconds = int(by.total_seconds())
    content = file.read_bytes()
    content = _DAY_INSIDE.sub(lambda found: found[1] + _earlier(found[2].decode(), by).encode(), content)
    content = _UNIX_TIME.sub(lambda found: found[1] + str(int(found[2]) - seconds).encode(), content)
    target = share / f"{_earlier(day, by)} {rest}"
    target.write_bytes(content)
    modified = file.stat().st_mtime - seconds
    os.utime(target, (modified, modified))


_DAY_INSIDE = re.compile(rb'("datetime": ")([0-9]{2}\.[0-9]{2}\.[0-9]{4})')
_UNIX_TIME = re.compile(rb'("time(?:Plug|Consumption)": )([0-9]+)')


def _earlier(day: str, by: timedelta) -> str:
    return f"{datetime.strptime(day, '%d.%m.%Y').replace(tzinfo=UTC) - by:%d.%m.%Y}"


def both(place: Path, minutes: int) -> dict[str, Feed]:
    """Simulated minutes of two homes, and the measured week where it is on this machine."""
    week = real_week(place)
    measured = {} if week is None else {"the real week's files": week}
    return {"simulated files": simulated(place, minutes), **measured}


def files_of(feed: Feed, number: int) -> list[File]:
    """The first files of a share by name, read into memory."""
    folder = LocalFolder(feed.share)
    return [File(*payload) for payload in folder.read(folder.entries()[:number])]


def bronze_of(feed: Feed, files: Sequence[File]) -> pl.DataFrame:
    """The files as `flatten` takes them: one row per file version."""
    nothing = bronze.SENSOR_FILES.empty().select("name", "window", "file_id", "arrived_at")
    return versions(Landing(feed.registry, nothing, datetime.now(UTC)).land(files).rows)
