"""Declares the tables, views and policies of the database, created once and again when a definition changes.

People read the schemas `gold` and `marts` as in the published file, and `meta`. They have no usage of the
schema `access`, which holds who sees which rows, and the tables behind views. Every policy looks rows up
there, so no policy holds a value. Views are read with the reader's rights (security_invoker). The publishing
account owns the tables and is bound by no policy; everybody else sees only what `access` allows.

Why: docs/decisions/0019-rights-as-rows-in-postgresql.md
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Subject, Table
from domotic_assets.serve.catalog import (
    GOLD_SCHEMA,
    MARTS_SCHEMA,
    describe_column,
    describe_table,
    is_dimension,
    published_columns,
    sql_type,
)
from domotic_assets.serve.people.matrix import WITHHELD
from domotic_assets.serve.publish import ADMIN

ACCESS_SCHEMA, META_SCHEMA = "access", "meta"
SCHEMAS = (ACCESS_SCHEMA, META_SCHEMA, GOLD_SCHEMA, MARTS_SCHEMA)
READ_SCHEMAS = (META_SCHEMA, GOLD_SCHEMA, MARTS_SCHEMA)
ROLE_PREFIX = "domotic_"
ADMIN_ROLE = ROLE_PREFIX + ADMIN

KEY_OF = {Subject.HOME: "apartment_key", Subject.DEVICE: "device_key", Subject.SITE: "site_key"}
"""The key column that tells whose a row is, by subject."""

_TYPES = {"DOUBLE": "DOUBLE PRECISION"}
"""PostgreSQL's names of types that DuckDB names differently."""
_SAME_TYPES = {"BIGINT", "INTEGER", "SMALLINT", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP"}

_ACCESS = {
    "days": "apartment_key BIGINT, date_key INTEGER, after_minute BIGINT NOT NULL, "
    "PRIMARY KEY (role_name, table_name, apartment_key, date_key)",
    "keys": "key BIGINT, PRIMARY KEY (role_name, table_name, key)",
    "providers": "provider VARCHAR, PRIMARY KEY (role_name, table_name, provider)",
}
ACCESS_TABLES = tuple(_ACCESS)

_META = {
    "state": "version BIGINT NOT NULL, definition VARCHAR NOT NULL, rights VARCHAR NOT NULL",
    "published": "version BIGINT NOT NULL, table_name VARCHAR PRIMARY KEY, delta_version BIGINT NOT NULL",
    "keys": "table_name VARCHAR, column_name VARCHAR, key VARCHAR, references_table VARCHAR, "
    "references_column VARCHAR",
    "parts": "table_name VARCHAR NOT NULL, part VARCHAR NOT NULL, file VARCHAR NOT NULL, "
    "first_place BIGINT, last_place BIGINT",
    "marts": "role_name NAME, mart VARCHAR, fingerprint VARCHAR NOT NULL, PRIMARY KEY (role_name, mart)",
}
READ_META = ("published", "keys")


@dataclass(frozen=True)
class MartShape:
    """A mart of the admin's file: its name, columns with DuckDB's types, and descriptions."""

    name: str
    columns: tuple[tuple[str, str], ...]
    comment: str
    column_comments: tuple[tuple[str, str], ...]


def withheld_of(table: Table) -> list[str]:
    """Return the columns of a table that some roles see as null."""
    return [column for name, column in WITHHELD if name == table.name]


def part_name(table: str, column: str) -> str:
    """Return the name, in `access` and in `access.keys`, of the table that stores a withheld column."""
    return f"{table}_{column}"


def base_of(table: Table) -> str:
    """Return the table, with its schema, that stores the rows of a Gold table.

    It is the table that people query, or the one in `access` behind the view that they query.
    """
    return qualified(ACCESS_SCHEMA if withheld_of(table) else GOLD_SCHEMA, table.name)


def qualified(schema: str, name: str) -> str:
    """Return a relation's name in SQL, with its schema."""
    return f"{identifier(schema)}.{identifier(name)}"


def readable(table: Table) -> list[tuple[str, str]]:
    """Return schema and name of each relation that a role needs to read a Gold table."""
    behind = [(ACCESS_SCHEMA, part_name(table.name, column)) for column in withheld_of(table)]
    return [(GOLD_SCHEMA, table.name), *([(ACCESS_SCHEMA, table.name)] if behind else []), *behind]


def statements(marts: Sequence[MartShape]) -> list[str]:
    """Return the statements that create the four schemas; the only role that they name is the admin's."""
    made = [f"CREATE SCHEMA {identifier(schema)}" for schema in SCHEMAS]
    for name, columns in _ACCESS.items():
        relation = qualified(ACCESS_SCHEMA, name)
        made.append(f"CREATE TABLE {relation} (role_name NAME, table_name VARCHAR, {columns})")
        made += _guarded(relation, "role_name = current_user")
    made += [f"CREATE TABLE {qualified(META_SCHEMA, name)} ({columns})" for name, columns in _META.items()]
    for table in gold.TABLES:
        made += _gold_table(table)
    for mart in marts:
        made += _mart(mart)
    return made


def indexes() -> list[str]:
    """Return the statements that create the facts' indexes, to run after the rows are loaded.

    Rows of minute facts arrive in the order of time, so a block range index of a few pages finds a day. A
    B-tree over them would be as large as the rows and slow every load.
    """
    made = []
    for table in gold.FACTS:
        names = [name for name in ("datetime_key", "date_key") if name in table.schema]
        kind = "brin" if table in gold.MINUTE_FACTS else "btree"
        made.append(f"CREATE INDEX ON {base_of(table)} USING {kind} ({', '.join(names)})")
    return made


def _gold_table(table: Table) -> Iterator[str]:
    """Return the statements for a Gold table: its rows, withheld columns, policies, view and comments."""
    held_back = withheld_of(table)
    kept = [column for column in published_columns(table) if column.name not in held_back]
    key = ", ".join(map(identifier, table.primary_key))
    parts = [
        f"{identifier(column.name)} {_type_of(sql_type(column))}{'' if column.nullable else ' NOT NULL'}"
        for column in kept
    ]
    parts += [f"PRIMARY KEY ({key})"] if is_dimension(table) else []
    base = base_of(table)
    yield f"CREATE TABLE {base} ({', '.join(parts)})"
    condition = _condition(table)
    if condition is not None:
        yield from _guarded(base, condition)
        yield _everything_to_admin(base)
    for column in held_back:
        part = qualified(ACCESS_SCHEMA, part_name(table.name, column))
        kind = _type_of(sql_type(table.column(column)))
        yield f"CREATE TABLE {part} (apartment_key BIGINT PRIMARY KEY, {identifier(column)} {kind})"
        yield from _guarded(part, _keyed("apartment_key", part_name(table.name, column)))
        yield _everything_to_admin(part)
    if held_back:
        yield _joined(table, held_back)
    yield from _comments(
        qualified(GOLD_SCHEMA, table.name),
        "VIEW" if held_back else "TABLE",
        describe_table(table),
        ((column.name, describe_column(table, column)) for column in published_columns(table)),
    )


def _joined(table: Table, held_back: Sequence[str]) -> str:
    """Return the view of a table with its withheld columns, null where the reader may not see them."""
    columns = ", ".join(identifier(column.name) for column in published_columns(table))
    joins = " ".join(
        f"LEFT JOIN {qualified(ACCESS_SCHEMA, part_name(table.name, column))} USING (apartment_key)"
        for column in held_back
    )
    view = qualified(GOLD_SCHEMA, table.name)
    return f"CREATE VIEW {view} WITH (security_invoker) AS SELECT {columns} FROM {base_of(table)} {joins}"  # noqa: S608


def _mart(mart: MartShape) -> Iterator[str]:
    """Return the statements for a mart: a table of all roles' rows, and a view that shows a reader's own."""
    base, view = qualified(ACCESS_SCHEMA, mart.name), qualified(MARTS_SCHEMA, mart.name)
    columns = ", ".join(f"{identifier(name)} {_type_of(kind)}" for name, kind in mart.columns)
    shown = ", ".join(identifier(name) for name, _ in mart.columns)
    yield f"CREATE TABLE {base} (role_name NAME NOT NULL, {columns})"
    yield f"CREATE INDEX ON {base} (role_name)"
    yield from _guarded(base, "role_name = current_user")
    yield f"CREATE VIEW {view} WITH (security_invoker) AS SELECT {shown} FROM {base}"  # noqa: S608
    yield from _comments(view, "VIEW", mart.comment, mart.column_comments)


def _comments(relation: str, kind: str, words: str, columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the statements that describe a relation and its columns.

    kind: TABLE or VIEW. words: the relation's description. columns: name and description of each.
    """
    yield f"COMMENT ON {kind} {relation} IS {literal(words)}"
    for name, meaning in columns:
        yield f"COMMENT ON COLUMN {relation}.{identifier(name)} IS {literal(meaning)}"


def _guarded(relation: str, condition: str) -> list[str]:
    """Return the statements that let readers see only the rows of a relation that meet a condition."""
    return [
        f"ALTER TABLE {relation} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY own_rows ON {relation} FOR SELECT USING ({condition})",
    ]


def _everything_to_admin(relation: str) -> str:
    """Return the statement that lets the admin's role see every row of a relation."""
    return f"CREATE POLICY every_row ON {relation} FOR SELECT TO {identifier(ADMIN_ROLE)} USING (true)"


def _condition(table: Table) -> str | None:
    """Return the condition for the rows that a role sees; None if they belong to no home.

    Each subquery runs once a query, not for each row.
    """
    subject = table.subject
    if subject is Subject.NOBODY:
        return None
    if subject is Subject.PROVIDER:
        return (
            "provider IN (SELECT allowed.provider FROM access.providers AS allowed "  # noqa: S608
            f"WHERE allowed.table_name = {literal(table.name)})"
        )
    keyed = _keyed(KEY_OF[subject], table.name)
    if subject is Subject.SITE or "date_key" not in table.schema:
        return keyed
    dated = _dated(table)
    return dated if subject is Subject.HOME else f"({dated}) AND {keyed}"


def _keyed(column: str, name: str) -> str:
    """Return the condition for rows whose key is in `access.keys` under this table name."""
    return (
        f"{column} IN (SELECT allowed.key FROM access.keys AS allowed "  # noqa: S608
        f"WHERE allowed.table_name = {literal(name)})"
    )


def _dated(table: Table) -> str:
    """Return the condition for rows whose home and date (and minute) are in `access.days`."""
    of_table = literal(table.name)
    days = (
        "(apartment_key, date_key) IN (SELECT allowed.apartment_key, allowed.date_key "  # noqa: S608
        f"FROM access.days AS allowed WHERE allowed.table_name = {of_table} AND allowed.after_minute "
    )
    if "datetime_key" not in table.schema:
        return f"{days} = 0)"
    # All values other than 0 are the same minute: 24 h before the newest data.
    newest = (
        f"SELECT max(allowed.after_minute) FROM access.days AS allowed WHERE allowed.table_name = {of_table}"  # noqa: S608
    )
    return f"{days} = 0) OR (datetime_key > ({newest}) AND {days} > 0))"


def _type_of(duckdb_type: str) -> str:
    """Return PostgreSQL's name of a DuckDB type; raises KeyError for a type that no table here uses."""
    if duckdb_type in _SAME_TYPES:
        return duckdb_type
    return _TYPES[duckdb_type]
