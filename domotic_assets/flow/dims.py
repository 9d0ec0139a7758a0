"""Writes dimensions: each as a whole, and only if it differs from what the lake holds."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from domotic_assets.flow.flow import Job, Made
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.table import Table

DIMS = Job("dims", "The dimensions, when a device is new.")


def replace_dims(
    work: Workspace,
    frames: Mapping[Table, pl.DataFrame],
    counts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Made:
    """Make each dimension hold exactly its frame, and yield it with its counts.

    counts: further counts to report of a dimension, by table name.
    """
    for table, frame in frames.items():
        changed = work.lake.replace_all(table, frame)
        more = (counts or {}).get(table.name, {})
        yield table, {"dagster/row_count": frame.height, "changed": changed, **more}
