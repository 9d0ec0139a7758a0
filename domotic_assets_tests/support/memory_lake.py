"""A lake in memory, with the same promises as the one on disk, for tests that run hundreds of cases.

It holds the writers to their word: rows of a replacement must lie in what is replaced.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from domotic_assets.lake.listing import Between
from domotic_assets.lake.store import NO_MARKS, Lake, Marks, _fit
from domotic_assets.schemas.table import Table, as_texts


class MemoryLake(Lake):
    """One frame a table. `test_store` shows that the lake on disk holds the same after the same writes."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._frames: dict[str, pl.DataFrame] = {}
        self._versions: dict[str, int] = {}
        self._marks: dict[tuple[str, str], int] = {}

    def version(self, table: Table) -> int | None:
        return self._versions.get(table.id)

    def dates(self, table: Table) -> list[date]:
        assert table.partition is not None
        return sorted(self._frame(table)[table.partition].unique().to_list())

    def read(
        self,
        table: Table,
        *,
        dates: Iterable[date] | None = None,
        between: Between | None = None,
        where: pl.Expr | None = None,
        holding: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        rows = self._frame(table)
        if dates is not None:
            assert table.partition is not None
            rows = rows.filter(pl.col(table.partition).is_in(sorted(dates)))
        if between is not None:
            rows = rows.filter(pl.col(between[0]).is_between(between[1], between[2]))
        if holding is not None:
            rows = rows.drop_nulls(holding)
        if where is not None:
            rows = rows.filter(where)
        return rows.select(list(columns or table.schema.names()))

    def mark(self, table: Table, name: str) -> int:
        return self._marks.get((table.id, name), 0)

    def create(self, table: Table) -> None:
        if table.id not in self._versions:
            self._put(table, table.empty(), NO_MARKS)

    def append(self, table: Table, rows: pl.DataFrame, marks: Marks = NO_MARKS) -> bool:
        if not rows.is_empty():
            self._put(table, pl.concat([self._frame(table), as_texts(_fit(table, rows))]), marks)
        return not rows.is_empty()

    def replace_values(
        self,
        table: Table,
        rows: pl.DataFrame,
        column: str,
        values: pl.Series,
        dates: pl.Series,
        marks: Marks = NO_MARKS,
    ) -> bool:
        assert table.partition is not None
        asked = pl.DataFrame({column: values, table.partition: dates})
        assert rows.join(asked, on=asked.columns, how="anti").is_empty(), (
            f"{table.id}: rows beside the values"
        )
        before = self._frame(table)
        kept = before.filter(~pl.col(column).is_in(values.implode()))
        if rows.is_empty() and kept.height == before.height:
            return False
        self._put(table, pl.concat([kept, as_texts(_fit(table, rows))]), marks)
        return True

    def replace_dates(
        self, table: Table, rows: pl.DataFrame, dates: Sequence[date], marks: Marks = NO_MARKS
    ) -> None:
        assert table.partition is not None
        assert set(rows[table.partition].to_list()) <= set(dates), f"{table.id}: rows beside the dates"
        kept = self._frame(table).filter(~pl.col(table.partition).is_in(list(dates)))
        self._put(table, pl.concat([kept, as_texts(_fit(table, rows))]), marks)

    def replace_all(self, table: Table, rows: pl.DataFrame) -> bool:
        raise NotImplementedError("the steps of the sensor feed replace minutes and days only")

    def _frame(self, table: Table) -> pl.DataFrame:
        if table.id not in self._frames:
            self._frames[table.id] = table.empty()
        return self._frames[table.id]

    def _put(self, table: Table, rows: pl.DataFrame, marks: Marks) -> None:
        self._frames[table.id] = rows
        self._marks |= {(table.id, name): number for name, number in marks.items()}
        self._versions[table.id] = self._versions.get(table.id, -1) + 1
