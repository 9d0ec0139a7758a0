"""Writes dimensions: whole, small, and only where they differ from what the lake holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.table import Table


@dataclass(frozen=True)
class Written:
    """What writing a dimension did: its rows, whether it changed, and other counts by name."""

    rows: int
    changed: bool
    counts: Mapping[str, int] = field(default_factory=dict)


def replace_dims(work: Workspace, frames: Mapping[Table, pl.DataFrame]) -> dict[str, Written]:
    """Make each dimension hold exactly its frame; what was written by the table's name."""
    return {
        table.name: Written(frame.height, work.lake.replace_all(table, frame))
        for table, frame in frames.items()
    }
