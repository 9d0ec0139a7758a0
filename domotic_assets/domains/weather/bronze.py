"""Builds Bronze rows of forecast files: the date of issue from their names, and which versions are new."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from domotic_assets.ingest.arrival import arrival
from domotic_assets.ingest.files import File, Landed, exactly, identify
from domotic_assets.localtime import MICROSECOND
from domotic_assets.schemas.weather import WEATHER_FILES


def land_forecasts(files: Iterable[File], held: pl.DataFrame, history_start: date) -> Landed:
    """Build WEATHER_FILES rows of forecast files, and count the outcomes.

    held: name, file_id and arrived_at of the bronze rows of those names. A version whose bytes Bronze holds
    gets a row without content (a sighting). A version arrives strictly later than the one before it.
    """
    latest: dict[str, tuple[datetime, str]] = {}
    for name, file_id, arrived_at in held.sort("arrived_at").iter_rows():
        latest[name] = (arrived_at, file_id)
    known = set(held["file_id"].to_list())
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for file in files:
        issued = read_forecast_name(file.name)
        if issued is None:
            counts["foreign name"] += 1
            continue
        file_id = identify("weather_files", file.name, file.content)
        midnight = datetime.combine(issued, datetime.min.time(), UTC)
        arrived_at = arrival(file.modified_at, midnight, history_start)
        before = latest.get(file.name)
        if before is not None:
            arrived_at = max(arrived_at, before[0] + MICROSECOND)
        counts["seen again" if before is not None and before[1] == file_id else "landed"] += 1
        rows.append(
            {
                "file_id": file_id,
                "name": file.name,
                "arrived_at": arrived_at,
                "modified_at": file.modified_at,
                "size_bytes": file.size_bytes,
                "content": None if file_id in known else file.content,
                "utc_date": issued,
            }
        )
        latest[file.name] = (arrived_at, file_id)
        known.add(file_id)
    found = pl.DataFrame(rows, schema=WEATHER_FILES.schema)
    written = exactly(found["modified_at"], [row["modified_at"] for row in rows])
    return Landed(found.with_columns(written), counts)


_FORECAST_NAME = re.compile(r"Pred_(\d{4}-\d\d-\d\d)\.csv", re.ASCII)


def read_forecast_name(name: str) -> date | None:
    """Parse the date of issue of `Pred_YYYY-MM-DD.csv`; None for any other name."""
    match = _FORECAST_NAME.fullmatch(name)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None
