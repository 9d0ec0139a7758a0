"""Reads the rows of a table that lie in windows. What the rows mean belongs to the domains."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import polars as pl

from domotic_assets.flow.pieces import spans, within
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.listing import Between
from domotic_assets.localtime import MINUTE
from domotic_assets.schemas.table import Table


def of_minutes(table: Table, span: Window) -> Between:
    """Express a span as a range of the table's minute column, which it must have; both ends included."""
    column = table.minute_column
    assert column is not None
    first, last = span.start, span.end - MINUTE
    if column == "datetime_key":
        return column, int(f"{first:%Y%m%d%H%M}"), int(f"{last:%Y%m%d%H%M}")
    return column, first, last


def read_within(
    work: Workspace,
    table: Table,
    column: str,
    windows: Sequence[Window],
    columns: Sequence[str] | None = None,
    where: pl.Expr | None = None,
) -> pl.DataFrame:
    """Read the rows whose minute in `column` lies in one of the windows, and that satisfy `where`, if given.

    The table must be partitioned by UTC date. columns: the columns to return; None for all.
    """
    found = spans(windows)
    if not found:
        return table.empty().select(columns or table.schema.names())
    if len(found) > 1:
        where = within(column, windows) if where is None else where & within(column, windows)
    return work.lake.read(
        table,
        dates=utc_dates(windows),
        between=(column, found[0][0], found[-1][1] - MINUTE),
        where=where,
        columns=columns,
    )


def utc_dates(windows: Iterable[Window]) -> list[date]:
    """Return the UTC dates that the windows touch, oldest first."""
    days: set[date] = set()
    for start, end in spans(windows):
        number = ((end - MINUTE).date() - start.date()).days + 1
        days.update(start.date() + timedelta(days=offset) for offset in range(number))
    return sorted(days)
