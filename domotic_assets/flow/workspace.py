"""Bundles what every step works on: the registry, the lake, the settings, a clock and a progress report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import get_args

from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.closing import close_installation
from domotic_assets.flow.listing_cache import ListingCache
from domotic_assets.flow.worklist import WorkList
from domotic_assets.lake.store import Lake
from domotic_assets.registry.loading import Sites, load_sites
from domotic_assets.registry.registry import Registry
from domotic_assets.registry.sources import DatabaseSource, FileSource
from domotic_assets.schemas.records import RecordTable
from domotic_assets.settings import Settings
from domotic_assets.sources.files.folders import FileFolder
from domotic_assets.sources.opening import open_database, open_folder
from domotic_assets.sources.sql.snapshots import RelationalSource

DBT_PROJECT = Path(__file__).parents[2] / "dbt"

Report = Callable[[str, int, int], None]
"""Receives progress: a step's name, how much is done, and how much there is in total."""


def _silent(step: str, done: int, total: int) -> None:
    """Ignore progress."""


def system_clock() -> datetime:
    """Return the present by this machine's clock, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workspace:
    """The registry, the lake and the settings of one installation.

    report: receives progress. listing_cache: files that a listing found, until they are landed.
    clock: gives the present; steps use no other clock.
    publishes: whether published files and the team's database are kept up to date with Gold.
    """

    settings: Settings
    sites: Sites
    lake: Lake
    report: Report = field(default=_silent)
    listing_cache: ListingCache = field(default_factory=ListingCache)
    clock: Callable[[], datetime] = system_clock
    publishes: bool = True
    _folders: dict[str, FileFolder] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def open(cls, settings: Settings, report: Report = _silent) -> "Workspace":
        """Read the registry, close the lake to other accounts, and refer to it.

        Raises ConfigurationError if sites.yaml is wrong, LakeError if a folder belongs to another account.
        """
        close_installation(settings)
        return cls(settings, load_sites(settings.sites_file), Lake(settings.lake_root), report)

    @property
    def registry(self) -> Registry:
        """The registry: the checked content of sites.yaml."""
        return self.sites.registry

    def folder(self, name: str) -> FileFolder | None:
        """Open the folder of a source of sites.yaml; None if there is no source of this name.

        Its connection is kept from call to call.
        Raises ConfigurationError if the source is no folder, or if a credential is not set.
        """
        entry = self.registry.sources.get(name)
        if entry is None:
            return None
        if not isinstance(entry, FileSource):
            raise self._other_family(name, entry.kind, FileSource)
        if name not in self._folders:
            self._folders[name] = open_folder(entry, self.sites, self.settings)
        return self._folders[name]

    def database(self, name: str, tables: Mapping[str, RecordTable]) -> RelationalSource | None:
        """Open the database of a source of sites.yaml; None if there is no source of this name.

        tables: the only ones that may be read. Raises ConfigurationError if the source is no database, or if
        a credential is not set; SourceError if a SQLite file is missing.
        """
        entry = self.registry.sources.get(name)
        if entry is None:
            return None
        if not isinstance(entry, DatabaseSource):
            raise self._other_family(name, entry.kind, DatabaseSource)
        return open_database(entry, self.sites, self.settings, tables)

    def close(self) -> None:
        """Close the connections to sources; the next call opens them again."""
        for folder in self._folders.values():
            folder.close()

    def _other_family(self, name: str, found: str, family: UnionType) -> ConfigurationError:
        """Make the error of a source in sites.yaml that is of a wrong kind.

        found: the kind that it has. family: union of the source types that are expected.
        """
        kinds = [get_args(entry.model_fields["kind"].annotation)[0] for entry in get_args(family)]
        return ConfigurationError(
            f"sources.{name} is of kind {found!r}",
            where=str(self.settings.sites_file),
            expected=f"one of {', '.join(kinds)}",
            remedy="correct the entry",
        )

    @property
    def worklist(self) -> WorkList:
        """The work list: windows and dates that are not in Gold yet."""
        return WorkList(self.settings.dagster_home)

    @property
    def serve(self) -> Path:
        """The folder of the published files, on this machine."""
        return self.settings.serve

    def now(self) -> datetime:
        """Return the present, UTC."""
        return self.clock()
