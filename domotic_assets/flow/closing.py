"""Names the folders of an installation that are closed to other accounts when it is opened."""

from pathlib import Path

from domotic_assets.owner_only import close_once, rights_of_others
from domotic_assets.settings import Settings, is_remote

_OF_A_LAKE = ("bronze", "silver", "gold", "serve", "dagster", "sources")
"""What is closed below a lake's root. Anything else there is not ours: somebody's home may be the root."""


def close_installation(settings: Settings) -> None:
    """Close the lake, Dagster's records and the published files to other accounts, once each.

    A lake in an object store is not closed. Raises LakeError for a folder of another account.
    """
    for folder, below in _folders(settings).items():
        close_once(folder, below)


def opened_to_others(settings: Settings) -> list[str]:
    """Return a line for each folder of the installation that other accounts have rights on.

    Folders below the lake's root are protected by it.
    """
    return [
        f"{folder} is open to other accounts ({rights})"
        for folder in _folders(settings)
        if (rights := rights_of_others(folder)) is not None
    ]


def _folders(settings: Settings) -> dict[Path, tuple[str, ...] | None]:
    """Return the folders with what is closed below each; None for all. One inside another is left out."""
    found: dict[Path, tuple[str, ...] | None] = {}
    if not is_remote(settings.lake_root):
        found[Path(settings.lake_root)] = _OF_A_LAKE
    for folder, below in ((settings.dagster_home, None), (settings.serve, (".building", ".base"))):
        if not any(folder.is_relative_to(outer) for outer in found):
            found[folder] = below
    return found
