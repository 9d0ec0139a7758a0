"""What a stored table may lack of the columns that are declared."""

import polars as pl
import pytest

from domotic_assets.quality.tables import keys
from domotic_assets.schemas.homes.gold import FACT_ENERGY_MINUTE


@pytest.mark.parametrize(
    ("name", "dtype", "reasons"),
    [
        ("counter_note", None, []),
        ("counter_note", pl.Int64(), ["column_differs"]),
        ("is_valid", None, ["column_differs"]),
    ],
)
def test_a_column_that_may_be_null_may_be_missing_until_the_next_write(
    name: str, dtype: pl.DataType | None, reasons: list[str]
) -> None:
    held = {column: kind for column, kind in FACT_ENERGY_MINUTE.schema.items() if column != name}
    if dtype is not None:
        held[name] = dtype
    rows = FACT_ENERGY_MINUTE.empty().select(FACT_ENERGY_MINUTE.primary_key)
    assert [breach.reason for breach in keys(FACT_ENERGY_MINUTE, rows, held).breaches] == reasons
