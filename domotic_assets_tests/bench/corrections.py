"""What a correction costs in a year of sealed days: late files, a day again, a home forgotten."""

import shutil
from datetime import timedelta
from pathlib import Path
from statistics import median

import yaml

from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.schemas import ALL_TABLES
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import cost_of
from domotic_assets_tests.drills.running import DOMOTIC
from domotic_assets_tests.lakes import open_lake

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
    for day in range(LATE_FILES):
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
    cost_of(command)
    work = open_lake(feed.sites_file, lake)
    whole = sum(_bytes(work).values())
    seconds: list[float] = []
    for file in sorted((folder / "late").iterdir()):
        before = _bytes(work)
        shutil.copy2(file, feed.share)
        seconds.append(cost_of(command).wall_s)
        written = {name: size for name, size in _bytes(work).items() if name not in before}
        (feed.share / file.name).unlink()
    again = cost_of([*command, "--since", day, "--until", day])
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
    return [
        Figure("late", "a late file on a sealed day, `domotic build`", median(seconds), "s", note=once),
        Figure(
            "late", "data that it wrote anew", anew / 1e6, "MB", "all data of the lake", whole / 1e6,
            anew / whole, note=told,
        ),
        Figure("late", "a day built again", again.wall_s, "s", note="one build"),
        Figure("late", "a home forgotten", forgotten.wall_s, "s", note="once, with the scan of every file"),
    ]  # fmt: skip


def _bytes(work: Workspace) -> dict[str, int]:
    """The data files of all tables' snapshots, and their sizes."""
    return {
        file: Path(file).stat().st_size for table in ALL_TABLES.values() for file in work.lake.files(table)
    }
