"""A clock behind the lake is refused in one line."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.clock import refuse_a_clock_behind
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes import bronze
from domotic_assets.settings import Settings
from domotic_assets_tests.support.builders import sites, write_sites
from domotic_assets_tests.support.memory_lake import MemoryLake

DAY = date(2023, 9, 4)


def workspace(folder: Path, now: datetime) -> Workspace:
    """A lake whose newest file is of DAY, and a machine's clock."""
    lake = MemoryLake(f"{folder}/lake")
    for day in (DAY - timedelta(days=30), DAY):
        minute = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        row = {"file_id": str(day), "name": f"{day}.json", "arrived_at": minute, "modified_at": minute}
        row |= {"size_bytes": 2, "content": b"{}", "home": None, "window": minute, "window_source": "arrival"}
        rows = pl.DataFrame([row | {"utc_date": day}], schema=bronze.SENSOR_FILES.schema)
        lake.append(bronze.SENSOR_FILES, rows)
    work = Workspace(Settings.of(write_sites(folder), f"{folder}/lake", {}), sites(folder), lake)
    return replace(work, clock=lambda: now)


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    ("now", "is_refused"),
    [
        (datetime(2022, 9, 4, 12, tzinfo=UTC), True),
        (datetime(2023, 9, 2, 23, 59, tzinfo=UTC), True),
        (datetime(2023, 9, 3, tzinfo=UTC), False),
        (datetime(2023, 9, 4, 12, tzinfo=UTC), False),
        (datetime(2033, 9, 4, 12, tzinfo=UTC), False),
    ],
)
def test_a_clock_over_a_day_before_the_newest_date_is_refused(
    tmp_path: Path, now: datetime, is_refused: bool
) -> None:
    work = workspace(tmp_path, now)
    if not is_refused:
        refuse_a_clock_behind(work)
        return
    with pytest.raises(ConfigurationError) as refusal:
        refuse_a_clock_behind(work)
    text = str(refusal.value)
    for part in (f"{now:%Y-%m-%d %H:%M}", "2023-09-04", "expected a clock", "set the clock"):
        assert part in text
    assert "\n" not in text
