"""What a check is: its table, its severities, its rule in a sentence, and the function that judges."""

from collections.abc import Callable
from dataclasses import dataclass

from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas.table import Table


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
