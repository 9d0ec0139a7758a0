"""The lake's writes: exactly what was named is replaced, nothing else is rewritten or lost."""

import dataclasses
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from random import Random

import polars as pl
import pytest
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import DeltaError
from polars.testing import assert_frame_equal

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.lake import store
from domotic_assets.lake.rewrite import batches
from domotic_assets.lake.store import Lake, consecutive
from domotic_assets.schemas.table import (
    UTC_DATE,
    UTC_TIME,
    Cadence,
    Place,
    Subject,
    Table,
    moment,
    text,
    whole,
)
from domotic_assets_tests.support.memory_lake import MemoryLake

READINGS = Table(
    layer="silver",
    name="readings",
    grain="one row per minute and device",
    columns=(moment("ts", "minute", nullable=False), text("device", "device", nullable=False),
             whole("value", "value"), UTC_DATE),
    primary_key=("ts", "device"),
    subject=Subject.HOME,
    cadence=Cadence.MINUTE,
    place=Place("ts"),
    partition="utc_date",
)  # fmt: skip
ROOMS = Table(
    layer="gold",
    name="rooms",
    grain="one row per room",
    columns=(text("room", "room", nullable=False), whole("floor", "floor")),
    primary_key=("room",),
    subject=Subject.NOBODY,
    cadence=Cadence.WHOLE,
    place=None,
)
DAY = datetime(2023, 9, 4, tzinfo=UTC)


def rows(*readings: tuple[int, str, int]) -> pl.DataFrame:
    """READINGS of (minutes after DAY, device, value)."""
    moments = [DAY + timedelta(minutes=minute) for minute, _, _ in readings]
    return pl.DataFrame(
        {
            "ts": moments,
            "device": [device for _, device, _ in readings],
            "value": [value for _, _, value in readings],
            "utc_date": [at.date() for at in moments],
        },
        schema=READINGS.schema,
    )


def minutes(*offsets: int) -> pl.Series:
    return pl.Series([DAY + timedelta(minutes=offset) for offset in offsets], dtype=UTC_TIME)


def replace(lake: Lake, new: pl.DataFrame, values: pl.Series) -> bool:
    return lake.replace_values(READINGS, new, "ts", values, values.dt.date())


def held(lake: Lake, table: Table = READINGS) -> list[tuple[object, ...]]:
    """What the lake holds, by key; READINGS as `rows` takes them."""
    found = lake.read(table).sort(table.primary_key)
    if table is READINGS:
        offset = ((pl.col("ts") - DAY).dt.total_minutes()).alias("minute")
        found = found.select(offset, "device", "value")
    return found.rows()


@pytest.fixture(params=["few rows", "many rows"])
def lake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lake:
    """A lake whose writes are made as those of few rows are, or as those of many."""
    monkeypatch.setattr(store, "MANY", 0 if request.param == "many rows" else 10**9)
    return Lake(str(tmp_path))


def paths_of(lake: Lake, day: str) -> set[str]:
    return {file for file in lake.files(READINGS) if f"utc_date={day}" in file}


def test_replacing_minutes_with_holes_leaves_the_minutes_between_as_they_are(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "a", 2), (3, "a", 3), (3, "b", 3), (4, "a", 4), (9, "a", 9)))
    replace(lake, rows((1, "a", 10), (3, "a", 30), (4, "c", 40)), minutes(1, 3, 4))
    assert held(lake) == [(1, "a", 10), (2, "a", 2), (3, "a", 30), (4, "c", 40), (9, "a", 9)]


def test_minutes_far_apart_are_replaced_and_the_dates_between_are_not_rewritten(lake: Lake) -> None:
    far = 10 * 1440
    lake.append(READINGS, rows((5, "a", 1), (3 * 1440, "a", 2), (far, "a", 3), (far + 1, "a", 4)))
    between = paths_of(lake, "2023-09-07")
    replace(lake, rows((5, "a", 10), (far, "a", 30)), minutes(5, far))
    assert held(lake) == [(5, "a", 10), (3 * 1440, "a", 2), (far, "a", 30), (far + 1, "a", 4)]
    assert paths_of(lake, "2023-09-07") == between != set()


def test_minutes_on_both_sides_of_midnight_are_replaced_in_one_commit(lake: Lake) -> None:
    lake.append(READINGS, rows((1438, "a", 1), (1439, "a", 2), (1440, "a", 3), (1441, "a", 4)))
    before = lake.version(READINGS)
    replace(lake, rows((1439, "a", 20), (1440, "a", 30)), minutes(1439, 1440))
    assert held(lake) == [(1438, "a", 1), (1439, "a", 20), (1440, "a", 30), (1441, "a", 4)]
    assert before is not None
    assert lake.version(READINGS) == before + 1


