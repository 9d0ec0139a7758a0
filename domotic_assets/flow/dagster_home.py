"""Prepares the folder in which Dagster keeps its records of a lake.

Nothing here imports Dagster, which takes seconds.
"""

import shutil
from pathlib import Path

from domotic_assets.files_on_disk import write_whole

_SHIPPED = Path(__file__).parents[2] / "dagster.yaml"

_EVENT_LOG = "domotic_assets.orchestration.internals.event_log"
_EVENT_LOG_UNTIL_0_1 = "domotic_assets.orchestration.event_log"


def prepare_home(home: Path) -> None:
    """Create the folder, and copy the shipped dagster.yaml into it unless it has one.

    A file of version 0.1 is corrected: it names the event log by a module that has moved since.
    """
    home.mkdir(parents=True, exist_ok=True)
    held = home / _SHIPPED.name
    if not held.exists():
        if _SHIPPED.exists():
            shutil.copyfile(_SHIPPED, held)
        return
    text = held.read_text(encoding="utf-8")
    if _EVENT_LOG_UNTIL_0_1 in text:
        write_whole(held, text.replace(_EVENT_LOG_UNTIL_0_1, _EVENT_LOG).encode())
