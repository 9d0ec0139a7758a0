"""Names the folders of an installation that are closed to other accounts when it is opened.

A folder is closed only if it holds what the product wrote: another may be named by mistake, or be shared.
"""

from dataclasses import dataclass
from pathlib import Path

from domotic_assets.owner_only import close_once, refuse_another_account, rights_of_others
from domotic_assets.settings import Settings, is_remote


@dataclass(frozen=True)
class _Kind:
    """What is closed in a folder, and patterns of which one is found in every folder that we have written.

    Anything else there is not ours: somebody's home may be the root, other projects may share DAGSTER_HOME.
    """

    closed: tuple[str, ...]
    signs: tuple[str, ...]

    def is_found(self, folder: Path) -> bool:
        """Return whether the product has written in this folder."""
        return any(next(folder.glob(sign), None) is not None for sign in self.signs)


_SERVE = _Kind((".building", ".base"), (".building", ".base", "domotic-*.duckdb"))
_RECORDS_SIGNS = ("work.lock", "lane.lock", "live.lock")
_RECORDS = _Kind(
    (
        *("dagster.yaml", "workspace.yaml", "history", "schedules", "storage", "dbt", "serve", "sign_in"),
        *("work.json", "alerts.json", "build.log", "live.log", "live.log.1", *_RECORDS_SIGNS),
    ),
    _RECORDS_SIGNS,
)
_LAKE = _Kind(
    ("bronze", "silver", "gold", "serve", "dagster", "sources"),
    (
        *(f"{layer}/*/_delta_log" for layer in ("bronze", "silver", "gold")),
        *(f"dagster/{sign}" for sign in _RECORDS.signs),
        *(f"serve/{sign}" for sign in _SERVE.signs),
    ),
)


def close_installation(settings: Settings) -> None:
    """Close the lake, Dagster's records and the published files to other accounts, once each.

    A lake in an object store is not closed, and no folder in which the product has written nothing yet.
    Raises LakeError for a folder of another account, and for one that everybody may write into by design.
    """
    for folder, kind in _folders(settings).items():
        refuse_another_account(folder)
        if kind.is_found(folder):
            close_once(folder, kind.closed)


def opened_to_others(settings: Settings) -> list[str]:
    """Return a line for each folder of the installation that other accounts have rights on.

    Folders below the lake's root are protected by it.
    """
    return [
        f"{folder} is open to other accounts ({rights})"
        for folder, kind in _folders(settings).items()
        if kind.is_found(folder) and (rights := rights_of_others(folder)) is not None
    ]


def _folders(settings: Settings) -> dict[Path, _Kind]:
    """Return the folders that may be closed. One inside another is left out."""
    found: dict[Path, _Kind] = {}
    if not is_remote(settings.lake_root):
        found[Path(settings.lake_root)] = _LAKE
    for folder, kind in ((settings.dagster_home, _RECORDS), (settings.serve, _SERVE)):
        if not any(folder.is_relative_to(outer) for outer in found):
            found[folder] = kind
    return found