def test_where_nothing_lies_rows_are_added_and_no_file_is_rewritten(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (9, "a", 9)))
    before = paths_of(lake, "2023-09-04")
    replace(lake, rows((4, "a", 4), (5, "a", 5)), minutes(4, 5))
    assert before < paths_of(lake, "2023-09-04")
    replace(lake, rows((5, "a", 50)), minutes(5))
    # Of these two the table holds what lies between, and neither.
    replace(lake, rows((2, "a", 2), (8, "a", 8)), minutes(2, 8))
    assert held(lake) == [(1, "a", 1), (2, "a", 2), (4, "a", 4), (5, "a", 50), (8, "a", 8), (9, "a", 9)]


def predicates(lake: Lake) -> list[str]:
    """What the commits that replaced something did replace, oldest first."""
    snapshot = lake.delta(READINGS)
    assert snapshot is not None
    said = [commit["operationParameters"].get("predicate") for commit in reversed(snapshot.history())]
    return [predicate for predicate in said if predicate]


def test_dates_that_hold_only_what_is_replaced_are_replaced_whole_and_no_others(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "a", 2), (1441, "a", 3), (1442, "a", 4)))
    replace(lake, rows((1, "a", 10), (1441, "a", 30)), minutes(1, 2, 1441, 1442))
    assert held(lake) == [(1, "a", 10), (1441, "a", 30)]
    # A minute between may stay: the date is written anew with it.
    lake.append(READINGS, rows((5, "b", 5)))
    replace(lake, rows((1, "a", 11), (9, "a", 9)), minutes(1, 9))
    assert held(lake) == [(1, "a", 11), (5, "b", 5), (9, "a", 9), (1441, "a", 30)]
    # Beside what is replaced lie others of its date, before or after it.
    replace(lake, rows((9, "a", 90)), minutes(5, 9))
    replace(lake, rows((1, "a", 12)), minutes(1, 5))
    assert held(lake) == [(1, "a", 12), (9, "a", 90), (1441, "a", 30)]
    assert ["ts" in predicate for predicate in predicates(lake)] == [False, False, True, True]


def test_a_date_is_not_replaced_whole_where_the_log_does_not_say_what_lies_on_it(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "a", 2)).with_columns(value=pl.lit(None, pl.Int64)))
    lake.append(READINGS, rows((3, "a", 7)))
    numbers = pl.Series([7, 8], dtype=pl.Int64)
    dates = pl.Series([DAY.date()] * 2)
    lake.replace_values(READINGS, rows((3, "a", 8)), "value", numbers, dates)
    assert held(lake) == [(1, "a", None), (2, "a", None), (3, "a", 8)]


def test_what_another_adds_to_a_date_while_it_is_replaced_whole_is_not_lost(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "a", 2)))
    other, fit = Lake(lake.root), store._fit

    def fit_late(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
        monkeypatch.setattr(store, "_fit", fit)
        other.append(READINGS, rows((700, "b", 7)))
        return fit(table, frame)

    monkeypatch.setattr(store, "_fit", fit_late)
    with pytest.raises(LakeError, match="writing 2 rows failed"):
        replace(lake, rows((1, "a", 10), (2, "a", 20)), minutes(1, 2))
    assert held(lake) == [(1, "a", 1), (2, "a", 2), (700, "b", 7)]
    replace(lake, rows((1, "a", 10), (2, "a", 20)), minutes(1, 2))
    assert held(lake) == [(1, "a", 10), (2, "a", 20), (700, "b", 7)]


WIDER = dataclasses.replace(
    READINGS, columns=(*READINGS.columns[:-1], text("note", "what was done"), READINGS.columns[-1])
)


def test_a_table_takes_a_nullable_column_that_its_schema_has_gained(lake: Lake) -> None:
    """Rows from before are null there, files from before stay as they are, and upkeep keeps both."""
    lake.append(READINGS, rows((1, "a", 1), (1441, "a", 2)))
    old = paths_of(lake, "2023-09-05")
    assert lake.read(WIDER)["note"].to_list() == [None, None]
    noted = rows((1, "a", 5)).with_columns(note=pl.lit("read twice")).select(WIDER.schema.names())
    at = minutes(1)
    assert lake.replace_values(WIDER, noted, "ts", at, at.dt.date())
    lake.append(WIDER, noted.with_columns(device=pl.lit("b")))
    expected = [("a", 2, None), ("a", 5, "read twice"), ("b", 5, "read twice")]
    columns = ["device", "value", "note"]
    assert sorted(lake.read(WIDER, columns=columns).rows()) == expected
    assert paths_of(lake, "2023-09-05") == old
    assert dict(lake.held_schema(WIDER) or {}) == dict(WIDER.schema)
    snapshot = lake.delta(WIDER)
    assert snapshot is not None
    snapshot.optimize.compact()
    assert sorted(lake.read(WIDER, columns=columns).rows()) == expected
    kept = (frame for frame in [*batches(lake, WIDER)])
    assert sorted(pl.concat(kept).select(columns).rows()) == expected


def test_a_table_without_a_column_that_must_be_there_is_refused(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1)))
    strict = dataclasses.replace(WIDER, columns=(*READINGS.columns, whole("count", "count", nullable=False)))
    with pytest.raises(LakeError, match="lacks count"):
        lake.append(strict, rows((2, "a", 1)).with_columns(count=pl.lit(1, pl.Int64)))


