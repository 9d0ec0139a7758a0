"""Whole lakes as tests compare them: every row of every table right of bronze, and what was committed."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import bronze, gold, silver
from domotic_assets.schemas.register import SILVER_REGISTER
from domotic_assets.schemas.table import Table
from domotic_assets.settings import Settings

SILVER = (*silver.TABLES, *SILVER_REGISTER.values())
RIGHT_OF_BRONZE = (*SILVER, *gold.TABLES)
EVERY_TABLE = (*bronze.TABLES, *RIGHT_OF_BRONZE)


PUBLISHES = True
"""Whether builds of lakes that are opened here bring published files up to Gold."""


def open_lake(sites_file: Path, lake: Path) -> Workspace:
    """A registry and a lake, apart from any environment."""
    return replace(Workspace.open(Settings.of(sites_file, str(lake), {})), publishes=PUBLISHES)


def leave_unpublished(patch: pytest.MonkeyPatch) -> None:
    """Builds leave the published files alone, where the tables are what counts: dbt takes ten seconds."""
    patch.setattr("domotic_assets_tests.support.lakes.PUBLISHES", False)


def contents(work: Workspace, tables: Iterable[Table] = RIGHT_OF_BRONZE) -> dict[str, pl.DataFrame]:
    """The rows of each table, by its primary key."""
    return {table.id: work.lake.read(table).sort(table.primary_key) for table in tables}


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    """The same tables with exactly the same rows."""
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name].height == rows.height, f"{name}: {found[name].height} rows, not {rows.height}"
        assert_frame_equal(found[name], rows, check_exact=True)


def versions(work: Workspace) -> dict[str, int | None]:
    """The Delta version of each table, bronze included."""
    return {table.id: work.lake.version(table) for table in EVERY_TABLE}
