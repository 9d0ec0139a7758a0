"""Erases a home from every table with its history, from the published files and from Dagster's records.

Whether a table must be rewritten is decided from what it holds now, from Gold back to the files. So an
interrupted erasure is continued by starting it again. At the end a scan of every file of the lake finds
anything that is left.

Why: docs/decisions/0020-erasure-by-writing-anew.md
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from domotic_assets.domains.homes.flows.catalogue import NAMING
from domotic_assets.domains.homes.silver.events import device_types, variables
from domotic_assets.errors import ConfigurationError, LakeError
from domotic_assets.flow.live import is_kept_live
from domotic_assets.flow.workspace import Workspace
from domotic_assets.flow.writer_lock import writer_lock
from domotic_assets.lake import rewrite
from domotic_assets.lake.traces import Needles, in_parquet
from domotic_assets.operate import forget_journal, sqlite_records
from domotic_assets.operate.forget_journal import Journal, TableDone
from domotic_assets.operate.home_rows import HomeRows, owned_tables, rows_of_home, rows_still_there
from domotic_assets.quality import installed_contract
from domotic_assets.same_name import name_key
from domotic_assets.schemas import ALL_TABLES, gold
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.table import Subject, Table
from domotic_assets.serve import contents, publish

WRITER_WAIT_SECONDS = 5
"""How long to wait for the writer lock."""
SCANNED_AT_ONCE = 2
"""Files scanned in parallel, as reading and searching run in native code. Each holds many rows in memory."""
PLACES_NAMED = 5
"""How many of the places that a scan finds are named in its error."""


@dataclass(frozen=True)
class Found:
    """What the lake holds of a home, to show before it is erased.

    rows: number by table id, for tables that have any. first, last: UTC dates on which a device of the home
    was seen; None if none was.
    """

    rows: dict[str, int]
    first: date | None
    last: date | None


@dataclass(frozen=True)
class Forgotten:
    """A finished erasure: its journal, its receipt, and the scan's counts of files, bytes and findings."""

    journal: Journal
    receipt: Path
    scanned: Counter[str]


def look(work: Workspace, home: str) -> Found:
    """Count what an erasure of the home would remove.

    Raises what forbids the erasure now: ConfigurationError, LakeError or QueryError.
    """
    rows = _rows_to_forget(work, home)
    counted = {table.id: rows_in(work, table, rows) for table in owned_tables()}
    days = work.lake.read(silver.DEVICES, where=pl.col("home") == home, columns=["utc_date"])["utc_date"]
    return Found(
        {name: number for name, number in counted.items() if number}, _day(days.min()), _day(days.max())
    )


def forget(
    work: Workspace,
    home: str,
    publish_from_nothing: Callable[[Workspace], None],
    receipt: Path | None = None,
) -> Forgotten:
    """Erase a home, or continue an interrupted erasure; raises LakeError if the scan still finds something.

    publish_from_nothing: rebuilds every published file; called if no minute fact or dimension is missing.
    receipt: a file outside the lake; by default a new one in `receipts/`. Raises otherwise as `look`.
    """
    rewrite.require_folder(work.lake)
    work.lake.require_writable()
    with writer_lock(work.settings.dagster_home, WRITER_WAIT_SECONDS):
        for table in _in_order():
            rewrite.tidy(work.lake, table)
        rows = _rows_to_forget(work, home)
        journal = forget_journal.recall(work.lake.root) or Journal.begun(rows.ids, work.now())
        target = receipt or _receipt(journal)
        if target.resolve().is_relative_to(Path(work.lake.root).resolve()):
            raise ConfigurationError(
                "the receipt would lie in the lake",
                where=str(target),
                expected="a file elsewhere",
                remedy="name another with --receipt",
            )
        forget_journal.remember(work.lake.root, journal)
        for forget_in in _steps(publish_from_nothing):
            journal = forget_in(work, journal)
            forget_journal.remember(work.lake.root, journal)
        scanned = scan(work, journal)
        forget_journal.write_receipt(target, journal, work.now(), scanned)
        forget_journal.close(work.lake.root)
    return Forgotten(journal, target, scanned)


def _in_order() -> list[Table]:
    """Return the tables that may hold something of a home, in order of erasure: derived tables first.

    The files are last: while bronze still has a file, it shows what was derived from it.
    """
    counted = [table for table in ALL_TABLES.values() if table.subject is Subject.ALL_HOMES]
    return [*counted, *reversed(owned_tables())]


