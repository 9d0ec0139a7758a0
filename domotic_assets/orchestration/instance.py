"""Where Dagster keeps its records of a lake. Nothing here imports Dagster, which takes seconds."""

import shutil
from pathlib import Path

_SHIPPED = Path(__file__).parents[2] / "dagster.yaml"


def prepare_home(home: Path) -> None:
    """Make the folder, and put the shipped dagster.yaml there unless it has one."""
    home.mkdir(parents=True, exist_ok=True)
    if _SHIPPED.exists() and not (home / _SHIPPED.name).exists():
        shutil.copyfile(_SHIPPED, home / _SHIPPED.name)
