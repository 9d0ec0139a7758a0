"""Copies changed rows from DuckDB to PostgreSQL, in batches of CSV, so that memory stays bounded."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow.csv
from psycopg import sql

from domotic_assets.escaping import identifier
from domotic_assets.schemas.table import Table
from domotic_assets.serve import file_index
from domotic_assets.serve.catalog import published_columns
from domotic_assets.serve.people import cut
from domotic_assets.serve.postgres.layout import (
    ACCESS_SCHEMA,
    META_SCHEMA,
    base_of,
    part_name,
    qualified,
    withheld_of,
)
from domotic_assets.serve.postgres.server import Connection
from domotic_assets.serve.tables import name_of

_BATCH_ROWS = 50_000
_CSV = pyarrow.csv.WriteOptions(include_header=False)

Part = tuple[str, str, str, int | None, int | None]
"""A row of `meta.parts`: table, partition, file, first and last place (None unless a fact with rows)."""


def _place_of(table: Table) -> str:
    """Return `file_index.place_of` in PostgreSQL's SQL."""
    place = table.place
    if place is None or place.less_days is None:
        return file_index.place_of(table)
    date = f"to_date({place.column}::text, 'YYYYMMDD') - {place.less_days}"
    return f"to_char({date}, 'YYYYMMDD')::bigint"


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


def bring_up(
    source: duckdb.DuckDBPyConnection, target: Connection, relation: str, columns: str, key: str, query: str
) -> RowCounts:
    """Make a relation hold exactly the rows of a DuckDB query; rows that are the same are not touched.

    columns, key: names of columns in SQL, separated by commas; the key identifies a row.
    """
    target.execute(
        f"CREATE TEMP TABLE arriving ON COMMIT DROP AS SELECT {columns} FROM {relation} WITH NO DATA"  # noqa: S608
    )
    copy(source, target, "arriving", columns, [query])
    deleted = target.execute(
        f"DELETE FROM {relation} WHERE ({key}) IN (SELECT {key} FROM "  # noqa: S608
        f"(SELECT {columns} FROM {relation} EXCEPT SELECT {columns} FROM arriving) AS gone)"
    ).rowcount
    copied = target.execute(
        f"INSERT INTO {relation} ({columns}) "  # noqa: S608
        f"SELECT {columns} FROM arriving EXCEPT SELECT {columns} FROM {relation}"
    ).rowcount
    target.execute("DROP TABLE arriving")
    return RowCounts(deleted, copied)


def bring_up_dimension(source: duckdb.DuckDBPyConnection, target: Connection, table: Table) -> RowCounts:
    """Make a dimension, and the tables of its withheld columns, hold the rows of the admin's file.

    Returns the numbers of rows deleted and copied in the dimension alone.
    """
    held_back = withheld_of(table)
    names = [identifier(c.name) for c in published_columns(table) if c.name not in held_back]
    columns, key = ", ".join(names), ", ".join(map(identifier, table.primary_key))
    rows = f"{cut.SOURCE}.{name_of(table.name)}"
    counts = bring_up(source, target, base_of(table), columns, key, f"SELECT {columns} FROM {rows}")  # noqa: S608
    for column, relation in withheld_relations(table):
        pair = f"apartment_key, {identifier(column)}"
        present = f"SELECT {pair} FROM {rows} WHERE {identifier(column)} IS NOT NULL"  # noqa: S608
        bring_up(source, target, relation, pair, "apartment_key", present)
    return counts


def withheld_relations(table: Table) -> list[tuple[str, str]]:
    """Return the withheld columns of a table, each with the relation that stores it."""
    return [(c, qualified(ACCESS_SCHEMA, part_name(table.name, c))) for c in withheld_of(table)]


def bring_up_fact(
    source: duckdb.DuckDBPyConnection,
    target: Connection,
    table: Table,
    ranges: Sequence[Range],
    *,
    empty: bool,
) -> RowCounts:
    """Replace the rows of a fact in these ranges. empty: the table has no rows, so none are deleted."""
    columns = ", ".join(identifier(column.name) for column in published_columns(table))
    order = ", ".join(map(identifier, table.sort))
    deleted = 0
    for span in [] if empty else ranges:
        deleted += target.execute(
            f"DELETE FROM {base_of(table)} WHERE {_place_of(table)} {span.condition}"  # noqa: S608
        ).rowcount
    queries = (
        f"SELECT {columns} FROM {cut.SOURCE}.{name_of(table.name)} "  # noqa: S608
        f"WHERE {file_index.place_of(table)} {span.condition} ORDER BY {order}"
        for span in ranges
    )
    return RowCounts(deleted, copy(source, target, base_of(table), columns, queries))


def changed_parts(source: duckdb.DuckDBPyConnection, target: Connection) -> Mapping[str, list[Part]]:
    """Find the parts, by table, that the admin's file has and the server has not, or the other way round."""
    query = "SELECT table_name, part, file, first_place, last_place FROM {}"
    present = set(source.execute(query.format(f"{cut.SOURCE}.meta.parts")).fetchall())
    recorded = set(target.execute(query.format(qualified(META_SCHEMA, "parts"))).fetchall())
    changed: dict[str, list[Part]] = {}
    for part in sorted(present ^ recorded, key=str):
        changed.setdefault(part[0], []).append(part)
    return changed


def ranges_of(changed: Sequence[Part]) -> list[Range]:
    """Return the ranges that changed parts cover, one for each partition; rows outside them are unchanged."""
    spans: dict[str, Range] = {}
    for _, part, _, first, last in changed:
        if first is not None and last is not None:
            held = spans.get(part, Range(first, last))
            spans[part] = Range(min(held.first, first), max(held.last, last))
    return sorted(spans.values(), key=lambda span: span.first)
