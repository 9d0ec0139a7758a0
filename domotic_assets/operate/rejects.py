"""Lists and counts refused values and quarantined files, and reads the file that one comes from.

Everything comes from silver, where no text is personal. Only `file_behind` reads bronze, for a person who
asks for one file.
"""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from domotic_assets.domains.weather.silver import SOURCE as FORECASTS
from domotic_assets.errors import QueryError
from domotic_assets.escaping import Markdown, markdown_table, markdown_text
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.files import versions
from domotic_assets.schemas import bronze as schemas_bronze
from domotic_assets.schemas import refusals as schemas_refusals
from domotic_assets.schemas import weather
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.refusals import QUARANTINE_REASONS, REJECT_REASONS
from domotic_assets.schemas.table import Table

WHOLE_FILE = "(whole file)"
"""`json_path` of a file that could not be read at all."""

KEY = ("source", "file_id", "window", "json_path")
"""The columns that identify a refusal."""


@dataclass(frozen=True)
class Selection:
    """A filter for refusals; None matches any. day: UTC date of the window, or a forecast's date of issue."""

    home: str | None = None
    day: date | None = None
    reason: str | None = None


def refusals(work: Workspace, chosen: Selection = Selection()) -> pl.DataFrame:
    """Read refusals, one row per refused value or quarantined file, with columns of silver/rejects.

    A quarantined file has WHOLE_FILE as `json_path` and null as `raw_text`.
    """
    columns = ["source", "file_id", "home", "window", "utc_date", "reason", "json_path", "raw_text"]
    dates = None if chosen.day is None else [chosen.day]
    values = work.lake.read(schemas_refusals.REJECTS, dates=dates, columns=columns)
    files = work.lake.read(
        silver.SENSOR_FILES,
        dates=dates,
        where=pl.col("status") == "quarantined",
        columns=["file_id", "home", "window", "utc_date", "reason"],
    ).with_columns(
        source=pl.lit(bronze.SENSOR_FILES.name),
        json_path=pl.lit(WHOLE_FILE),
        raw_text=pl.lit(None, pl.String),
    )
    found = pl.concat([values, files.select(columns)])
    for column, wanted in (("home", chosen.home), ("reason", chosen.reason)):
        if wanted is not None:
            found = found.filter(pl.col(column) == wanted)
    return found.sort("utc_date", *KEY)


def by_home_day_reason(found: pl.DataFrame) -> pl.DataFrame:
    """Count refusals, one row per home, UTC date and reason.

    Adds `values` (refusals), `files`, and one `json_path` and `file_id` as an example. found: `refusals`.
    """
    return (
        found.group_by("home", "utc_date", "reason", maintain_order=True)
        .agg(
            values=pl.len(),
            files=pl.col("file_id").n_unique(),
            json_path=pl.col("json_path").first(),
            file_id=pl.col("file_id").first(),
        )
        .sort("utc_date", "home", "reason", nulls_last=True)
    )


@dataclass(frozen=True)
class RefusedFile:
    """A file of bronze with its name and exact bytes, and its rows of `refusals`."""

    file_id: str
    name: str
    arrived_at: datetime
    content: bytes
    refused: pl.DataFrame


def _received() -> list[Table]:
    """Return the tables that hold files as received."""
    return [table for table in schemas_bronze.TABLES if "content" in table.schema]


def file_behind(work: Workspace, file_id: str) -> RefusedFile:
    """Read the file with this id from bronze; raises QueryError if there is none."""
    for table in _received():
        rows = work.lake.read(table, where=pl.col("file_id") == file_id)
        if not rows.is_empty():
            held = versions(rows).select("name", "arrived_at", "content").row(0, named=True)
            refused = refusals(work).filter(pl.col("file_id") == file_id)
            return RefusedFile(file_id, held["name"], held["arrived_at"], held["content"], refused)
    raise QueryError(
        "no file of bronze has this id",
        where=file_id,
        expected="a file_id of 32 hex digits, whole",
        remedy="take one that `domotic rejects list` shows",
    )


REPORT_HEADINGS = ("home", "reason", "meaning", "refused", "share")


def reject_report(work: Workspace, since: date) -> Markdown:
    """Render refusals since a UTC date as a Markdown table, by home and reason, with their share.

    The share of whole files is of the home's files, that of values is of its readings, that of refusals in
    forecasts is of all forecasts.
    """
    files = work.lake.read(
        silver.SENSOR_FILES,
        where=pl.col("utc_date") >= since,
        columns=["home", "events", "rejects"],
    )
    forecasts = work.lake.read(
        weather.WEATHER_FORECASTS, where=pl.col("utc_date") >= since, columns=["utc_date"]
    ).height
    came = {
        home: (number, readings)
        for home, number, readings in files.group_by("home")
        .agg(pl.len(), pl.sum("events") + pl.sum("rejects"))
        .iter_rows()
    }
    recent = refusals(work).filter(pl.col("utc_date") >= since)
    rows: list[list[str]] = []
    counted = recent.group_by("source", "home", "reason", whole=pl.col("json_path") == WHOLE_FILE).len()
    for source, home, reason, whole, number in counted.sort(
        "source", "home", "len", "reason", descending=[False, False, True, False], nulls_last=True
    ).iter_rows():
        if source == FORECASTS:
            of, total = "forecasts", forecasts
        else:
            of, total = "files" if whole else "readings", came.get(home, (0, 0))[0 if whole else 1]
        share = f"{number / total:.2%} of {total:,} {of}" if total else "–"
        whose = home or ("forecasts" if source == FORECASTS else "unknown home")
        rows.append([whose, reason, meaning(reason, whole), f"{number:,}", share])
    if not rows:
        return markdown_text("Nothing was refused since {}.", since)
    return markdown_table(REPORT_HEADINGS, rows)


def meaning(reason: str, whole_file: bool = False) -> str:
    """Explain a reason code in words. whole_file: prefer its meaning for a quarantined file."""
    first, second = (
        (QUARANTINE_REASONS, REJECT_REASONS) if whole_file else (REJECT_REASONS, QUARANTINE_REASONS)
    )
    return first.get(reason) or second.get(reason, "an unknown reason")
