"""Reads a DuckDB file table by table, for callers that must look at every value."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from domotic_assets.escaping import identifier

_ROWS = 100_000


def frames(file: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Read each table in batches that fit in memory, with its name `schema.table`.

    Views are left out, as they have no rows of their own.
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        for schema, table in tables:
            rows = connection.sql(f"SELECT * FROM {identifier(schema)}.{identifier(table)}")  # noqa: S608
            for batch in rows.to_arrow_reader(_ROWS):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield f"{schema}.{table}", frame
