"""Declares the schemas and tables of a reader's database, created once and again when a definition changes.

Every reader has a database of their own, which holds only the rows that they see, in plain tables with the
names of the published file. `meta` also holds what publishing has to know; readers see two tables of it.

Why: docs/decisions/0036-a-database-for-each-reader.md
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve.catalog import (
    GOLD_SCHEMA,
    MARTS_SCHEMA,
    describe_column,
    describe_table,
    is_dimension,
    published_columns,
    sql_type,
)
from domotic_assets.serve.publish import ADMIN
from domotic_assets.serve.tables import name_of

META_SCHEMA = "meta"
SCHEMAS = (META_SCHEMA, GOLD_SCHEMA, MARTS_SCHEMA)
ROLE_PREFIX = "domotic_"
ADMIN_ROLE = ROLE_PREFIX + ADMIN

_TYPES = {"DOUBLE": "DOUBLE PRECISION"}
"""PostgreSQL's names of types that DuckDB names differently."""
_SAME_TYPES = {"BIGINT", "INTEGER", "SMALLINT", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP"}

_META = {
    "state": "log_id UUID NOT NULL, log_version BIGINT NOT NULL, definition VARCHAR NOT NULL, "
    "version BIGINT NOT NULL",
    "cuts": "table_name VARCHAR PRIMARY KEY, cut VARCHAR NOT NULL, after_minute BIGINT NOT NULL",
    "chunks": "table_name VARCHAR, chunk BIGINT, fingerprint VARCHAR NOT NULL, "
    "PRIMARY KEY (table_name, chunk)",
    "published": "table_name VARCHAR PRIMARY KEY, version BIGINT NOT NULL",
    "keys": "table_name VARCHAR, column_name VARCHAR, key VARCHAR, references_table VARCHAR, "
    "references_column VARCHAR",
}
_READ_META = {
    "published": "One row per table: the version of this database in which its rows last changed.",
    "keys": "One row per key column of a Gold table.",
}


@dataclass(frozen=True)
class MartShape:
    """A mart of the admin's file: its name, columns with DuckDB's types, and descriptions."""

    name: str
    columns: tuple[tuple[str, str], ...]
    comment: str
    column_comments: tuple[tuple[str, str], ...]


def qualified(schema: str, name: str) -> str:
    """Return a relation's name in SQL, with its schema."""
    return f"{identifier(schema)}.{identifier(name)}"


def statements(tables: Sequence[Table], marts: Sequence[MartShape]) -> list[str]:
    """Return the statements that create the schemas with these Gold tables and marts; they name no role."""
    made = [f"CREATE SCHEMA {identifier(schema)}" for schema in SCHEMAS]
    made += [f"CREATE TABLE {qualified(META_SCHEMA, name)} ({columns})" for name, columns in _META.items()]
    for name, words in _READ_META.items():
        made.append(f"COMMENT ON TABLE {qualified(META_SCHEMA, name)} IS {literal(words)}")
    for table in tables:
        made += _gold_table(table)
    for mart in marts:
        made += _mart(mart)
    return made


def indexes(tables: Sequence[Table]) -> list[str]:
    """Return the statements that create keys and indexes, to run after the rows are loaded.

    Rows of minute facts arrive in the order of time, so a block range index of a few pages finds a day. A
    B-tree over them would be as large as the rows and slow every load.
    """
    made = []
    for table in tables:
        if is_dimension(table):
            key = ", ".join(map(identifier, table.primary_key))
            made.append(f"ALTER TABLE {name_of(table.name)} ADD PRIMARY KEY ({key})")
        else:
            names = [name for name in ("datetime_key", "date_key") if name in table.schema]
            kind = "brin" if table in gold.MINUTE_FACTS else "btree"
            made.append(f"CREATE INDEX ON {name_of(table.name)} USING {kind} ({', '.join(names)})")
    return made


def grants(role: str) -> list[str]:
    """Return the statements that let a role read what `statements` created, and nothing of `meta` but two."""
    to = f"TO {identifier(role)}"
    return [
        f"GRANT USAGE ON SCHEMA {', '.join(map(identifier, SCHEMAS))} {to}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {identifier(GOLD_SCHEMA)}, {identifier(MARTS_SCHEMA)} {to}",
        *(f"GRANT SELECT ON {qualified(META_SCHEMA, name)} {to}" for name in _READ_META),
    ]


def _gold_table(table: Table) -> Iterator[str]:
    """Return the statements for an empty Gold table with its comments."""
    parts = [
        f"{identifier(column.name)} {_type_of(sql_type(column))}{'' if column.nullable else ' NOT NULL'}"
        for column in published_columns(table)
    ]
    yield f"CREATE TABLE {name_of(table.name)} ({', '.join(parts)})"
    columns = ((column.name, describe_column(table, column)) for column in published_columns(table))
    yield from _comments(name_of(table.name), describe_table(table), columns)


def _mart(mart: MartShape) -> Iterator[str]:
    """Return the statements for a mart: an empty table with its comments."""
    relation = qualified(MARTS_SCHEMA, mart.name)
    columns = ", ".join(f"{identifier(name)} {_type_of(kind)}" for name, kind in mart.columns)
    yield f"CREATE TABLE {relation} ({columns})"
    yield from _comments(relation, mart.comment, mart.column_comments)


def _comments(relation: str, words: str, columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the statements that describe a table and its columns.

    words: the table's description. columns: name and description of each.
    """
    yield f"COMMENT ON TABLE {relation} IS {literal(words)}"
    for name, meaning in columns:
        yield f"COMMENT ON COLUMN {relation}.{identifier(name)} IS {literal(meaning)}"


def _type_of(duckdb_type: str) -> str:
    """Return PostgreSQL's name of a DuckDB type; raises KeyError for a type that no table here uses."""
    if duckdb_type in _SAME_TYPES:
        return duckdb_type
    return _TYPES[duckdb_type]


def digest(*texts: str) -> str:
    """Compute the SHA-256 of several texts in this order, as hex."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
