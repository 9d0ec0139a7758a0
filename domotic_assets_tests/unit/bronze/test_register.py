"""Register changes in bronze: numbering, exact values, and the state that replay gives."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from domotic_assets.bronze.register import current_state, last_sequence, register_rows
from domotic_assets.schemas.bronze import REGISTER_ROWS

SEEN = datetime(2023, 9, 4, 7, 0, tzinfo=UTC)
LATER = datetime(2023, 9, 5, 7, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    table: str
    key: str
    op: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


OFFICE = {"idRoom": 1, "name": 'Bürö "1"', "surface": 12.5, "orientation": None}
LARGER = OFFICE | {"surface": 13.0}
KITCHEN = {"idRoom": 2, "name": "Kitchen", "surface": None, "orientation": None}
FIRST = [Seen("rooms", "1", "insert", None, OFFICE), Seen("rooms", "2", "insert", None, KITCHEN)]
SECOND = [Seen("rooms", "1", "update", OFFICE, LARGER), Seen("rooms", "2", "delete", KITCHEN, None)]


def landed() -> pl.DataFrame:
    first = register_rows(FIRST, "sqlite", 0, SEEN)
    return pl.concat([first, register_rows(SECOND, "sqlite", last_sequence(first), LATER)])


def test_rows_have_the_schema_and_continue_the_sequence() -> None:
    rows = landed()
    assert rows.schema == REGISTER_ROWS.schema
    assert rows["sequence"].to_list() == [1, 2, 3, 4]
    assert rows["op"].to_list() == ["insert", "insert", "update", "delete"]
    assert rows["ts"].to_list() == [SEEN, SEEN, LATER, LATER]
    assert rows["before"].is_null().to_list() == [True, True, False, False]
    assert rows["after"].is_null().to_list() == [False, False, False, True]


def test_no_changes_give_an_empty_frame_of_the_schema() -> None:
    rows = register_rows([], "sqlite", 7, SEEN)
    assert rows.schema == REGISTER_ROWS.schema
    assert rows.height == 0
    assert last_sequence(rows) == 0
    assert current_state(rows) == {}


def test_replay_gives_the_state_with_values_and_types_unchanged() -> None:
    after_first = current_state(register_rows(FIRST, "sqlite", 0, SEEN))
    assert after_first == {"rooms": {"1": OFFICE, "2": KITCHEN}}
    assert type(after_first["rooms"]["1"]["idRoom"]) is int
    assert type(after_first["rooms"]["1"]["surface"]) is float
    assert current_state(landed()) == {"rooms": {"1": LARGER}}


@pytest.mark.parametrize("seed", range(3))
def test_replay_follows_the_sequence_whatever_the_order_of_rows(seed: int) -> None:
    assert current_state(landed().sample(fraction=1, shuffle=True, seed=seed)) == {"rooms": {"1": LARGER}}


def test_a_batch_landed_twice_changes_nothing() -> None:
    rows = landed()
    again = register_rows(SECOND, "sqlite", last_sequence(rows), LATER)
    assert current_state(pl.concat([rows, again])) == {"rooms": {"1": LARGER}}
