"""Copies rows from DuckDB to PostgreSQL, in batches of CSV, so that memory stays bounded."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow.csv
from psycopg import sql

from domotic_assets.serve.postgres.server import Connection

_BATCH_ROWS = 50_000
_CSV = pyarrow.csv.WriteOptions(include_header=False)


@dataclass(frozen=True)
class Range:
    """A range of places of a fact, both ends included."""

    first: int
    last: int

    @property
    def condition(self) -> str:
        """The condition in SQL that follows the place."""
        return f"BETWEEN {self.first:d} AND {self.last:d}"


@dataclass(frozen=True)
class RowCounts:
    """Numbers of rows deleted and copied."""

    deleted: int = 0
    copied: int = 0


def copy(
    source: duckdb.DuckDBPyConnection, target: Connection, relation: str, columns: str, queries: Iterable[str]
) -> int:
    """Append the rows of DuckDB queries to a relation; return their number. A null is not an empty text."""
    copied = 0
    # A result that somebody left unread would keep the connection busy.
    source.complete()
    with (
        target.cursor() as cursor,
        cursor.copy(sql.SQL(f"COPY {relation} ({columns}) FROM STDIN (FORMAT csv)")) as stream,
    ):
        for query in queries:
            for batch in source.sql(query).to_arrow_reader(_BATCH_ROWS):
                buffer = io.BytesIO()
                pyarrow.csv.write_csv(batch, buffer, _CSV)
                stream.write(buffer.getbuffer())
                copied += batch.num_rows
    return copied


def joined(ranges: Iterable[Range]) -> Sequence[Range]:
    """Return the same places as ranges that do not overlap, sorted."""
    found: list[Range] = []
    for span in sorted(ranges, key=lambda span: span.first):
        if found and span.first <= found[-1].last:
            found[-1] = Range(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found
