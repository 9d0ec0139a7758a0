"""Copies of whole installations, which go on as the original would."""

import shutil
from pathlib import Path

from domotic_assets.owner_only import is_private
from domotic_assets.serve import base, publish


def copy_installation(folder: Path, target: Path) -> None:
    """Copy a folder with sites.yaml and its lake; a published file keeps its two names for one file.

    A copy of a base proves nothing by itself: here it is known to be one, and recorded as proved.
    """
    shutil.copytree(folder, target, dirs_exist_ok=True)
    for serve in target.rglob("serve"):
        original = folder / serve.relative_to(target)
        for scope in publish.published_scopes(serve):
            stable = publish.published_file(original, scope)
            for version in original.glob(f"domotic-{scope}-*.duckdb"):
                if version.samefile(stable):
                    (serve / version.name).unlink()
                    (serve / version.name).hardlink_to(publish.published_file(serve, scope))
        if is_private(serve / base.FOLDER):
            _prove(serve)


def _prove(serve: Path) -> None:
    """Record how the copies look, as if they had been published here."""
    held = base.read_record(serve)
    held.slots = {slot: base.look_of(serve / base.FOLDER / slot) for slot in held.slots}
    held.published = {name: base.look_of(serve / name) for name in held.published}
    base.write_record(serve, held)
