"""What every step works on: the registry, the lake, the settings, a clock, and who is told of progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from domotic_assets.flow.listing_cache import ListingCache
from domotic_assets.flow.worklist import WorkList
from domotic_assets.lake.store import Lake
from domotic_assets.registry.loading import Sites, load_sites
from domotic_assets.registry.registry import Registry
from domotic_assets.settings import Settings
from domotic_assets.sources.files.folders import FileFolder
from domotic_assets.sources.opening import open_folder, open_register
from domotic_assets.sources.sql.snapshots import RelationalSource

DBT_PROJECT = Path(__file__).parents[2] / "dbt"

Report = Callable[[str, int, int], None]
"""Called with a step's name, what is done and what there is to do."""


def _silent(step: str, done: int, total: int) -> None:
    """Nobody listens."""


def system_clock() -> datetime:
    """The present by this machine's clock, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workspace:
    """The registry, the lake and the settings of one installation.

    listing_cache: what a listing found, until it is landed. clock: gives the present; steps ask no other.
    publishes: whether published files and the team's database are brought up to Gold.
    """

    settings: Settings
    sites: Sites
    lake: Lake
    report: Report = field(default=_silent)
    listing_cache: ListingCache = field(default_factory=ListingCache)
    clock: Callable[[], datetime] = system_clock
    publishes: bool = True

    @classmethod
    def open(cls, settings: Settings, report: Report = _silent) -> "Workspace":
        """Read the registry and point at the lake; raises ConfigurationError."""
        return cls(settings, load_sites(settings.sites_file), Lake(settings.lake_root), report)

    @property
    def registry(self) -> Registry:
        """The registry."""
        return self.sites.registry

    @cached_property
    def sensor_folder(self) -> FileFolder:
        """Where the sensor files come from; its connection is kept from call to call."""
        return open_folder(self.registry.sources.sensor_files, self.sites, self.settings)

    @cached_property
    def weather_folder(self) -> FileFolder:
        """Where the forecast files come from."""
        return open_folder(self.registry.sources.weather_files, self.sites, self.settings)

    @property
    def register(self) -> RelationalSource | None:
        """The building register; None where sites.yaml names none."""
        source = self.registry.sources.register_rows
        return None if source is None else open_register(source, self.sites, self.settings)

    @property
    def worklist(self) -> WorkList:
        """What is still to be carried to Gold."""
        return WorkList(self.settings.dagster_home)

    @property
    def serve(self) -> Path:
        """The folder of the published files, on this machine."""
        return self.settings.serve

    def now(self) -> datetime:
        """The present, UTC."""
        return self.clock()
