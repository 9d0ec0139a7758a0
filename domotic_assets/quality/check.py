"""Defines a check: its table, its severities, its rule in a sentence, and the function that judges."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from domotic_assets.flow.flow import Job
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas.table import Table

CHECKS = Job("checks", "A round of checks over the last day of the feed.")
WARN_ERROR = "WARN, ERROR"
"""Severities of a check whose breaches may be either."""


@dataclass(frozen=True)
class Check:
    """A check of one table, for all homes.

    severities: those that its breaches may have. rule: when there is a breach, in a sentence. judge: computes
    the verdict of a round.
    """

    name: str
    table: Table
    severities: str
    rule: str
    judge: Callable[[Round], Verdict]

    @property
    def id(self) -> str:
        """Unique id, such as `silver/sensor_events: clocks`."""
        return f"{self.table.id}: {self.name}"


def in_percent(share: float) -> str:
    """Format a share for a rule's sentence, such as `5%`."""
    return f"{share:.0%}"


def in_hours(length: timedelta) -> str:
    """Format a time span for a rule's sentence, such as `24 h`."""
    return f"{length / timedelta(hours=1):.0f} h"
