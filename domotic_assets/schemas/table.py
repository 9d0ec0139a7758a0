"""Defines what a column and a table are. The tables themselves are in the modules beside this one.

Why: docs/decisions/0005-ids-and-keys.md
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import polars as pl

Aggregation = Literal["level", "total", "counter"]
"""How a measure is aggregated: a level is averaged, a total is summed, a counter is only ever differenced."""

NO_KEY = -1
"""Surrogate key of "none"."""

UTC_TIME = pl.Datetime("us", "UTC")


def surrogate_key(natural_id: str) -> int:
    """Compute the first 52 bits of SHA-256 of a natural id: exact in JavaScript, Excel and a BIGINT."""
    return int(hashlib.sha256(natural_id.encode()).hexdigest()[:13], 16)


def is_ordered(rows: pl.DataFrame, columns: Sequence[str], *, strictly: bool = False) -> bool:
    """Tell whether the rows are sorted by these columns; strictly: and no two rows agree in all of them.

    Comparing neighbours costs a tenth of sorting. Rows with a null in one of the columns are not sorted.
    """
    if any(rows[column].null_count() for column in columns):
        return False
    compared = pl.DataFrame([_placed(rows[column]) for column in columns])
    in_order = pl.lit(not strictly)
    for column in reversed(columns):
        before, value = pl.col(column).shift(), pl.col(column)
        in_order = (before < value) | ((before == value) & in_order)
    return rows.height < 2 or bool(compared.select(in_order.slice(1).all()).item())


def _placed(column: pl.Series) -> pl.Series:
    """Return the column; for categories, the ranks of their texts, as numbers compare faster."""
    if not isinstance(column.dtype, pl.Categorical):
        return column
    places = categories_of(column).rank("dense")
    return places[column.to_physical()].alias(column.name)


def as_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Convert categorical columns to texts."""
    return rows.with_columns(pl.col(pl.Categorical).cast(pl.String))


def categories_of(column: pl.Series) -> pl.Series:
    """Return the texts of a column's categories by number, up to the highest number that the column uses."""
    most = column.to_physical().max()
    assert most is None or isinstance(most, int)
    numbers = pl.Series(pl.int_range(0 if most is None else most + 1, dtype=pl.UInt32, eager=True))
    return numbers.cat.to(column.dtype).cast(pl.String)


@dataclass(frozen=True)
class Column:
    """A column: name (ends in its unit), type, meaning, unit, allowed range and aggregation kind.

    sparse: nearly all of its values are null; files keep how many, so that a read may skip those without one.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    description: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    aggregation: Aggregation | None = None
    nullable: bool = True
    sparse: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """`column` holds keys from the column `target` of `table`; allow_none: -1 is allowed, for none."""

    column: str
    table: str
    target: str
    allow_none: bool = False


class Subject(StrEnum):
    """What a row belongs to: decides who sees the row, and which rows are erased when a home is forgotten."""

    NOBODY = "nobody's"
    HOME = "a home's"
    DEVICE = "a home's device's"
    BUILDING = "a building's of the register"
    SITE = "the homes' weather site's"
    PROVIDER = "the homes' electricity provider's"
    ALL_HOMES = "all homes' together: counted again without the one that goes"


_OWNERS = ("home", "apartment_key", "room_key", "device_key")
OWNER_COLUMNS: dict[Subject, tuple[str, ...]] = {
    Subject.HOME: _OWNERS,
    Subject.DEVICE: _OWNERS,
    Subject.BUILDING: ("home", "id_building", "id_room"),
}
"""Columns that identify a home or something in it, by subject; rows of other subjects belong to no home."""


class Cadence(StrEnum):
    """How a table is written: with each live minute, by whole dates, or as a whole."""

    MINUTE = "minute"
    DATE = "date"
    WHOLE = "whole"


@dataclass(frozen=True)
class Place:
    """The column by which rows are found; it grows with the physical partition.

    column: a UTC moment, a key of a minute (YYYYMMDDHHMM) or of a date (YYYYMMDD), or a date.
    less_days: a column of days to subtract from the date; None for none.
    """

    column: str
    less_days: str | None = None


MINUTE_COLUMNS = ("datetime_key", "ts", "window")
"""Names of place columns that hold minutes."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A Delta table: `layer/name`, its grain in one sentence, columns, keys and physical partition.

    subject: what a row belongs to. cadence: how the table is written. place: the column by which its rows are
    found; None if the table is read and written as a whole. sort: order of the rows in its files.
    note: what a reader must know before summing, if grain and columns do not tell.
    """

    layer: Literal["bronze", "silver", "gold"]
    name: str
    grain: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    subject: Subject
    cadence: Cadence
    place: Place | None
    foreign_keys: tuple[ForeignKey, ...] = ()
    partition: str | None = None
    sort: tuple[str, ...] = ()
    note: str = ""

    @property
    def id(self) -> str:
        """`gold/fact_energy_minute`: the asset key and the folder below the lake."""
        return f"{self.layer}/{self.name}"

    @property
    def schema(self) -> pl.Schema:
        """Column name to Polars type, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def is_owned(self) -> bool:
        """Whether each row belongs to a home."""
        return self.subject in OWNER_COLUMNS

    @property
    def owner_columns(self) -> tuple[str, ...]:
        """The columns that identify the home of a row; empty if no column does, or only JSON inside one."""
        names = self.schema
        return tuple(name for name in OWNER_COLUMNS.get(self.subject, ()) if name in names)

    @property
    def sparse_columns(self) -> tuple[str, ...]:
        """The columns of which nearly all values are null."""
        return tuple(column.name for column in self.columns if column.sparse)

    @property
    def minute_column(self) -> str | None:
        """The column of minutes by which rows are found; None if they are not found by minute."""
        return self.place.column if self.place and self.place.column in MINUTE_COLUMNS else None

    def column(self, name: str) -> Column:
        """Return the column of that name; raises StopIteration if there is none."""
        return next(column for column in self.columns if column.name == name)

    def empty(self) -> pl.DataFrame:
        """Make a frame with these columns and no rows."""
        return pl.DataFrame(schema=self.schema)


def text(name: str, description: str, *, nullable: bool = True) -> Column:
    """Declare a text column."""
    return Column(name, pl.String(), description, nullable=nullable)


def whole(name: str, description: str, unit: str | None = None, *, nullable: bool = True) -> Column:
    """Declare a whole-number column that counts or numbers something."""
    return Column(name, pl.Int64(), description, unit, nullable=nullable)


def count(name: str, description: str) -> Column:
    """Declare a non-negative count that may be summed."""
    return Column(name, pl.Int64(), description, minimum=0, aggregation="total", nullable=False)


def flag(name: str, description: str, *, nullable: bool = True) -> Column:
    """Declare a yes/no column."""
    return Column(name, pl.Boolean(), description, nullable=nullable)


def moment(name: str, description: str, *, nullable: bool = True) -> Column:
    """Declare a UTC point in time."""
    return Column(name, UTC_TIME, description, "UTC", nullable=nullable)


def day(name: str, description: str, *, nullable: bool = False) -> Column:
    """Declare a calendar date."""
    return Column(name, pl.Date(), description, nullable=nullable)


def level(
    name: str,
    description: str,
    unit: str,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Column:
    """Declare a measured level: average it, never sum it."""
    return Column(name, pl.Float64(), description, unit, minimum, maximum, "level")


def total(name: str, description: str, unit: str, minimum: float | None = None) -> Column:
    """Declare an amount per interval: sum it."""
    return Column(name, pl.Float64(), description, unit, minimum, None, "total")


UTC_DATE = day("utc_date", "UTC date; physical partition of the table")
