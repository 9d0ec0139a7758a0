"""The minutes that a run rebuilds, cut into pieces that are held at once."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.flows import facts
from domotic_assets.schemas.table import UTC_TIME

NOON = datetime(2023, 9, 4, 12, tzinfo=UTC)


def pieces(files: dict[int, int]) -> list[list[int]]:
    """Minutes after noon of each piece; files: minute after noon to how many homes have one."""
    touched = pl.DataFrame(
        [
            (NOON + timedelta(minutes=minute), f"home {n}")
            for minute, homes in files.items()
            for n in range(homes)
        ],
        schema={"minute": UTC_TIME, "home": pl.String},
        orient="row",
    )
    found = facts._pieces(touched)
    assert all(piece.dtype == UTC_TIME for piece in found)
    return [[(at - NOON) // timedelta(minutes=1) for at in piece] for piece in found]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        ({3: 1, 1: 2, 2: 1}, [[1, 2, 3]]),
        # No more than six files at once, but a minute is never cut.
        ({1: 3, 2: 3, 3: 1}, [[1, 2], [3]]),
        ({1: 3, 2: 4, 3: 9, 4: 1}, [[1], [2], [3], [4]]),
        # A gap of a day is none, one of more is.
        ({1: 1, 1441: 1, 2882: 1}, [[1, 1441], [2882]]),
        ({1: 4, 2: 3, 4000: 1, 4001: 2}, [[1], [2], [4000, 4001]]),
    ],
)
def test_pieces_hold_no_more_than_they_may_and_no_long_gap(
    monkeypatch: pytest.MonkeyPatch, files: dict[int, int], expected: list[list[int]]
) -> None:
    monkeypatch.setattr(facts, "HOME_MINUTES_PER_PIECE", 6)
    assert pieces(files) == expected
