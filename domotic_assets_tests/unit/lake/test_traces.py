"""What the product's own scan finds, and what it does not take for a home."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from domotic_assets.lake import traces
from domotic_assets.lake.traces import CHUNK_BYTES, Needles, in_parquet

NEEDLES = Needles(["jimmy", "Apartment Jimmy", "a1"], ["JimmyLoup"], [1234567890123456])


@pytest.mark.parametrize(
    "text",
    [
        "jimmy",
        "jimmy/office/plugs/1",
        '{"home": "jimmy"}',
        "| jimmy | 3 |",
        "in Apartment Jimmy.",
        "31.08.2023 2144_JimmyLoup_received.json",
        "of jimmyloup",
        '{"min": 1234567890123456, "max": 2}',
        "a1/office",
    ],
)
def test_it_finds_ids_names_users_and_keys_in_text(text: str) -> None:
    assert NEEDLES.in_text(text)
    assert NEEDLES.in_bytes(text.encode())
    assert NEEDLES.in_bytes(text.encode("utf-16-le"))


@pytest.mark.parametrize(
    "text", ["jimmys", "jimmy-2", "my_jimmy", "jeremie/jimmy", "a12", "11234567890123456", "Loup", ""]
)
def test_it_takes_nothing_else_for_them(text: str) -> None:
    assert not NEEDLES.in_text(text)
    assert not NEEDLES.in_bytes(text.encode())


def test_keys_are_found_as_eight_bytes_and_texts_across_a_cut() -> None:
    key = (1234567890123456).to_bytes(8, "little")
    assert NEEDLES.in_bytes(b"\xff" * 100 + key + b"\xff")
    assert not NEEDLES.in_bytes(b"\xff" * 100 + key[:-2] + b"\x01\x01")
    assert NEEDLES.in_bytes(b" " * (CHUNK_BYTES - 3) + b"JimmyLoup" + b" " * 10)


def test_a_short_id_is_not_found_in_bytes_that_are_no_text() -> None:
    assert not NEEDLES.in_bytes(b"\xff\x00 a1 \xfe\x80")
    assert NEEDLES.in_bytes(b"\xff\x00 jimmy \xfe\x80")


def write_as_the_lake(frame: pl.DataFrame, file: Path) -> None:
    """Texts as numbers and a list, and no word of Arrow's types."""
    pq.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), file, store_schema=False,
                   write_statistics=False)  # fmt: skip


def write_plain(frame: pl.DataFrame, file: Path) -> None:
    """Each text in its row."""
    pq.write_table(frame.to_arrow(), file, use_dictionary=False, store_schema=False, write_statistics=False)


def write_by_polars(frame: pl.DataFrame, file: Path) -> None:
    """With Polars' own types of texts."""
    frame.write_parquet(file, statistics=False)


@pytest.mark.parametrize("write", [write_as_the_lake, write_plain, write_by_polars])
@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("home", ["x", "jimmy"]),
        ("content", [b"x", b'{"user": "JimmyLoup"}']),
        ("apartment_key", [1, 1234567890123456]),
        ("silent_devices", [["x"], ["jimmy/office/plugs/1"]]),
        ("stats", [{"min": "x"}, {"min": "jimmy"}]),
    ],
)
def test_it_finds_them_in_every_kind_of_column(
    write: Callable[[pl.DataFrame, Path], None],
    column: str,
    values: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the last row of more than are read at once."""
    monkeypatch.setattr(traces, "BATCH_ROWS", 2)
    harmless, file = values[:1] * 2, tmp_path / "table.parquet"
    write(pl.DataFrame({column: [*harmless, *values], "other": range(4)}), file)
    assert list(in_parquet(NEEDLES, file)) == [f"column {column}"]
    write(pl.DataFrame({column: harmless, "other": range(2)}), file)
    assert list(in_parquet(NEEDLES, file)) == []


def test_it_finds_them_in_statistics(tmp_path: Path) -> None:
    pl.DataFrame({"home": ["jimmy", "x"]}).write_parquet(tmp_path / "table.parquet", statistics=True)
    assert "statistics" in list(in_parquet(NEEDLES, tmp_path / "table.parquet"))
