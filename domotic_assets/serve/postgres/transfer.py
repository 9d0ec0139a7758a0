"""Copies rows from DuckDB to PostgreSQL in the server's binary format, in batches: memory stays bounded.

The server takes the bytes as the columns' values without looking at what they mean: a whole number of 8 bytes
would become a timestamp. So each value is cast to the type that its column was made from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from domotic_assets.escaping import identifier
from domotic_assets.serve.postgres.server import Connection

_BATCH_ROWS = 50_000
_RANGES_AT_ONCE = 7
"""Ranges of a fact that one query sorts: a query for each costs more than the rows of a small home."""


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
    source: duckdb.DuckDBPyConnection,
    target: Connection,
    relation: str,
    columns: Mapping[str, str],
    origins: Iterable[str],
) -> int:
    """Append rows of DuckDB to a relation; return their number. A null is not an empty text.

    columns: DuckDB's types of the relation's columns, by name. origins: what follows the columns in a SELECT
    in DuckDB's SQL, from FROM on.
    """
    copied = 0
    encoder = None
    names = ", ".join(map(identifier, columns))
    values = ", ".join(f"CAST({identifier(name)} AS {kind})" for name, kind in columns.items())
    # A result that somebody left unread would keep the connection busy.
    source.complete()
    with (
        target.cursor() as cursor,
        cursor.copy(sql.SQL(f"COPY {relation} ({names}) FROM STDIN (FORMAT binary)")) as stream,
    ):
        for origin in origins:
            reader = source.sql(f"SELECT {values} {origin}").to_arrow_reader(_BATCH_ROWS)
            if encoder is None:
                encoder = ArrowToPostgresBinaryEncoder(reader.schema)
                stream.write(encoder.write_header())
            for batch in reader:
                stream.write(encoder.write_batch(batch))
                copied += batch.num_rows
        if encoder is not None:
            stream.write(encoder.finish())
    return copied


def grouped(ranges: Sequence[Range]) -> Sequence[Range]:
    """Return fewer ranges that hold all of these, which are sorted, and what lies between them.

    For a copy of all rows, where nothing lies between.
    """
    return [
        Range(ranges[first].first, ranges[first : first + _RANGES_AT_ONCE][-1].last)
        for first in range(0, len(ranges), _RANGES_AT_ONCE)
    ]


def joined(ranges: Iterable[Range]) -> Sequence[Range]:
    """Return the same places as ranges that do not overlap, sorted."""
    found: list[Range] = []
    for span in sorted(ranges, key=lambda span: span.first):
        if found and span.first <= found[-1].last:
            found[-1] = Range(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found
