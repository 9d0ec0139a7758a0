"""Questions to the published file of a lake."""

from pathlib import Path
from typing import Any

from domotic_assets.serve.publish import published_file
from domotic_assets.serve.query import run_query


def query_published(lake_root: str, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows; raises LakeError when nothing is published, QueryError for wrong SQL."""
    return run_query(published_file(Path(lake_root) / "serve"), sql)
