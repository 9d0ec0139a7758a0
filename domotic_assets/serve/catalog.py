"""Describes each Gold table as the published file has it: columns, SQL types, references and comments.

Derived from the schemas alone, so that the file, the dbt sources and the diagram cannot disagree.
Loading and querying belong to the modules beside this one, rendering to `pages`.
"""

import hashlib
from pathlib import Path

import polars as pl

from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Aggregation, Column, Table

GOLD_SCHEMA = "gold"
MARTS_SCHEMA = "marts"

_SQL_TYPES = {
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    # Plain TIMESTAMP for UTC too: drivers and BI tools shift a TIMESTAMP with a zone to their own zone.
    pl.Datetime: "TIMESTAMP",
}
_AGGREGATION_WORDS: dict[Aggregation, str] = {
    "total": "Sum",
    "level": "Average, never sum",
    "counter": "Only difference, never sum or average",
}
# The files of a dbt project that decide what its marts hold and what is tested.
_DBT_PARTS = ("dbt_project.yml", "models/**/*", "macros/**/*", "tests/**/*")


def published_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns of a table in the published file: all but the physical partition."""
    return tuple(column for column in table.columns if column.name != table.partition)


def sql_type(column: Column) -> str:
    """Return DuckDB's type of a column."""
    return _SQL_TYPES[column.dtype.base_type()]


def is_dimension(table: Table) -> bool:
    """Return whether a table is a dimension."""
    return table in gold.DIMS


def describe_table(table: Table) -> str:
    """Describe a table in sentences: its grain, how a fact's measures may be aggregated, and its note."""
    sentences = [f"{table.grain[0].upper()}{table.grain[1:]}."]
    measures = [] if is_dimension(table) else [c for c in published_columns(table) if c.aggregation]
    for aggregation, words in _AGGREGATION_WORDS.items():
        names = [column.name for column in measures if column.aggregation == aggregation]
        if names:
            listed = "every measure" if len(names) == len(measures) else ", ".join(names)
            sentences.append(f"{words}: {listed}.")
    if table.note:
        sentences.append(table.note)
    return " ".join(sentences)


def describe_column(table: Table, column: Column) -> str:
    """Describe a column: its meaning, its unit, and the key that it refers to."""
    unit = f" [{column.unit}]" if column.unit else ""
    references = "".join(
        f" -> {key.table}.{key.target}" for key in table.foreign_keys if key.column == column.name
    )
    return f"{column.description}{unit}{references}"


def fingerprint_of(dbt_project: Path) -> str:
    """Hash all that decides the published file besides the data: Gold's schemas and the dbt project."""
    digest = hashlib.sha256(repr(gold.TABLES).encode())
    files = sorted({file for part in _DBT_PARTS for file in dbt_project.glob(part) if file.is_file()})
    for file in files:
        digest.update(file.relative_to(dbt_project).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
