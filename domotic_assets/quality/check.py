"""What a check is: its table, its severities, its rule in a sentence, and the function that judges."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from domotic_assets.flow.flow import Job
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas.table import Table

CHECKS = Job("checks", "A round of checks over the last day of the feed.")
WARN_ERROR = "WARN, ERROR"
"""The severities of a check that may have either."""


@dataclass(frozen=True)
class Check:
    """A check of a table, of all homes at once."""

    name: str
    table: Table
    severities: str
    rule: str
    judge: Callable[[Round], Verdict]

    @property
    def id(self) -> str:
        """`silver/sensor_events: clocks`."""
        return f"{self.table.id}: {self.name}"


def in_percent(share: float) -> str:
    """A share in a rule's sentence: `5%`."""
    return f"{share:.0%}"


def in_hours(length: timedelta) -> str:
    """A time span in a rule's sentence: `24 h`."""
    return f"{length / timedelta(hours=1):.0f} h"
