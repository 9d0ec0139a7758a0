"""Lets a stored table take the columns that its schema has gained: nullable ones only.

Files written before hold no such column, and are not written anew: their rows are null there. A table learns
a new column at its first write.
"""

from collections.abc import Container

import polars as pl
from deltalake import DeltaTable

from domotic_assets.errors import LakeError
from domotic_assets.lake.bulk_append import delta_schema
from domotic_assets.schemas.table import Column, Table


def read_schema(table: Table, held: pl.Schema) -> pl.Schema:
    """Return the columns to read from a stored table: those it holds, and declared ones that it may lack.

    held: the columns of the stored table.
    """
    lacking = {column.name: column.dtype for column in _lacking(table, held)}
    return pl.Schema({**held, **lacking}) if lacking else held


def add(present: DeltaTable, table: Table) -> None:
    """Add to a stored table the nullable columns that it lacks, in one commit; most often there are none.

    Raises DeltaError, and LakeError if it lacks a column that must not be null.
    """
    held = {field.name for field in present.schema().fields}
    required = sorted({column.name for column in table.columns if not column.nullable} - held)
    if required:
        raise LakeError(
            f"the table lacks {', '.join(required)}",
            where=present.table_uri,
            expected="every column that must have a value",
            remedy="move its folder away, and build again",
        )
    names = {column.name for column in _lacking(table, held)}
    if names:
        present.alter.add_columns([field for field in delta_schema(table).fields if field.name in names])


def _lacking(table: Table, held: Container[str]) -> list[Column]:
    """List the nullable columns that a table declares and the stored one does not hold."""
    return [column for column in table.columns if column.nullable and column.name not in held]
