"""Exports a home's data for the people who live there: rows as Parquet and CSV, and the files as received.

The export is written to a staging folder and renamed at the end, so a folder with the final name is complete.
Only the account that runs the export may read it. It never holds a row of another home.
"""

import hashlib
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from domotic_assets.errors import ConfigurationError
from domotic_assets.escaping import spreadsheet_column
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate.home_rows import HomeRows, owned_tables, rows_of_home
from domotic_assets.schemas.homes import bronze
from domotic_assets.schemas.table import Table

OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700
RAW = "files.zip"


@dataclass(frozen=True)
class ExportedTable:
    """A table with rows of the home, and the number of those rows."""

    table: Table
    rows: int


@dataclass(frozen=True)
class Exported:
    """A finished export: its folder, the exported tables, and the number of file versions in the archive."""

    folder: Path
    tables: tuple[ExportedTable, ...]
    files: int


def export_home(work: Workspace, home: str, folder: Path | None = None) -> Exported:
    """Write a home's data to a new folder, by default `export-<home>-<UTC date>` in the working folder.

    Raises QueryError for an unknown home, ConfigurationError if the folder exists or cannot be written.
    """
    now = work.now()
    rows = rows_of_home(work, home)
    target = (folder or Path(f"export-{home}-{now:%Y-%m-%d}")).absolute()
    if target.exists():
        raise _unusable(target, "is there already")
    staging = target.with_name(f".{target.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(mode=OWNER_ONLY_FOLDER, parents=True)
        tables = tuple(_export_tables(work, rows, staging))
        files = _export_files(work, rows, staging / RAW)
        _describe(staging, home, now, tables, files)
        for path in staging.rglob("*"):
            path.chmod(OWNER_ONLY_FOLDER if path.is_dir() else OWNER_ONLY)
        staging.rename(target)
    except OSError as error:
        raise _unusable(target, f"cannot be written ({error.strerror})") from error
    return Exported(target, tables, files)


def _unusable(folder: Path, what: str) -> ConfigurationError:
    """Make the error for an export folder that cannot be used. what: what is wrong with it."""
    return ConfigurationError(
        what,
        where=str(folder),
        expected="the name of a new folder, where this user may write and there is room",
        remedy="name another with --out",
    )


def _export_tables(work: Workspace, rows: HomeRows, folder: Path) -> Iterator[ExportedTable]:
    """Write the home's rows of Silver and Gold as Parquet and CSV; yields the tables that have any."""
    tables = [table for table in owned_tables() if table.layer != "bronze"]
    for number, table in enumerate(tables, 1):
        if work.lake.version(table) is not None:
            mine = work.lake.scan(table).filter(rows.condition(table)).select(table.schema.names())
            file = folder / table.layer / f"{table.name}.parquet"
            file.parent.mkdir(exist_ok=True, mode=OWNER_ONLY_FOLDER)
            mine.sink_parquet(file)
            written = pl.scan_parquet(file)
            count = int(written.select(pl.len()).collect().item())
            if count:
                # Quoted texts stay one cell with their neighbours, also where commas do not separate cells.
                written.with_columns(_text_columns(table)).sink_csv(
                    file.with_suffix(".csv"), quote_style="non_numeric"
                )
                yield ExportedTable(table, count)
            else:
                file.unlink()
        work.report("tables", number, len(tables))


def _text_columns(table: Table) -> Iterator[pl.Expr]:
    """Yield the columns of a table that hold text, in a form that no spreadsheet takes for a formula."""
    for name, dtype in table.schema.items():
        if isinstance(dtype, pl.List):
            # CSV has no list type.
            yield spreadsheet_column(pl.col(name).list.join(", "))
        elif dtype in (pl.String, pl.Categorical, pl.Enum):
            yield spreadsheet_column(pl.col(name).cast(pl.String))


def _export_files(work: Workspace, rows: HomeRows, archive: Path) -> int:
    """Write the home's files from bronze to a ZIP archive, byte by byte; returns their number.

    Folder `1` holds the first version of each name, `2` and on its later versions.
    """
    versions: Counter[str] = Counter()
    days = work.lake.dates(bronze.SENSOR_FILES)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, day in enumerate(days, 1):
            found = work.lake.read(
                bronze.SENSOR_FILES,
                dates=[day],
                # A row without content only records that a version was seen again.
                where=rows.condition(bronze.SENSOR_FILES) & pl.col("content").is_not_null(),
                columns=["name", "arrived_at", "content"],
            ).sort("arrived_at", "name")
            for name, arrived_at, content in found.iter_rows():
                versions[name] += 1
                member = zipfile.ZipInfo(f"{versions[name]}/{name}", arrived_at.timetuple()[:6])
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = OWNER_ONLY << 16
                packed.writestr(member, content)
            work.report("files", number, len(days))
    return versions.total()


def _describe(folder: Path, home: str, now: datetime, tables: tuple[ExportedTable, ...], files: int) -> None:
    """Write `manifest.json` for programs and `README.txt` for people."""
    manifest = {
        "home": home,
        "exported_utc": now.isoformat(),
        "tables": {one.table.id: _manifest_of(folder, one) for one in tables},
        "files": {"archive": RAW, "files": files, "sha256": _sha256(folder / RAW)},
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.txt").write_text("\n".join(_readme(home, now, tables, files)) + "\n", encoding="utf-8")


def _manifest_of(folder: Path, one: ExportedTable) -> dict[str, Any]:
    """Describe an exported table for the manifest: grain, number of rows, columns, SHA-256 of its files.

    folder: the export's.
    """
    return {
        "grain": one.table.grain,
        "rows": one.rows,
        "columns": [
            {"name": c.name, "type": str(c.dtype), "unit": c.unit, "meaning": c.description}
            for c in one.table.columns
        ],
        "sha256": {
            f"{one.table.id}{ending}": _sha256(folder / f"{one.table.id}{ending}")
            for ending in (".parquet", ".csv")
        },
    }


def _readme(home: str, now: datetime, tables: tuple[ExportedTable, ...], files: int) -> Iterator[str]:
    """Yield the lines of `README.txt`: what the export holds, and the meaning of each table and column.

    now: when it was made (UTC). files: number of file versions in the archive.
    """
    yield f"The data of the home {home}, as of {now:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield f"{RAW}: {files:,} files exactly as they were received, under the names that they had. The folder"
    yield "1 holds the first version of each name, 2 and on what came later under the same name. Times of"
    yield "the archive's members are when they arrived (UTC)."
    yield ""
    yield "silver/, gold/: tables, each as Parquet and as CSV. Silver is what was read from the files, Gold"
    yield "what was worked out from that. Times are in UTC. manifest.json says the same for programs, with"
    yield "the SHA-256 of every file. In CSV an apostrophe stands before a text that a spreadsheet would take"
    yield "for a formula (it begins with =, +, -, @ or a tab); in Parquet every text is exact."
    for one in tables:
        yield ""
        yield f"{one.table.id}: {one.rows:,} rows, {one.table.grain}"
        if one.table.note:
            yield f"  {one.table.note}"
        for column in one.table.columns:
            unit = f" [{column.unit}]" if column.unit else ""
            yield f"  {column.name}{unit}: {column.description}"


def _sha256(file: Path) -> str:
    """Compute the SHA-256 of a file, as hex."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