def _rows_to_forget(work: Workspace, home: str) -> HomeRows:
    """Find the rows that an erasure must remove; raise an error if the home may not be erased now.

    Once an erasure has begun, the home's ids (feed users, rooms, devices, buildings) are read from the
    journal, as the rows that show them may already be erased.
    Raises ConfigurationError if sites.yaml or the contract still names the home, or another home has its feed
    user. Raises LakeError if the lake is in an object store, if `domotic live` is running on it, or if the
    erasure of another home is unfinished. Raises QueryError if the lake holds nothing of the home.
    """
    rewrite.require_folder(work.lake)
    begun = forget_journal.recall(work.lake.root)
    if begun is not None and begun.ids.home != home:
        forget_journal.refuse_unfinished(work.lake.root)
    if any(entry.id == home for entry in work.registry.homes):
        raise ConfigurationError(
            f"homes still names {home!r}",
            where=str(work.settings.sites_file),
            expected="no entry of a home that is to be forgotten",
            remedy="remove it there first, from homes, people and alerts, so that no file of it comes again",
        )
    contract = installed_contract.load_contract(work)
    if contract is not None and home in contract.rooms:
        raise ConfigurationError(
            f"rooms still names {home!r}",
            where=str(installed_contract.contract_file(work)),
            expected="no rooms of a home that is to be forgotten",
            remedy="remove them there first",
        )
    rows = rows_of_home(work, home) if begun is None else rows_still_there(work, begun.ids)
    if set(map(name_key, rows.ids.users)) & work.registry.home_of_user().keys():
        raise ConfigurationError(
            f"the feed user of {home!r} is that of another home",
            where=str(work.settings.sites_file),
            expected="no home that sends as the one to be forgotten",
            remedy="remove that entry first, or forget that home too",
        )
    if is_kept_live(work.settings.dagster_home):
        raise LakeError(
            "`domotic live` works on this lake",
            where=work.lake.root,
            expected="nobody at work while a home is forgotten",
            remedy="end it, and start it again after",
        )
    return rows


def _day(value: object) -> date | None:
    """Return the value if it is a date; otherwise None."""
    return value if isinstance(value, date) else None


def _receipt(journal: Journal) -> Path:
    """Return the default path of a receipt: in `receipts/`, named by the home's hash and the start (UTC)."""
    return Path("receipts", f"forget-{journal.home_hash[:12]}-{journal.started:%Y%m%dT%H%M%SZ}.json")


def _forget_tables(work: Workspace, journal: Journal) -> Journal:
    """Rewrite every table that holds rows of the home, or whose older files or log mention it."""
    rows = rows_still_there(work, journal.ids)
    tables = _in_order()
    for number, table in enumerate(tables, 1):
        change = _change(work, table, rows)
        if change is not None:
            done = rewrite.write_staged(work.lake, table, change)
            journal = journal.with_table(
                table.id,
                TableDone(
                    done.rows_before - done.rows_after,
                    done.rows_after,
                    done.version_before,
                    done.version_after,
                ),
            )
            # Save the journal before the swap: afterwards nothing shows what the table held.
            forget_journal.remember(work.lake.root, journal)
            rewrite.put_in_place(work.lake, table)
        work.report("tables", number, len(tables))
    return journal


def _change(work: Workspace, table: Table, rows: HomeRows) -> rewrite.Change | None:
    """Return the change that rewrites a table without the home; None if nothing in it mentions the home."""
    if work.lake.version(table) is None:
        return None
    if table.subject is Subject.ALL_HOMES:
        return _recount(work, table, rows)
    if not rows_in(work, table, rows) and not any(_traces(Path(work.lake.uri(table)), rows.ids.needles)):
        return None

    def without(_day: date | None, frames: rewrite.Batches) -> rewrite.Batches:
        for frame in frames:
            yield frame.filter(~rows.mine(table, frame))

    return without


def _recount(work: Workspace, table: Table, rows: HomeRows) -> rewrite.Change | None:
    """Return the change that recounts variables or device types without the home, on the dates it was seen.

    None if silver/devices has no row of the home.
    """
    heard = work.lake.read(silver.DEVICES, where=pl.col("home") == rows.ids.home, columns=["utc_date"])
    days = set(heard["utc_date"])
    if not days:
        return None

    def counted(day: date | None, frames: rewrite.Batches) -> Iterator[pl.DataFrame]:
        if day is None or day not in days:
            yield from frames
            return
        for _ in frames:
            pass
        others = pl.col("home") != rows.ids.home
        if table == silver.VARIABLES:
            yield variables(
                work.lake.read(silver.SENSOR_EVENTS, dates=[day], where=others, columns=NAMING)
            ).select(table.schema.names())
        else:
            yield device_types(work.lake.read(silver.DEVICES, dates=[day], where=others)).select(
                table.schema.names()
            )

    return counted


