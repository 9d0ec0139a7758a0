"""What every step works on: the registry, the lake, the settings, a clock, and who is told of progress."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import get_args

from domotic_assets.errors import ConfigurationError
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
    _folders: dict[str, FileFolder] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def open(cls, settings: Settings, report: Report = _silent) -> "Workspace":
        """Read the registry and point at the lake; raises ConfigurationError."""
        return cls(settings, load_sites(settings.sites_file), Lake(settings.lake_root), report)

    @property
    def registry(self) -> Registry:
        """The registry."""
        return self.sites.registry

    def folder(self, name: str) -> FileFolder | None:
        """The folder of a source of sites.yaml; None where there is no source of this name.

        Its connection is kept from call to call.
        Raises ConfigurationError for a source of another family, or a credential that is not set.
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
        """The database of a source of sites.yaml, of which `tables` may be read; None where none is named.

        Raises as `folder`, and SourceError when a SQLite file is missing.
        """
        entry = self.registry.sources.get(name)
        if entry is None:
            return None
        if not isinstance(entry, DatabaseSource):
            raise self._other_family(name, entry.kind, DatabaseSource)
        return open_database(entry, self.sites, self.settings, tables)

    def close(self) -> None:
        """Let go of connections to sources; the next call opens them again."""
        for folder in self._folders.values():
            folder.close()

    def _other_family(self, name: str, found: str, family: UnionType) -> ConfigurationError:
        kinds = [get_args(entry.model_fields["kind"].annotation)[0] for entry in get_args(family)]
        return ConfigurationError(
            f"sources.{name} is of kind {found!r}",
            where=str(self.settings.sites_file),
            expected=f"one of {', '.join(kinds)}",
            remedy="correct the entry",
        )

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
