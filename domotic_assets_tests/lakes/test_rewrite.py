"""A table written anew: what the change leaves and nothing else, in few files and one commit."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from domotic_assets.lake import rewrite
from domotic_assets.lake.store import Lake
from domotic_assets.schemas.table import UTC_DATE, Cadence, Column, Place, Subject, Table, moment, text, whole

BEGIN = datetime(2023, 9, 4, 22, tzinfo=UTC)
READINGS = Table(
    layer="silver",
    name="readings",
    grain="one row per minute and device",
    columns=(moment("ts", "minute", nullable=False), text("device", "device", nullable=False),
             whole("value", "value"), Column("names", pl.List(pl.String), "names"), UTC_DATE),
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


def readings(number: int) -> pl.DataFrame:
    """Of two devices in turns, on two dates, some without a value."""
    moments = [BEGIN + timedelta(minutes=nth // 2) for nth in range(number)]
    return pl.DataFrame(
        {
            "ts": moments,
            "device": ["kept", "gone"] * (number // 2),
            "value": [None if nth % 7 == 0 else nth for nth in range(number)],
            "names": [["Türe", None] if nth % 3 == 0 else [] for nth in range(number)],
            "utc_date": [at.date() for at in moments],
        },
        schema=READINGS.schema,
    )


def without(_day: date | None, frames: rewrite.Batches) -> Iterator[pl.DataFrame]:
    """The change: one device goes."""
    for frame in frames:
        yield frame.filter(pl.col("room" if "room" in frame.columns else "device") != "gone")


def rewritten(lake: Lake, table: Table) -> rewrite.Rewritten:
    done = rewrite.write_staged(lake, table, without)
    rewrite.put_in_place(lake, table)
    return done


@pytest.mark.parametrize(
    ("batch_rows", "file_bytes", "files"),
    [
        (rewrite.BATCH_ROWS, rewrite.FILE_BYTES, 2),
        (7, rewrite.FILE_BYTES, 2),
        # A file for each of the table before, which are of 100, 100, 40, 60, 100 and 80 rows.
        (rewrite.BATCH_ROWS, 1, 6),
        (7, 1, 15 + 15 + 6 + 9 + 15 + 12),
    ],
)
def test_it_holds_what_the_change_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int, file_bytes: int, files: int
) -> None:
    """Whatever is read or held at once; a date has no more files than that takes."""
    monkeypatch.setattr(rewrite, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(rewrite, "FILE_BYTES", file_bytes)
    lake, rows = Lake(str(tmp_path / "größer, zu zweit")), readings(480)
    for part in rows.iter_slices(100):
        lake.append(READINGS, part)
    before = lake.delta(READINGS)
    assert before is not None
    schema, metadata = before.schema(), before.metadata()
    assert rewritten(lake, READINGS) == rewrite.Rewritten(480, 240, version_before=4, version_after=0)
    expected = rows.filter(pl.col("device") == "kept").sort("ts")
    by_delta = DeltaTable(lake.uri(READINGS)).to_pyarrow_table()
    for found in (lake.read(READINGS), pl.DataFrame(by_delta)):
        assert_frame_equal(found.select(expected.columns).sort("ts"), expected, check_dtypes=False)
    after = lake.delta(READINGS)
    assert after is not None
    assert after.schema() == schema
    for what in ("name", "description", "partition_columns", "configuration"):
        assert getattr(after.metadata(), what) == getattr(metadata, what)
    assert len(lake.files(READINGS)) == files
    lake.append(READINGS, rows.tail(1).with_columns(device=pl.lit("later")))
    assert lake.read(READINGS).height == 241


def test_a_table_of_which_nothing_is_left_is_an_empty_table(tmp_path: Path) -> None:
    lake, rows = Lake(str(tmp_path)), readings(10).with_columns(device=pl.lit("gone"))
    rooms = pl.DataFrame({"room": ["gone"], "floor": [1]}, schema=ROOMS.schema)
    for table, held in ((READINGS, rows), (ROOMS, rooms)):
        lake.append(table, held)
        assert rewritten(lake, table) == rewrite.Rewritten(held.height, 0, version_before=0, version_after=0)
        assert_frame_equal(lake.read(table), table.empty())
        lake.append(table, held)
        assert_frame_equal(lake.read(table), held)
