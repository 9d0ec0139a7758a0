"""A year of two homes in Gold's shape: how long questions take, how large the file is, what publishing costs.

    python -m domotic_assets_tests.drills.year --days 365

A simulated week goes through the real pipeline. Its Gold rows are repeated week by week over the year, and
each room with its devices has a twin, which makes about 30 million rows of minutes. Then the file is built
as `domotic build` does it, asked the questions of docs/questions.md, and brought up to what changes.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import duckdb
import polars as pl

from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import people
from domotic_assets.operate import publish as operate_publish
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.build import build
from domotic_assets.orchestration.definitions import build_definitions
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.registry.loading import load_sites
from domotic_assets.schemas import calendar as schemas_calendar
from domotic_assets.schemas import gold
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.table import Table, surrogate_key
from domotic_assets.serve import publish
from domotic_assets.simulator.homes import write_sites
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets.star import calendar
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.questions import questions

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_DAY = date(2023, 1, 1)
WEEK = 7
ROUNDS = 7
TWINNED = (homes_gold.FACT_ENERGY_MINUTE, homes_gold.FACT_ENVIRONMENT_MINUTE)
_TWIN = "-2"
_CHUNK = 28


def simulate_week(folder: Path) -> Workspace:
    """A lake with the first week of two homes, built by the real pipeline."""
    folder.mkdir()
    registry = load_sites(REPOSITORY / "sites.yaml").registry
    folders = Folders.below(folder)
    folders.make()
    write_sites(folder / "sites.yaml", registry)
    start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    write_history(Simulation(registry, start, seed=1), folders, WEEK * 1440)
    work = open_lake(folder / "sites.yaml", folder / "lake")
    build(work)
    return work


def write_year(week: Workspace, year: Workspace, days: int) -> int:
    """Repeat the week's Gold over the days; the number of rows of minutes."""
    zone = week.registry.calendar_time_zone
    last = FIRST_DAY + timedelta(days=days - 1)
    twins = _write_dims(week, year, last)
    written = 0
    for table in gold.FACTS:
        rows = _of_week(week, table)
        if table in TWINNED:
            rows = pl.concat([rows, rows.with_columns(pl.col("room_key", *_device(table)).replace(twins))])
        for first in range(0, days, _CHUNK):
            shifted = [_shifted(rows, table, day, zone) for day in range(first, min(days, first + _CHUNK))]
            chunk = pl.concat(shifted).select(table.schema.names()).sort(table.sort)
            year.lake.append(table, chunk)
            written += chunk.height if table in gold.MINUTE_FACTS else 0
    return written


def _device(table: Table) -> list[str]:
    return ["device_key"] if "device_key" in table.schema else []


def _of_week(week: Workspace, table: Table) -> pl.DataFrame:
    """The week's rows, with the number of the day that they belong to."""
    date_of_row = "utc_date" if "utc_date" in table.schema else "local_date"
    day = (pl.col(date_of_row) - pl.lit(FIRST_DAY)).dt.total_days()
    return week.lake.read(table).with_columns(day=day).filter(pl.col("day").is_between(0, WEEK - 1))


