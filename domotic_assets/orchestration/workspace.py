"""What every step works on: the registry, the lake, the settings, and somebody to tell about progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from domotic_assets.lake.store import Lake
from domotic_assets.registry import Registry, Sites, load_sites
from domotic_assets.settings import Settings

Report = Callable[[str, int, int], None]
"""Called with a step's name, what is done and what there is to do."""


def _silent(step: str, done: int, total: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Workspace:
    """The registry, the lake and the settings of one installation."""

    settings: Settings
    sites: Sites
    lake: Lake
    report: Report = field(default=_silent)

    @classmethod
    def open(cls, settings: Settings, report: Report = _silent) -> "Workspace":
        """Read the registry and point at the lake; raises ConfigurationError."""
        return cls(settings, load_sites(settings.sites_file), Lake(settings.lake_root), report)

    @property
    def registry(self) -> Registry:
        """The registry."""
        return self.sites.registry

    @property
    def serve(self) -> Path:
        """The folder of the published files."""
        return Path(self.lake.root) / "serve"
