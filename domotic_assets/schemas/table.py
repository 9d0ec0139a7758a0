"""What a column and a table are. The tables themselves stand in the modules beside this one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

Aggregation = Literal["level", "total", "counter"]
"""How a measure sums up: a level is averaged, a total is summed, a counter is only ever differenced."""

NO_KEY = -1
"""Surrogate key of "none"."""

UTC_TIME = pl.Datetime("us", "UTC")


def surrogate_key(natural_id: str) -> int:
    """First 52 bits of SHA-256 of a natural id: exact in JavaScript, Excel and a BIGINT."""
    return int(hashlib.sha256(natural_id.encode()).hexdigest()[:13], 16)


def is_ordered(rows: pl.DataFrame, columns: Sequence[str], *, strictly: bool = False) -> bool:
    """Whether the rows stand in the order of these columns; strictly: and no two of them agree in all.

    Comparing neighbours costs a tenth of sorting. A null in one of the columns is no order.
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
    """The column; of categories their places in the order of texts, as numbers compare faster."""
    if not isinstance(column.dtype, pl.Categorical):
        return column
    places = categories_of(column).rank("dense")
    return places[column.to_physical()].alias(column.name)


def as_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with texts again, where categories stood for them."""
    return rows.with_columns(pl.col(pl.Categorical).cast(pl.String))


def categories_of(column: pl.Series) -> pl.Series:
    """The texts that a column's categories stand for, by their numbers, as far as the column has any."""
    most = column.to_physical().max()
    assert most is None or isinstance(most, int)
    numbers = pl.Series(pl.int_range(0 if most is None else most + 1, dtype=pl.UInt32, eager=True))
    return numbers.cat.to(column.dtype).cast(pl.String)


@dataclass(frozen=True)
class Column:
    """A column: name (ends in its unit), type, meaning, unit, allowed range and aggregation kind."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    description: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    aggregation: Aggregation | None = None
    nullable: bool = True


@dataclass(frozen=True)
class ForeignKey:
    """`column` holds keys of `table`; `allow_none` says that -1 stands for none."""

    column: str
    table: str
    target: str
    allow_none: bool = False


@dataclass(frozen=True)
class Table:
    """A Delta table: `layer/name`, its grain in one sentence, columns, keys and physical partition.

    note: what a reader must know before summing, where grain and columns do not say it.
    """

    layer: Literal["bronze", "silver", "gold"]
    name: str
    grain: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
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

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def empty(self) -> pl.DataFrame:
        """A frame of this shape with no rows."""
        return pl.DataFrame(schema=self.schema)


def text(name: str, description: str, *, nullable: bool = True) -> Column:
    """A text column."""
    return Column(name, pl.String(), description, nullable=nullable)


def whole(name: str, description: str, unit: str | None = None, *, nullable: bool = True) -> Column:
    """A whole-number column that counts or numbers something."""
    return Column(name, pl.Int64(), description, unit, nullable=nullable)


def count(name: str, description: str) -> Column:
    """A non-negative count that may be summed."""
    return Column(name, pl.Int64(), description, minimum=0, aggregation="total", nullable=False)


def flag(name: str, description: str, *, nullable: bool = True) -> Column:
    """A yes/no column."""
    return Column(name, pl.Boolean(), description, nullable=nullable)


def moment(name: str, description: str, *, nullable: bool = True) -> Column:
    """A UTC point in time."""
    return Column(name, UTC_TIME, description, "UTC", nullable=nullable)


def day(name: str, description: str, *, nullable: bool = False) -> Column:
    """A calendar date."""
    return Column(name, pl.Date(), description, nullable=nullable)


def level(
    name: str,
    description: str,
    unit: str,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Column:
    """A measured level: average it, never sum it."""
    return Column(name, pl.Float64(), description, unit, minimum, maximum, "level")


def total(name: str, description: str, unit: str, minimum: float | None = None) -> Column:
    """An amount of its interval: sum it."""
    return Column(name, pl.Float64(), description, unit, minimum, None, "total")


UTC_DATE = day("utc_date", "UTC date; physical partition of the table")
