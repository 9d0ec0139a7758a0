"""Checks that stored tables match their declaration in `schemas`: columns, keys, references."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from domotic_assets.flow.pieces import FILES_AT_ONCE, parts, spans
from domotic_assets.flow.reading import of_minutes, utc_dates
from domotic_assets.flow.windows import Window, date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.quality import tables
from domotic_assets.quality.check import Check
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict, together
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table


def written_keys(work: Workspace, table: Table, windows: Sequence[Window]) -> Verdict:
    """Check that the rows of these windows match the table's declaration."""
    return _keys(work, table, _parts(work, table, windows))


def _parts(work: Workspace, table: Table, windows: Iterable[Window]) -> list[Mapping[str, Any]]:
    """Cut windows into parts that fit in memory, as arguments of `Lake.read`; no key is in two parts."""
    homes = len(work.registry.homes)
    return [
        {"dates": utc_dates([part]), "between": of_minutes(table, part)}
        for start, end in spans(windows)
        for part in parts(Window(start, end), FILES_AT_ONCE, homes)
    ]


def table_keys(work: Workspace, table: Table, span: Window) -> Verdict:
    """Check that a table matches its declaration: rows of the span's dates, or all if it has no partition."""
    if table.partition is None:
        return _keys(work, table, [{}])
    dates = utc_dates([span])
    if table.minute_column is None:
        return _keys(work, table, [{"dates": dates}])
    whole = [Window(start, end) for start, end in spans(map(date_window, dates))]
    # One more part: rows of these partitions whose minute is null or lies outside the dates.
    column, low, high = of_minutes(table, Window(whole[0].start, whole[-1].end))
    astray = pl.col(column).is_null() | ~pl.col(column).is_between(low, high)
    return _keys(work, table, [*_parts(work, table, whole), {"dates": dates, "where": astray}])


def _keys(work: Workspace, table: Table, pieces: Sequence[Mapping[str, Any]]) -> Verdict:
    """Check a table's columns, and the rows of each piece. pieces: arguments of `Lake.read`.

    A table that does not exist passes.
    """
    held = work.lake.held_schema(table)
    if held is None:
        return Verdict()
    needed = {*table.primary_key, *(column.name for column in table.columns if not column.nullable)}
    nothing = table.empty().select(sorted(needed))
    if needed - set(held.names()):
        return tables.keys(table, nothing.select(sorted(needed & set(held.names()))), held)
    return together(
        [
            tables.keys(table, nothing, held),
            *(
                tables.keys(
                    table,
                    work.lake.read(table, columns=nothing.columns, **piece),
                    table.schema,
                )
                for piece in pieces
            ),
        ]
    )


def fact_references(judged: Round, table: Table) -> Verdict:
    """Check that a fact's keys exist in its dimensions.

    Rows of the span's UTC dates, or all rows if the fact is not partitioned by UTC date.
    """
    columns = sorted({key.column for key in table.foreign_keys})
    dates = utc_dates([judged.span]) if table.partition == "utc_date" else None
    rows = judged.work.lake.read(table, dates=dates, columns=columns).unique()
    return tables.references(table, rows, judged.known_keys)


def table_checks(tables: Sequence[Table]) -> tuple[Check, ...]:
    """Build the check `keys` of every table, and `references` of every fact."""
    facts = [table for table in tables if table in gold.FACTS]
    return (*map(_keys_check, tables), *map(_references_check, facts))


def _keys_check(table: Table) -> Check:
    """Build the check `keys` of a table: columns and types, unique keys, nulls only where allowed."""
    return Check(
        "keys",
        table,
        "ERROR",
        f"Columns are not those declared, a key ({', '.join(table.primary_key)}) stands twice, or a value "
        "that must be there is null.",
        lambda judged: table_keys(judged.work, table, judged.span),
    )


def _references_check(table: Table) -> Check:
    """Build the check `references` of a fact: each of its keys has a row in its dimension."""
    return Check(
        "references",
        table,
        "ERROR",
        "A key has no row in its dimension.",
        lambda judged: fact_references(judged, table),
    )
