"""Refuses to work while this machine's clock lies before what the lake already holds.

A clock ahead cannot be told from a lake that was left alone. It harms nothing: no row depends on it
(docs/decisions/0032-arrival-is-a-hint.md).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import bronze
from domotic_assets.schemas.table import Table

BEHIND = timedelta(days=1)
"""Most that the newest date of received files may begin after now: files may land that lie a day ahead."""


def refuse_a_clock_behind(work: Workspace, tables: Iterable[Table] = bronze.TABLES) -> None:
    """Raise ConfigurationError if the newest date of these tables of received files begins long after now."""
    by_date = [table for table in tables if table.partition is not None]
    newest = max((day for table in by_date for day in work.lake.dates(table)[-1:]), default=None)
    now = work.now()
    if newest is not None and datetime.combine(newest, time.min, UTC) > now + BEHIND:
        raise ConfigurationError(
            f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, but the lake holds files of {newest}",
            where=str(work.lake.root),
            expected="a clock that is not over a day behind the newest file",
            remedy="set the clock of this machine and run again",
        )
