"""Reads tables of a relational database whole, as changes against the last known state.

Only the tables and columns that the caller allows are ever named in a query. Which home a row belongs to, and
what must be masked in it, is decided after bronze.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Literal

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from domotic_assets.errors import ContractError, SourceError
from domotic_assets.schemas.records import RecordColumn, RecordTable
from domotic_assets.sources.base import Batch

Value = int | float | str | None
Row = Mapping[str, Value]
State = Mapping[str, Mapping[str, Row]]
"""Table to key to row: the known state of the database."""

INT64_LIMIT = 2**63
MOST_SECONDS = 60
"""How long a database may take for all its tables; a view can go on for ever."""
MOST_ROWS, MOST_CHARACTERS = 1_000_000, 256 * 1024 * 1024
"""How much the tables of a database may hold together: rows, and characters of their texts."""
MOST_REFUSALS = 10_000
"""How many refused values are described; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was inserted, updated or deleted.

    table: its name in the allow-list. key: its primary key as text.
    """

    table: str
    key: str
    op: Literal["insert", "update", "delete"]
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that was refused. The value itself is not repeated, as it may be personal.

    key: primary key of its row as text; None if the row has none.
    """

    table: str
    key: str | None
    column: str
    reason: Literal["not_a_whole_number", "not_a_number", "not_a_text", "no_key", "key_twice"]


@dataclass(frozen=True)
class ChangeBatch(Batch[Change, State]):
    """A batch of changes, and the values that were refused while reading; those are null in the rows.

    refused: the first MOST_REFUSALS of them. refused_values: how many there are.
    """

    refused: tuple[Refusal, ...] = ()
    refused_values: int = 0


class _Taken:
    """What was read so far of a database: counts, and the refused values."""

    def __init__(self, place: str) -> None:
        self.refused: list[Refusal] = []
        self.refused_values = 0
        self._place = place
        self._rows = self._characters = 0

    def refuse(self, refusal: Refusal) -> None:
        """Count a refused value, and keep it if not too many are kept."""
        self.refused_values += 1
        if len(self.refused) < MOST_REFUSALS:
            self.refused.append(refusal)

    def count(self, record: Iterable[Any]) -> None:
        """Count a record; raises SourceError if the database holds too much."""
        self._rows += 1
        self._characters += sum(len(value) for value in record if isinstance(value, str | bytes))
        if self._rows > MOST_ROWS or self._characters > MOST_CHARACTERS:
            raise SourceError(
                "the database holds too much to be read",
                where=self._place,
                expected=f"at most {MOST_ROWS:,} rows and {MOST_CHARACTERS:,} characters in the tables read",
                remedy="look for a view without an end, or keep old rows elsewhere",
            )


Catalogue = Mapping[str, Sequence[str]]
"""Table (or view) to its columns, both spelled as in the database."""


@dataclass(frozen=True)
class RelationalSource:
    """Tables behind a database engine.

    place: its name in errors; it holds no credentials.
    tables: the tables that are read, by name in lower case, with their columns.
    begin: statements that open a transaction in which all tables are one snapshot.
    catalogue: lists the tables and columns that exist.
    explain: translates an error that the database reports in its own way; None if it cannot.
    choose: selects the rows that are followed; rows of the known state are followed in any case.
    """

    engine: sa.Engine
    place: str
    tables: Mapping[str, RecordTable]
    begin: tuple[str, ...]
    catalogue: Callable[[sa.Connection], Catalogue]
    explain: Callable[[SQLAlchemyError, str], SourceError | None] = lambda _error, _place: None
    choose: Callable[[State], State] = lambda state: state

    def pull(self, position: State, limit: int) -> ChangeBatch:
        """Return at most `limit` changes that lead from `position` towards the present database.

        All tables are read in one transaction. Raises SourceError if the database cannot be read, and
        ContractError if a required table or column is missing.
        """
        taken_in = _Taken(self.place)
        try:
            with self.engine.connect() as connection:
                for statement in self.begin:
                    connection.exec_driver_sql(statement)
                catalogue = self.catalogue(connection)
                current = {
                    table.name: self._read_table(connection, table, catalogue, taken_in)
                    for table in self.tables.values()
                }
        except SQLAlchemyError as error:
            raise self.explain(error, self.place) or SourceError(
                f"the database cannot be read ({type(error).__name__})",
                where=self.place,
                expected="a readable database with the source's tables",
                remedy="check that it is the right one and that nobody holds it locked",
            ) from None
        pending = _changes(position, _followed(position, current, self.choose(current)))
        taken = tuple(islice(pending, limit))
        return ChangeBatch(
            items=taken,
            position=_apply(position, taken),
            more=next(pending, None) is not None,
            refused=tuple(taken_in.refused),
            refused_values=taken_in.refused_values,
        )

    def _read_table(
        self,
        connection: sa.Connection,
        table: RecordTable,
        catalogue: Catalogue,
        taken_in: _Taken,
    ) -> dict[str, Row]:
        """Read one table as key to row; every value has its declared type or is null. Adds to `taken_in`."""
        actual = _names(catalogue).get(table.name.lower())
        if actual is None:
            raise ContractError(
                f"table {table.name} is missing",
                where=self.place,
                expected=f"it among the tables found: {', '.join(sorted(catalogue)) or 'none'}",
                remedy="correct the address in sites.yaml, or grant the right to read it",
            )
        found = _names(catalogue[actual])
        for column in table.columns:
            if column.required and column.name.lower() not in found:
                raise ContractError(
                    f"table {table.name} has no column {column.name}",
                    where=self.place,
                    expected=f"it among the columns found: {', '.join(found.values())}",
                    remedy="restore the column, grant the right to read it, or add a view that has it",
                )
        present = [column for column in table.columns if column.name.lower() in found]
        columns: list[sa.ColumnClause[Any]] = [
            sa.column(sa.quoted_name(found[c.name.lower()], quote=True)) for c in present
        ]
        query = sa.select(*columns).select_from(sa.table(sa.quoted_name(actual, quote=True)))
        # A client may hold the whole answer before it gives the first row.
        return _rows(table, present, connection.execute(query.limit(MOST_ROWS + 1)), taken_in)