def test_an_empty_frame_deletes_what_it_replaces(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "a", 2), (1441, "a", 3)))
    replace(lake, rows(), minutes(1, 1441))
    assert held(lake) == [(2, "a", 2)]


def test_replacing_nothing_by_nothing_is_no_commit(lake: Lake) -> None:
    assert not replace(lake, rows(), minutes(1))
    assert lake.version(READINGS) is None
    assert lake.append(READINGS, rows((1, "a", 1)))
    assert not replace(lake, rows(), minutes(5 * 1440))
    assert lake.version(READINGS) == 0


@pytest.mark.parametrize("kind", [Lake, MemoryLake])
def test_a_write_leaves_its_mark_beside_its_rows(tmp_path: Path, kind: type[Lake]) -> None:
    lake = kind(str(tmp_path))
    assert lake.mark(READINGS, "a") == 0
    at = minutes(1)
    assert lake.replace_values(READINGS, rows((1, "a", 1)), "ts", at, at.dt.date(), {"a": 1})
    assert lake.replace_values(READINGS, rows((1, "a", 2)), "ts", at, at.dt.date(), {"a": 2})
    assert lake.mark(READINGS, "a") == 2
    lake.replace_dates(READINGS, rows((7, "c", 7)), [date(2023, 9, 4)], {"a": 3})
    assert lake.mark(READINGS, "a") == 3
    # Nothing written, nothing marked; and a write without a mark leaves what there is.
    far = minutes(5 * 1440)
    assert not lake.replace_values(READINGS, rows(), "ts", far, far.dt.date(), {"a": 9})
    lake.append(READINGS, rows((2, "a", 2)))
    assert (lake.mark(READINGS, "a"), lake.mark(READINGS, "b")) == (3, 0)


def test_marks_outlive_compaction_and_a_log_that_was_cleared(lake: Lake) -> None:
    for number in range(3):
        lake.append(READINGS, rows((number, "a", number)), {"a": number})
    delta = lake.delta(READINGS)
    assert delta is not None
    delta.optimize.compact()
    delta.create_checkpoint()
    for file in Path(lake.uri(READINGS), "_delta_log").glob("*.json"):
        os.utime(file, (0, 0))
    delta.cleanup_metadata()
    assert Lake(lake.root).mark(READINGS, "a") == 2


def test_of_two_writers_that_leave_the_same_mark_one_is_refused(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1)))
    first, second = Lake(lake.root), Lake(lake.root)
    snapshot = second.delta(READINGS)
    assert snapshot is not None
    first.append(READINGS, rows((2, "a", 2)), {"a": 1})
    marked = CommitProperties(app_transactions=[Transaction("a", 1)])
    with pytest.raises(DeltaError):
        write_deltalake(snapshot, rows((3, "a", 3)), mode="append", commit_properties=marked)
    assert held(lake) == [(1, "a", 1), (2, "a", 2)]


def test_dates_are_replaced_whole_and_an_empty_frame_deletes_them(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "b", 2), (1441, "a", 3), (2881, "a", 4)))
    lake.replace_dates(READINGS, rows((7, "c", 7)), [date(2023, 9, 4), date(2023, 9, 5)])
    assert held(lake) == [(7, "c", 7), (2881, "a", 4)]
    lake.replace_dates(READINGS, rows(), [date(2023, 9, 6)])
    assert held(lake) == [(7, "c", 7)]
    assert lake.dates(READINGS) == [date(2023, 9, 4)]


