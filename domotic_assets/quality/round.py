"""Defines one round of checks: what is judged, up to when, and results that several checks share.

Why: docs/decisions/0015-one-round-of-checks.md
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import gold

Made = TypeVar("Made")


@dataclass(frozen=True)
class Round:
    """One round of checks: the span that is judged, and the present moment (UTC)."""

    work: Workspace
    span: Window
    now: datetime

    @cached_property
    def _made(self) -> dict[Callable[["Round"], Any], Any]:
        """Results that `once` computed, by the function that computed them."""
        return {}

    def once(self, make: "Callable[[Round], Made]") -> "Made":
        """Return what `make` computes from this round; it is called once, however many checks ask for it."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def known_keys(self) -> dict[str, list[int]]:
        """Keys that facts may refer to, by dimension."""
        dimensions = {table.name: table for table in gold.DIMS}
        targets = {(key.table, key.target) for table in gold.FACTS for key in table.foreign_keys}
        return {
            name: self.work.lake.read(dimensions[name], columns=[target])[target].to_list()
            for name, target in targets
        }
