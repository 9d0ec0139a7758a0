"""Runs dbt as Dagster does, without the preparations that are not needed here.

Why: docs/decisions/0010-dbt-below-1.12.md
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dagster_dbt import DbtCliResource
from dagster_dbt.compat import DBT_PYTHON_VERSION

if TYPE_CHECKING:
    from packaging.version import Version


class Dbt(DbtCliResource):
    """dbt without two preparations of Dagster that are not needed here.

    Before each call Dagster runs dbt once more for its version, and sets up an adapter in its own process to
    read columns and row counts of models: 4 of the 12 seconds of a publication.
    """

    @cached_property
    def _cli_version(self) -> "Version":
        """The version of dbt in this Python environment, found without running dbt."""
        assert DBT_PYTHON_VERSION is not None
        return DBT_PYTHON_VERSION

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """Set up no adapter, as columns and row counts of models are not read here."""
