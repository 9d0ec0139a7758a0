"""Register changes in bronze: numbering, exact values, and the state and the versions that replay gives."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.register.buildings import leads_to, rooms_of_buildings, rows_of_buildings
from domotic_assets.ingest.changes import change_rows, current_state, last_sequence
from domotic_assets.ingest.records import Version, row_versions
from domotic_assets.schemas.register import REGISTER_ROWS

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
    first = change_rows(FIRST, "sqlite", 0, SEEN)
    return pl.concat([first, change_rows(SECOND, "sqlite", last_sequence(first), LATER)])


def test_rows_have_the_schema_and_continue_the_sequence() -> None:
    rows = landed()
    assert rows.schema == REGISTER_ROWS.schema
    assert rows["sequence"].to_list() == [1, 2, 3, 4]
    assert rows["op"].to_list() == ["insert", "insert", "update", "delete"]
    assert rows["ts"].to_list() == [SEEN, SEEN, LATER, LATER]
    assert rows["before"].is_null().to_list() == [True, True, False, False]
    assert rows["after"].is_null().to_list() == [False, False, False, True]


def test_no_changes_give_an_empty_frame_of_the_schema() -> None:
    rows = change_rows([], "sqlite", 7, SEEN)
    assert rows.schema == REGISTER_ROWS.schema
    assert rows.height == 0
    assert last_sequence(rows) == 0
    assert current_state(rows) == {}


def test_replay_gives_the_state_with_values_and_types_unchanged() -> None:
    after_first = current_state(change_rows(FIRST, "sqlite", 0, SEEN))
    assert after_first == {"rooms": {"1": OFFICE, "2": KITCHEN}}
    assert type(after_first["rooms"]["1"]["idRoom"]) is int
    assert type(after_first["rooms"]["1"]["surface"]) is float
    assert current_state(landed()) == {"rooms": {"1": LARGER}}


@pytest.mark.parametrize("seed", range(3))
def test_replay_follows_the_sequence_whatever_the_order_of_rows(seed: int) -> None:
    assert current_state(landed().sample(fraction=1, shuffle=True, seed=seed)) == {"rooms": {"1": LARGER}}


def test_a_batch_landed_twice_changes_nothing() -> None:
    rows = landed()
    again = change_rows(SECOND, "sqlite", last_sequence(rows), LATER)
    assert current_state(pl.concat([rows, again])) == {"rooms": {"1": LARGER}}


# History -------------------------------------------------------------------------------------------

DAYS = [datetime(2023, 9, day, 7, 0, tzinfo=UTC) for day in range(4, 10)]


def history(*changes: tuple[datetime, dict[str, Any] | None]) -> list[Version]:
    """The versions of room 1 after these changes, each to what it became (None: gone)."""
    frames = [
        change_rows([Seen("rooms", "1", "update", None, after)], "sqlite", sequence, ts)
        for sequence, (ts, after) in enumerate(changes)
    ]
    return row_versions(pl.concat([REGISTER_ROWS.empty(), *frames])).get("rooms", [])


def test_versions_follow_each_other_without_gap_and_the_last_one_is_open() -> None:
    assert row_versions(landed()) == {
        "rooms": [
            Version(OFFICE, SEEN, LATER),
            Version(LARGER, LATER, None),
            Version(KITCHEN, SEEN, LATER),
        ]
    }
    assert row_versions(REGISTER_ROWS.empty()) == {}


def test_a_row_that_comes_again_opens_a_new_version_after_a_gap() -> None:
    assert history((DAYS[0], OFFICE), (DAYS[1], None), (DAYS[3], OFFICE)) == [
        Version(OFFICE, DAYS[0], DAYS[1]),
        Version(OFFICE, DAYS[3], None),
    ]


def test_a_change_landed_twice_changes_no_version() -> None:
    rows = landed()
    again = change_rows(SECOND, "sqlite", last_sequence(rows), LATER)
    late = change_rows(SECOND, "sqlite", last_sequence(rows), DAYS[5])
    same_number = pl.concat([rows, rows.tail(2)])
    for twice in (pl.concat([rows, again]), pl.concat([rows, late]), same_number):
        assert row_versions(twice) == row_versions(rows)


def test_two_changes_at_one_moment_leave_no_empty_interval() -> None:
    assert history((DAYS[0], OFFICE), (DAYS[1], KITCHEN), (DAYS[1], LARGER)) == [
        Version(OFFICE, DAYS[0], DAYS[1]),
        Version(LARGER, DAYS[1], None),
    ]
    assert history((DAYS[0], OFFICE), (DAYS[0], None)) == []
    assert history((DAYS[0], OFFICE), (DAYS[1], None), (DAYS[1], OFFICE)) == [Version(OFFICE, DAYS[0], None)]


def test_a_clock_that_was_set_back_turns_no_interval_round() -> None:
    assert history((DAYS[2], OFFICE), (DAYS[0], LARGER), (DAYS[3], None)) == [
        Version(LARGER, DAYS[2], DAYS[3]),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_versions_follow_the_sequence_whatever_the_order_of_rows(seed: int) -> None:
    shuffled = row_versions(landed().sample(fraction=1, shuffle=True, seed=seed))
    assert shuffled == row_versions(landed())


def test_what_is_open_is_the_current_state() -> None:
    rows = landed()
    still = [version.row for version in row_versions(rows)["rooms"] if version.valid_to is None]
    assert still == list(current_state(rows)["rooms"].values())


def test_rows_of_a_building_are_those_that_lead_to_it_by_building_or_room() -> None:
    state = {
        "buildings": {"1": {"idBuilding": 1}, "2": {"idBuilding": 2}},
        "rooms": {"11": {"idRoom": 11, "idBuilding": 1}, "21": {"idRoom": 21, "idBuilding": 2}},
        "sensors": {"5": {"idSensor": 5, "idRoom": 11}, "6": {"idSensor": 6, "idRoom": 21}},
        "profile": {"7": {"idProfile": 7, "idBuilding": 2}},
        "buildingtype": {"3": {"idBuildingType": 3}},
    }
    chosen = rows_of_buildings(state, {1})
    assert {table: list(rows) for table, rows in chosen.items()} == {
        "buildings": ["1"],
        "rooms": ["11"],
        "sensors": ["5"],
        "profile": [],
        "buildingtype": ["3"],
    }


def test_a_change_leads_to_a_building_where_the_row_stood_or_stands() -> None:
    changes = [
        Seen("rooms", "11", "insert", None, {"idRoom": 11, "idBuilding": 1}),
        Seen("rooms", "12", "update", {"idRoom": 12, "idBuilding": 1}, {"idRoom": 12, "idBuilding": 2}),
        Seen("rooms", "13", "delete", {"idRoom": 13, "idBuilding": 1}, None),
        Seen("rooms", "21", "insert", None, {"idRoom": 21, "idBuilding": 2}),
        Seen("sensors", "5", "insert", None, {"idSensor": 5, "idRoom": 13}),
        Seen("sensors", "6", "insert", None, {"idSensor": 6, "idRoom": 21}),
        Seen("buildingtype", "1", "insert", None, {"idBuildingType": 1, "name": "Maison"}),
    ]
    rows = change_rows(changes, "sqlite", 0, SEEN)
    rooms = rooms_of_buildings(rows, {1})
    assert rooms == {11, 12, 13}
    assert leads_to(rows, {1}, rooms).to_list() == [True, True, True, False, True, False, False]
