"""The sensor path without a lake: files of a share through bronze's landing to silver's frames."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from domotic_assets.domains.homes.bronze.landing import Landing
from domotic_assets.domains.homes.silver.events import merge
from domotic_assets.domains.homes.silver.flatten import flatten
from domotic_assets.ingest.files import File, versions
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.bronze import SENSOR_FILES
from domotic_assets.schemas.homes.silver import SENSOR_EVENTS
from domotic_assets.schemas.table import is_ordered
from domotic_assets_tests.support.builders import SAMPLE_TIME, ShareFile, registry

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NOTHING_HELD = SENSOR_FILES.empty().select("name", "window", "file_id", "arrived_at")


def as_file(file: ShareFile) -> File:
    """The file as a source delivers it."""
    return File(file.name, len(file.content), file.arrived_at, file.content)


@dataclass(frozen=True)
class SilverRows:
    """What a batch of files became."""

    counts: Counter[str]
    bronze: pl.DataFrame
    events: pl.DataFrame
    rejects: pl.DataFrame
    files: pl.DataFrame

    def values(self, variable: str, at: datetime = SAMPLE_TIME) -> dict[str, float]:
        """Value of a variable by device in one minute."""
        chosen = self.events.filter(pl.col("variable") == variable, pl.col("ts") == at)
        return dict(chosen.select("device", "value").iter_rows())

    def texts(self) -> set[str]:
        """Every text of the frames that leave bronze."""
        found: set[str] = set()
        for frame in (self.events, self.rejects, self.files):
            for column in frame.select(pl.col(pl.String)):
                found.update(column.drop_nulls().to_list())
        return found | {text for texts in self.files["silent_devices"].to_list() for text in texts}

    def only_file(self) -> dict[str, Any]:
        """The status row of the only file version."""
        return self.files.row(0, named=True) if self.files.height == 1 else {}


def in_memory(*files: ShareFile, homes: Registry | None = None) -> SilverRows:
    """Land files in this order on an empty bronze, and flatten all of it."""
    homes = homes or registry()
    landed = Landing(homes, NOTHING_HELD, NOW).land(map(as_file, files))
    flat = flatten(versions(landed.rows), homes)
    events = flat.counting().events.drop("file").cast(SENSOR_EVENTS.schema)
    # Whatever the files are: no two readings meet in a minute that is not said to be crowded.
    assert_frame_equal(events, merge(flat.events_with_sources()))
    assert is_ordered(events, SENSOR_EVENTS.sort, strictly=True)
    return SilverRows(landed.counts, landed.rows, events, flat.rejects, flat.files)
