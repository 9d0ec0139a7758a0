"""Copies of whole installations, which go on as the original would."""

import shutil
from pathlib import Path

from domotic_assets.serve import publish


def copy_installation(folder: Path, target: Path) -> None:
    """Copy a folder with sites.yaml and its lake; a published file keeps its two names for one file."""
    shutil.copytree(folder, target)
    for serve in target.rglob("serve"):
        original = folder / serve.relative_to(target)
        for scope in publish.published_scopes(serve):
            stable = publish.published_file(original, scope)
            for version in original.glob(f"domotic-{scope}-*.duckdb"):
                if version.samefile(stable):
                    (serve / version.name).unlink()
                    (serve / version.name).hardlink_to(publish.published_file(serve, scope))