@pytest.mark.parametrize("order", [["utc_date", "device", "ts"], ["device", "ts"], ["value"]])
def test_each_file_is_in_the_order_of_the_table_however_the_rows_came(lake: Lake, order: list[str]) -> None:
    by_device = dataclasses.replace(READINGS, sort=("device", "ts"))
    values = [5, 1, 7, 3, 6, 2, 8, 4]
    places = [(minute, device) for minute in (1, 2, 1441, 1442) for device in ("b", "a")]
    new = rows(*((*place, value) for place, value in zip(places, values, strict=True)))
    lake.append(by_device, new.sort(order))
    files = [pl.read_parquet(file, columns=["ts", "device", "value"]) for file in lake.files(by_device)]
    for file in files:
        assert_frame_equal(file, file.sort("device", "ts"))
    assert [file.height for file in files] == [4, 4]
    assert sorted(pl.concat(files)["value"]) == sorted(values)


def test_replacing_all_by_the_same_rows_in_another_order_is_no_commit(lake: Lake) -> None:
    frame = pl.DataFrame({"room": ["b", "a"], "floor": [1, None]}, schema=ROOMS.schema)
    assert lake.replace_all(ROOMS, frame)
    assert not lake.replace_all(ROOMS, frame.reverse())
    assert lake.version(ROOMS) == 0
    assert lake.replace_all(ROOMS, frame.with_columns(floor=pl.lit(2, pl.Int64)))
    assert held(lake, ROOMS) == [("a", 2), ("b", 2)]


@pytest.mark.parametrize("kind", [Lake, MemoryLake])
def test_a_table_is_created_once_and_keeps_what_it_holds(tmp_path: Path, kind: type[Lake]) -> None:
    lake = kind(str(tmp_path))
    assert lake.version(READINGS) is None
    for _ in range(2):
        lake.create(READINGS)
        assert (lake.version(READINGS), lake.dates(READINGS)) == (0, [])
    lake.append(READINGS, rows((1, "a", 1)))
    lake.create(READINGS)
    assert (lake.version(READINGS), lake.read(READINGS).height) == (1, 1)


def test_an_empty_table_is_written_once_so_that_it_exists(lake: Lake) -> None:
    assert lake.replace_all(ROOMS, ROOMS.empty())
    assert not lake.replace_all(ROOMS, ROOMS.empty())
    assert lake.version(ROOMS) == 0


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (rows((1, "a", 1)).drop("value"), "value"),
        (rows((1, "a", 1)).with_columns(pl.col("value").cast(pl.String)), "value"),
        (rows((1, "a", 1)).with_columns(extra=pl.lit(1)), "extra"),
        (rows((1, "a", 1)).with_columns(device=pl.lit(None, pl.String)), "device"),
    ],
    ids=["missing", "other type", "unknown", "null"],
)
def test_a_frame_of_another_shape_is_refused_by_column_and_nothing_is_written(
    lake: Lake, frame: pl.DataFrame, named: str
) -> None:
    with pytest.raises(ContractError) as caught:
        lake.append(READINGS, frame)
    assert named in str(caught.value)
    assert "silver/readings" in str(caught.value)
    assert lake.version(READINGS) is None


def test_a_table_that_does_not_exist_reads_as_empty(lake: Lake) -> None:
    assert lake.read(READINGS, columns=["ts", "value"]).schema == {"ts": UTC_TIME, "value": pl.Int64}
    assert lake.dates(READINGS) == []
    assert lake.files(READINGS) == []


def test_a_read_takes_the_dates_condition_and_columns_asked_for(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "b", 2), (1441, "b", 3)))
    found = lake.read(READINGS, dates=[date(2023, 9, 4)], where=pl.col("device") == "b", columns=["value"])
    assert found.rows() == [(2,)]
    assert lake.read(READINGS, dates=[]).is_empty()