def _shifted(rows: pl.DataFrame, table: Table, day: int, zone: str) -> pl.DataFrame:
    """The rows of the same weekday, moved to that day."""
    ahead = timedelta(days=day // WEEK * WEEK)
    moved = rows.filter(pl.col("day") == day % WEEK)
    changed = {}
    if "datetime_key" in table.schema:
        text = pl.col("datetime_key").cast(pl.String)
        at = text.str.to_datetime("%Y%m%d%H%M", time_unit="us").dt.replace_time_zone("UTC") + ahead
        changed["datetime_key"] = at.dt.strftime("%Y%m%d%H%M").cast(pl.Int64)
        changed["date_key"] = at.dt.convert_time_zone(zone).dt.strftime("%Y%m%d").cast(pl.Int32)
    for name in ("date_key", "issue_date_key"):
        if name in table.schema and name not in changed:
            at = pl.col(name).cast(pl.String).str.to_date("%Y%m%d") + ahead
            changed[name] = at.dt.strftime("%Y%m%d").cast(pl.Int32)
    for name in ("utc_date", "local_date"):
        if name in table.schema:
            changed[name] = pl.col(name) + ahead
    return moved.with_columns(**changed)


def _write_dims(week: Workspace, year: Workspace, last: date) -> dict[int, int]:
    """The week's dimensions with twins of rooms and devices, and a calendar; key to the twin's."""
    zone = week.registry.calendar_time_zone
    frames = {table: week.lake.read(table) for table in gold.DIMS}
    days = (FIRST_DAY, last + timedelta(days=schemas_calendar.DAYS_AHEAD))
    frames[schemas_calendar.DIM_DATETIME] = calendar.dim_datetime(*days, zone)
    frames[schemas_calendar.DIM_DATE] = calendar.dim_date(*days, {zone})
    twins: dict[int, int] = {}
    for table, identity, key in (
        (homes_gold.DIM_ROOM, "room_id", "room_key"),
        (homes_gold.DIM_DEVICE, "device_id", "device_key"),
    ):
        ids, keys = (frames[table][name].to_list() for name in (identity, key))
        twins |= {held: surrogate_key(name + _TWIN) for held, name in zip(keys, ids, strict=True)}
        second = frames[table].with_columns(pl.col(identity) + _TWIN, pl.col("room_key", key).replace(twins))
        frames[table] = pl.concat([frames[table], second])
    for table, frame in frames.items():
        year.lake.replace_all(table, frame.select(table.schema.names()))
    return twins


def publish_in_full(year: Workspace) -> float:
    """Build, test and publish the file as `domotic build` does; seconds."""
    # dbt prints a line a test.
    with open_instance(year) as instance, redirect_stdout(io.StringIO()):
        job = build_definitions(year).resolve_job_def(tags.PUBLISH_JOB)
        return _seconds(lambda: job.execute_in_process(instance=instance, run_config=tags.QUIET))


def publish_changes(year: Workspace, days: int) -> Iterator[tuple[str, float]]:
    """Seconds of publishing what a live minute, and what a corrected day in the middle, change."""
    energy = homes_gold.FACT_ENERGY_MINUTE
    for what, day in (("the last minute of the year", days - 1), ("a day in the middle", days // 2)):
        at = FIRST_DAY + timedelta(days=day)
        rows = year.lake.read(energy, dates=[at])
        if day == days - 1:
            key = pl.Series([rows["datetime_key"].max()], dtype=pl.Int64)
            again = rows.filter(pl.col("datetime_key") == key[0])
            year.lake.replace_values(energy, again, "datetime_key", key, pl.Series([at], dtype=pl.Date))
        else:
            year.lake.replace_dates(energy, rows, [at])
        yield what, _seconds(lambda: operate_publish.publish_present(year, "live", ()))


def ask_all(file: Path) -> dict[int, list[float]]:
    """Seconds of each question, each round on a connection of its own."""
    found: dict[int, list[float]] = {}
    for _ in range(ROUNDS):
        for question in questions():
            with duckdb.connect(str(file), read_only=True) as connection:
                took = _seconds(lambda sql=question.sql: connection.execute(sql).fetchall())  # type: ignore[misc]
            found.setdefault(question.number, []).append(took)
    return found


def _seconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def main() -> int:
    """Run the drill and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=365)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as folder:
        week = simulate_week(Path(folder) / "week")
        year = open_lake(week.settings.sites_file, Path(folder) / "year")
        rows = write_year(week, year, days)
        print(f"{rows:,} rows of minutes in {days} days", file=sys.stderr)
        publishing = {"in full, dbt's tests included": publish_in_full(year)}
        file = publish.published_file(year.serve)
        publishing |= dict(publish_changes(year, days))
        publishing["the three people's files, from nothing"] = _seconds(lambda: people.publish_scopes(year))
        asked = ask_all(file)
        scopes = sorted(publish.published_scopes(year.serve))
        files = [publish.published_file(year.serve, scope) for scope in scopes]
        sizes = {file.name: file.stat().st_size / 1e6 for file in files}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:,} rows of minutes; peak memory {peak:,.0f} MB.\n")
    print("| published | seconds |\n|---|---|")
    for what, seconds in publishing.items():
        print(f"| {what} | {seconds:.1f} |")
    print("\n| file | MB |\n|---|---|")
    for name, size in sizes.items():
        print(f"| `{name}` | {size:,.0f} |")
    print("\n| question | p50 s | p95 s |\n|---|---|---|")
    for question in questions():
        took = asked[question.number]
        print(
            f"| {question.number}. {question.words} | {median(took):.3f} | {quantiles(took, n=20)[-1]:.3f} |"
        )
    everything = [seconds for took in asked.values() for seconds in took]
    print(f"| all | {median(everything):.3f} | {quantiles(everything, n=20)[-1]:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
