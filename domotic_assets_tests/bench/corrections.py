"""What a correction costs in a year of sealed days: late files, a day again, a home forgotten.

A late file goes by `domotic build`, as Dagster's records split it, and by the live feed's functions.
"""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import dagster as dg
import yaml

from domotic_assets.domains.homes.flows import arrivals
from domotic_assets.flow.windows import read_key
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import upkeep
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.schemas import ALL_TABLES
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import cost_of, wall_of
from domotic_assets_tests.bench.minutes import steps_of
from domotic_assets_tests.drills.running import DOMOTIC
from domotic_assets_tests.support.lakes import open_lake

DAYS = 365
LATE_FILES = 5
FORGOTTEN = "jimmy"


def run(place: Path, days: int = DAYS) -> list[Figure]:
    """Seconds of each, and what of the lake's bytes a late file makes anew."""
    feed = samples.simulated(place, days * 1440)
    folder = place / "corrections"
    shutil.rmtree(folder, ignore_errors=True)
    kept_back = folder / "late"
    kept_back.mkdir(parents=True)
    middle = samples.FIRST_DAY + timedelta(days=days // 2)
    for day in range(2 * LATE_FILES):
        name = f"{middle + timedelta(days=day):%d.%m.%Y} 1200_JimmyLoup_received.json"
        (feed.share / name).rename(kept_back / name)
    try:
        return _measured(feed, folder, middle.date().isoformat())
    finally:
        for file in kept_back.iterdir():
            file.rename(feed.share / file.name)
        shutil.rmtree(folder)


def _measured(feed: samples.Feed, folder: Path, day: str) -> list[Figure]:
    lake = folder / "lake"
    command = [DOMOTIC, "build", "--sites", str(feed.sites_file), "--lake", str(lake)]
    built = cost_of(command)
    work = open_lake(feed.sites_file, lake)
    whole = sum(_bytes(work).values())
    seconds: list[float] = []
    split: dict[str, list[float]] = defaultdict(list)
    late = sorted((folder / "late").iterdir())
    for file in late[:LATE_FILES]:
        before = _bytes(work)
        shutil.copy2(file, feed.share)
        began = datetime.now(UTC)
        seconds.append(cost_of(command).wall_s)
        for step, took in _steps_since(work, began, seconds[-1]).items():
            split[step].append(took)
        written = {name: size for name, size in _bytes(work).items() if name not in before}
        (feed.share / file.name).unlink()
    again = cost_of([*command, "--since", day, "--until", day])
    live: dict[str, list[float]] = defaultdict(list)
    for file in late[LATE_FILES:]:
        shutil.copy2(file, feed.share)
        for step, took in _carried_live(work).items():
            live[step].append(took)
        (feed.share / file.name).unlink()
    sites = yaml.safe_load(feed.sites_file.read_text())
    sites["homes"] = [home for home in sites["homes"] if home["id"] != FORGOTTEN]
    for person in sites["people"]:
        person["homes"] = [home for home in person.get("homes", []) if home != FORGOTTEN]
    sites["people"] = [person for person in sites["people"] if person["homes"] or person["role"] == "admin"]
    others = feed.folder / "others.yaml"
    others.write_text(yaml.safe_dump(sites, allow_unicode=True))
    forget = [DOMOTIC, "forget", "--sites", str(others), "--lake", str(lake), "--yes", FORGOTTEN]
    forgotten = cost_of([*forget, "--receipt", str(folder / "receipt.json")])
    others.unlink()
    by_table: dict[str, int] = {}
    for name, size in written.items():
        table = "/".join(Path(name).relative_to(work.lake.root).parts[:2])
        by_table[table] = by_table.get(table, 0) + size
    told = ", ".join(f"{table} {size / 1e3:,.0f} kB" for table, size in sorted(by_table.items()))
    anew = sum(written.values())
    once = f"median of {LATE_FILES}, each with a listing of the whole share"
    files = f"{sum(1 for _ in feed.share.iterdir()):,} files, one build"
    return [
        Figure("late", "all days from nothing, wall", built.wall_s, "s", note=files),
        Figure("late", "all days from nothing, CPU", built.cpu_s, "s", note=files),
        Figure("late", "all days from nothing, peak memory", built.peak_mb, "MB", note=files),
        Figure("late", "a late file on a sealed day, `domotic build`", median(seconds), "s", note=once),
        *_split("of the build", split),
        *_split("a late file by the live feed's functions", live),
        Figure(
            "late", "data that it wrote anew", anew / 1e6, "MB", "all data of the lake", whole / 1e6,
            anew / whole, note=told,
        ),
        Figure("late", "a day built again", again.wall_s, "s", note="one build"),
        Figure("late", "a home forgotten", forgotten.wall_s, "s", note="once, with the scan of every file"),
        Figure("late", "a home forgotten, peak memory", forgotten.peak_mb, "MB"),
    ]  # fmt: skip


def _split(whole: str, seconds: Mapping[str, Sequence[float]]) -> list[Figure]:
    """The median of each step."""
    return [Figure("late", f"{whole}: {step}", median(took), "s") for step, took in seconds.items()]


def _steps_since(work: Workspace, began: datetime, wall_s: float) -> dict[str, float]:
    """Seconds of the steps of the runs that began since, of what came before the first, and of the rest."""
    with open_instance(work) as instance:
        records = instance.get_run_records(dg.RunsFilter(created_after=began), ascending=True)
        stats = [
            step
            for record in records
            for step in instance.get_run_step_stats(record.dagster_run.run_id)
            if step.start_time is not None and step.end_time is not None
        ]
    took: dict[str, float] = {
        "starting, listing and planning": min(step.start_time for step in stats) - began.timestamp()
    }
    for step in stats:
        took[step.step_key] = took.get(step.step_key, 0.0) + step.end_time - step.start_time
    return {**took, "between and after the steps": wall_s - sum(took.values())}


def _carried_live(work: Workspace) -> dict[str, float]:
    """Seconds of the nightly listing that finds a late file, and of each step of the run that carries it."""
    now = datetime.now(UTC)
    seconds = {"listing": wall_of(lambda: arrivals.list_share(work, [], whole=True, now=now))}
    choice = arrivals.choose(work.worklist.read(), [], now)
    assert choice is not None
    windows = [read_key(key) for key in choice.keys]
    for name, step in steps_of(work, windows, by_name=not choice.whole_listing).items():
        seconds[name] = wall_of(step)
    seconds["finish"] = wall_of(lambda: upkeep.finish_windows(work, windows, now))
    return {**seconds, "without the listing": sum(seconds.values()) - seconds["listing"]}


def _bytes(work: Workspace) -> dict[str, int]:
    """The data files of all tables' snapshots, and their sizes."""
    return {
        file: Path(file).stat().st_size for table in ALL_TABLES.values() for file in work.lake.files(table)
    }