def test_a_lake_below_a_file_cannot_be_written_and_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeError) as caught:
        Lake(str(tmp_path / "file" / "lake")).require_writable()
    assert "--lake" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(LakeError, match=r"writing 1 rows failed") as caught:
        Lake(str(tmp_path / "file" / "lake")).append(READINGS, rows((1, "a", 1)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(3))
def test_the_lake_on_disk_holds_what_the_one_in_memory_holds_after_the_same_writes(
    lake: Lake, seed: int
) -> None:
    rng, memory = Random(seed), MemoryLake("memory")
    for number in range(12):
        chosen = rng.sample(range(0, 4 * 1440, 240), rng.randint(1, 6))
        new = rows(
            *(
                (minute, device, number)
                for minute in chosen
                for device in rng.sample("abc", rng.randint(0, 2))
            )
        )
        days = sorted({(DAY + timedelta(minutes=minute)).date() for minute in chosen})
        for place in (lake, memory):
            if number % 3:
                replace(place, new, minutes(*chosen))
            else:
                place.replace_dates(READINGS, new, days)
        expected = memory.read(READINGS).sort(READINGS.primary_key)
        assert_frame_equal(lake.read(READINGS).sort(READINGS.primary_key), expected)
        assert lake.dates(READINGS) == memory.dates(READINGS)


@pytest.mark.parametrize(
    ("days", "runs"),
    [([], []), ([1], [(1, 1)]), ([1, 2, 3, 5, 7, 8], [(1, 3), (5, 5), (7, 8)])],
)
def test_consecutive_dates_are_one_run(days: Sequence[int], runs: list[tuple[int, int]]) -> None:
    found = consecutive([date(2023, 9, day) for day in days])
    assert [(first.day, last.day) for first, last in found] == runs


def test_a_read_opens_only_the_files_that_may_hold_what_is_asked_for(lake: Lake) -> None:
    for offset in (1, 2, 1441, 1442):
        lake.append(READINGS, rows((offset, "a", offset)))
    wanted = minutes(2, 2)
    kept = [file for file in lake.files(READINGS) if pl.read_parquet(file)["value"].to_list() == [2]]
    for file in set(lake.files(READINGS)) - set(kept):
        Path(file).unlink()
    found = lake.read(READINGS, dates=[DAY.date()], between=("ts", wanted[0], wanted[1]))
    assert found["value"].to_list() == [2]
    assert lake.read(READINGS, between=("ts", wanted[0], wanted[1]))["value"].to_list() == [2]
    with pytest.raises(FileNotFoundError):
        lake.read(READINGS, dates=[DAY.date()])


@pytest.mark.parametrize("order", permutations((1, 2, 1441, 2881)))
def test_files_are_read_in_the_order_of_time_however_they_were_written(
    lake: Lake, order: tuple[int, ...]
) -> None:
    for offset in order:
        lake.append(READINGS, rows((offset, "a", offset)))
    ever = ("ts", DAY, DAY + timedelta(days=3))
    assert lake.read(READINGS, between=ever)["value"].to_list() == [1, 2, 1441, 2881]
    days = [DAY.date() + timedelta(days=day) for day in (2, 0, 1)]
    assert lake.read(READINGS, dates=days)["utc_date"].to_list() == [days[1], days[1], days[2], days[0]]
    assert lake.read(READINGS, dates=days, between=ever)["value"].to_list() == [1, 2, 1441, 2881]


def test_a_range_holds_both_its_ends_whatever_the_log_says_of_the_column(lake: Lake) -> None:
    lake.append(READINGS, rows((1, "a", 1), (2, "a", 2), (3, "a", 3)))
    lake.append(READINGS, rows((4, "a", 4)).with_columns(value=pl.lit(None, pl.Int64)))
    assert lake.read(READINGS, between=("value", 2, 3))["value"].to_list() == [2, 3]
    assert lake.read(READINGS, between=("utc_date", DAY.date(), DAY.date())).height == 4
    assert lake.read(READINGS, between=("value", 5, 6)).is_empty()
    assert lake.read(READINGS, dates=[]).schema == READINGS.schema


def test_what_others_commit_is_seen_even_when_the_log_was_cleared_since(lake: Lake, tmp_path: Path) -> None:
    lake.append(READINGS, rows((1, "a", 1)))
    assert lake.version(READINGS) == 0
    # Another thread's handle is another writer.
    other = Lake(str(tmp_path))
    for offset in range(2, 6):
        other.append(READINGS, rows((offset, "a", offset)))
    table = other.delta(READINGS)
    assert table is not None
    table.create_checkpoint()
    for version in range(4):
        Path(lake.uri(READINGS), "_delta_log", f"{version:020}.json").unlink()
    assert lake.version(READINGS) == 4
    assert [value for _, _, value in held(lake)] == [1, 2, 3, 4, 5]


def test_a_table_that_others_partitioned_otherwise_is_refused_in_one_line(lake: Lake) -> None:
    write_deltalake(lake.uri(READINGS), rows((1, "a", 1)).to_arrow())
    with pytest.raises(LakeError, match="partitioned by nothing"):
        lake.read(READINGS)
