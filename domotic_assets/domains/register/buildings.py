"""Finds the register rows that belong to a building, directly or through a room."""

import json
from collections.abc import Collection, Mapping

import polars as pl

from domotic_assets.ingest.changes import Row


def rows_of_buildings(
    state: Mapping[str, Mapping[str, Row]], buildings: Collection[int]
) -> dict[str, dict[str, Row]]:
    """Select the rows that belong to one of these buildings, and those that belong to no building at all.

    state: by register table, the rows by primary key. Returns the same with the selected rows.
    """
    rooms = {row["idRoom"] for row in state.get("rooms", {}).values() if row.get("idBuilding") in buildings}
    return {
        table: {key: row for key, row in rows.items() if _leads_to_none(row) or _leads(row, buildings, rooms)}
        for table, rows in state.items()
    }


def rooms_of_buildings(rows: pl.DataFrame, buildings: Collection[int]) -> set[int]:
    """Find the ids of rooms that were ever in one of these buildings. rows: `REGISTER_ROWS`."""
    found: set[int] = set()
    of_rooms = rows.filter(pl.col("table") == "rooms")
    for text in (*of_rooms["before"].drop_nulls(), *of_rooms["after"].drop_nulls()):
        row = json.loads(text)
        if row.get("idBuilding") in buildings:
            found.add(row["idRoom"])
    return found


def leads_to(rows: pl.DataFrame, buildings: Collection[int], rooms: Collection[int]) -> pl.Series:
    """Return for each row whether it belongs to one of these buildings or rooms, before or after the change.

    rows: `REGISTER_ROWS`.
    """
    return pl.Series(
        [
            any(text is not None and _leads(json.loads(text), buildings, rooms) for text in texts)
            for texts in rows.select("before", "after").iter_rows()
        ],
        dtype=pl.Boolean,
    )


def _leads(row: Row, buildings: Collection[int], rooms: Collection[int]) -> bool:
    """Return whether a register row names one of these buildings (`idBuilding`) or rooms (`idRoom`)."""
    return row.get("idBuilding") in buildings or row.get("idRoom") in rooms


def _leads_to_none(row: Row) -> bool:
    """Return whether a register row names neither a building nor a room."""
    return row.get("idBuilding") is None and row.get("idRoom") is None
