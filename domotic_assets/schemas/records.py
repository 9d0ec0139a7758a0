"""Describes tables read from a database, and derives their Silver tables: current state and history."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from domotic_assets.schemas.table import Cadence, Column, Subject, Table, moment


@dataclass(frozen=True)
class RecordColumn:
    """A column that may be read: its name (matched without regard to case), type and meaning.

    required: whether its absence raises ContractError.
    """

    name: str
    dtype: pl.DataType
    description: str
    required: bool = True


@dataclass(frozen=True)
class RecordTable:
    """A table that may be read, with the columns that may be read. `key` is its primary key."""

    name: str
    key: str
    columns: tuple[RecordColumn, ...]


NOTHING_REPLACED: Mapping[str, Column] = {}


def silver_name(column: str) -> str:
    """Convert a source column's name to Silver's: `idBuilding` → `id_building`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in column).lstrip("_")


def silver_table(
    table: RecordTable, source: str, subject: Subject, replaced: Mapping[str, Column] = NOTHING_REPLACED
) -> Table:
    """Derive the Silver table `<source>_<table>` of a table that is read: its rows in their current state.

    replaced: by source column, the Silver column that takes the place of personal content.
    """
    columns = [
        replaced.get(column.name) or Column(silver_name(column.name), column.dtype, column.description)
        for column in table.columns
    ]
    return Table(
        layer="silver",
        name=f"{source}_{table.name}",
        grain=f"one row per row of the {source}'s table {table.name}, current state",
        columns=tuple(columns),
        primary_key=(silver_name(table.key),),
        subject=subject,
        cadence=Cadence.WHOLE,
        place=None,
        sort=(silver_name(table.key),),
    )


def history_table(current: Table) -> Table:
    """Derive the history table of a Silver table of records: its columns, and when each version was valid."""
    return Table(
        layer="silver",
        name=f"{current.name}_history",
        grain=f"one row per version of a row of {current.name}",
        columns=(
            *current.columns,
            moment("valid_from", "when this version was first seen", nullable=False),
            moment("valid_to", "when it was seen changed or gone (exclusive); null while it is current"),
        ),
        primary_key=(*current.primary_key, "valid_from"),
        subject=current.subject,
        cadence=Cadence.WHOLE,
        place=None,
        sort=(*current.sort, "valid_from"),
    )