def rows_in(work: Workspace, table: Table, rows: HomeRows) -> int:
    """Count the rows of a table that belong to the home."""
    if not table.owner_columns:
        return int(rows.mine(table, work.lake.read(table)).sum())
    mine = work.lake.scan(table).filter(rows.condition(table)).select(pl.len())
    return int(mine.collect(engine="streaming").item())


def _forget_published(work: Workspace, journal: Journal) -> Journal:
    """Remove every version of every published file, as none was built from the rewritten tables."""
    return replace(journal, published_files=journal.published_files + publish.remove_everything(work.serve))


def _forget_records(work: Workspace, journal: Journal) -> Journal:
    """Erase the home from Dagster's records, and add the counts to the journal."""
    needles = journal.ids.needles
    done = sqlite_records.clean(work.settings.dagster_home, needles)
    return replace(
        journal,
        runs=journal.runs + done.runs,
        record_rows=journal.record_rows + done.rows,
        record_files=journal.record_files + done.files,
    )


def _publish(publish_from_nothing: Callable[[Workspace], None], work: Workspace, journal: Journal) -> Journal:
    """Rebuild dimensions and published files from what is left, if all minute facts and dimensions exist."""
    if all(work.lake.version(table) is not None for table in (*gold.MINUTE_FACTS, *gold.DIMS)):
        publish_from_nothing(work)
    return journal


def _forget_database(work: Workspace, journal: Journal) -> Journal:
    """Empty the database that sites.yaml names, and fill it again from the new published file."""
    # Imported here, as it loads the database driver.
    from domotic_assets.operate.team_database import forget_database

    forget_database(work)
    return journal


Step = Callable[[Workspace, Journal], Journal]


def _steps(publish_from_nothing: Callable[[Workspace], None]) -> tuple[Step, ...]:
    """Return the steps of an erasure in order. Each may be repeated; any new store needs a step here."""
    return (
        _forget_tables,
        _forget_published,
        _forget_records,
        partial(_publish, publish_from_nothing),
        _forget_database,
    )


def scan(work: Workspace, journal: Journal) -> Counter[str]:
    """Scan every file of the lake and every published file; raises LakeError if one mentions the home.

    Returns counts of files, bytes and findings. The journal and the files of sources are not scanned.
    """
    needles = journal.ids.needles
    root = Path(work.lake.root)
    sources = _sources(work)
    files = [
        file
        for folder in (root, work.serve)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and (folder == root or not file.is_relative_to(root))
        and file != root / forget_journal.FILE
        and not any(file.is_relative_to(source) for source in sources)
    ]
    scanned: Counter[str] = Counter()
    found: list[str] = []
    with ThreadPoolExecutor(SCANNED_AT_ONCE, "scan") as threads:
        traced = threads.map(lambda file: list(traces_in(file, needles)), files)
        for number, (file, places) in enumerate(zip(files, traced, strict=True), 1):
            scanned.update(files=1, bytes=file.stat().st_size)
            named = file.relative_to(root) if file.is_relative_to(root) else file
            found += [f"{named}, {place}" for place in places]
            work.report("scan", number, len(files))
    scanned["findings"] = len(found)
    if found:
        spoken = [place if not needles.in_text(place) else "a file whose name says it" for place in found]
        raise LakeError(
            f"the scan finds the home in {len(found):,} places: {'; '.join(spoken[:PLACES_NAMED])}",
            where=work.lake.root,
            expected="nothing of it anywhere",
            remedy="see docs/erasure.md, and run the command again",
        )
    return scanned


def _traces(folder: Path, needles: Needles) -> Iterator[str]:
    """Yield the places in the files below a folder that contain one of the needles, as `traces_in` does."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield from traces_in(file, needles)


def traces_in(file: Path, needles: Needles) -> Iterator[str]:
    """Find the places of a file that mention the home, in its name, its raw bytes and its decoded content."""
    if needles.in_text(file.name):
        yield "file name"
    if needles.in_bytes(file.read_bytes()):
        yield "raw bytes"
    if file.name.endswith(".parquet"):
        yield from in_parquet(needles, file)
    elif file.name.endswith(".duckdb"):
        for table, frame in contents.frames(file):
            yield from (f"{table}.{column}" for column in needles.in_frame(frame))
    elif sqlite_records.is_sqlite(file):
        yield from {
            f"table {table}"
            for table, _, _, row in sqlite_records.cells(file)
            if sqlite_records.says(needles, row)
        }


def _sources(work: Workspace) -> list[Path]:
    """Return the local paths that are sources and not part of the lake: the simulator's, and sites.yaml's."""
    entries = work.registry.sources.values()
    local = [entry for entry in entries if entry.kind in ("folder", "sqlite")]
    return [Path(work.lake.root, "sources"), *(work.sites.path(entry.address) for entry in local)]