def _names(found: Iterable[str]) -> dict[str, str]:
    """Return lower-case name to actual name; of two that differ only in case, the lower-case one."""
    return {name.lower(): name for name in sorted(found)}


def _rows(
    table: RecordTable,
    present: list[RecordColumn],
    records: Iterable[sa.Row[Any]],
    taken_in: _Taken,
) -> dict[str, Row]:
    """Convert the records of a table to rows, by primary key as text.

    present: the columns of each record, in order; a declared column that is not among them is null. A value
    that does not fit its declared type becomes null. A record without a key is left out. Of records with the
    same key one is kept. Each such case is added to `taken_in`.
    Raises SourceError if there is too much.
    """
    rows: dict[str, Row] = {}
    nothing: dict[str, Value] = dict.fromkeys(column.name for column in table.columns)
    taken = [(column.name, _TAKEN_AS[column.dtype]) for column in present]
    for record in records:
        taken_in.count(record)
        row = dict(nothing)
        failed: list[tuple[str, Any]] = []
        for (name, as_declared), value in zip(taken, record, strict=True):
            try:
                row[name] = None if value is None else as_declared(value)
            except _NotOfType as error:
                failed.append((name, error.args[0]))
        key = None if row[table.key] is None else str(row[table.key])
        for name, reason in failed:
            taken_in.refuse(Refusal(table.name, key, name, reason))
        if key is None:
            taken_in.refuse(Refusal(table.name, None, table.key, "no_key"))
        elif key not in rows:
            rows[key] = row
        else:
            # The order of rows is undefined; a fixed choice keeps the next pull from seeing a change.
            taken_in.refuse(Refusal(table.name, key, table.key, "key_twice"))
            rows[key] = max(rows[key], row, key=lambda r: json.dumps(r, sort_keys=True))
    return rows


class _NotOfType(Exception):
    """A value does not fit the declared type; the argument is the reason code."""


def _whole(value: Any) -> int:
    """Convert a value to a whole number of 64 bits; raises _NotOfType if it is not one."""
    if type(value) is int and abs(value) < INT64_LIMIT:
        return value
    try:
        exact = Decimal(value.strip() if isinstance(value, str) else value)
        if exact == exact.to_integral_value() and abs(exact) < INT64_LIMIT:
            return int(exact)
    except (ArithmeticError, TypeError, ValueError):
        pass
    raise _NotOfType("not_a_whole_number")


def _number(value: Any) -> float:
    """Convert a value to a finite number; raises _NotOfType if it is not one."""
    if isinstance(value, str | int | float | Decimal):
        try:
            number = float(value)
            if math.isfinite(number):
                return number
        except (ValueError, OverflowError):
            pass
    raise _NotOfType("not_a_number")


def _text(value: Any) -> str:
    """Convert a text, number, date or time to text; raises _NotOfType for anything else."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float | Decimal):
        return str(value)
    raise _NotOfType("not_a_text")


_TAKEN_AS: Mapping[pl.DataType, Callable[[Any], Value]] = {
    pl.Int64(): _whole, pl.Float64(): _number, pl.String(): _text,
}  # fmt: skip
"""Function that converts a value to a column's declared type; raises _NotOfType if the value does not fit."""


def _followed(position: State, current: State, chosen: State) -> State:
    """Keep the present rows that are chosen or already known."""
    return {
        table: {
            key: row for key, row in rows.items() if key in chosen[table] or key in position.get(table, {})
        }
        for table, rows in current.items()
    }


def _changes(position: State, current: State) -> Iterator[Change]:
    """Yield the changes that lead from `position` to `current`, table by table and key by key."""
    for table, rows in current.items():
        known = position.get(table, {})
        for key in sorted(known.keys() | rows.keys(), key=lambda k: (len(k), k)):
            before, after = known.get(key), rows.get(key)
            if before is None and after is not None:
                yield Change(table, key, "insert", None, after)
            elif after is None:
                yield Change(table, key, "delete", before, None)
            elif before != after:
                yield Change(table, key, "update", before, after)


def _apply(position: State, changes: tuple[Change, ...]) -> State:
    """Return the state after these changes."""
    state = {table: dict(rows) for table, rows in position.items()}
    for change in changes:
        rows = state.setdefault(change.table, {})
        if change.after is None:
            rows.pop(change.key, None)
        else:
            rows[change.key] = change.after
    return state
