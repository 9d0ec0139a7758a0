"""From a folder to bronze: against a copy of the folder's files, in time and in size."""

import shutil
from pathlib import Path
from statistics import median

import polars as pl

from domotic_assets.domains.homes.flows import landing
from domotic_assets.flow.windows import Window
from domotic_assets.schemas.homes import bronze
from domotic_assets_tests.bench import baselines, samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import REPEATS, medians, wall_of
from domotic_assets_tests.support.lakes import open_lake


def run(place: Path) -> list[Figure]:
    """Figures of simulated files, and of the real week's, with a warm cache."""
    figures: list[Figure] = []
    for what, feed in samples.both(place, 7 * 1440).items():
        figures += _of(what, feed, place)
    return figures


def _of(what: str, feed: samples.Feed, place: Path) -> list[Figure]:
    files = sum(1 for _ in feed.share.iterdir())
    lake, copy = place / "lake-of-landing", place / "copy"
    everything = Window(samples.FIRST_DAY.replace(year=2023), samples.FIRST_DAY.replace(year=2024))

    def ours() -> None:
        landing.land_sensor_files(open_lake(feed.sites_file, lake), [everything])

    baselines.read_tree(feed.share)
    seconds: dict[str, list[float]] = {"ours": [], "d": [], "g": []}
    for _ in range(REPEATS):
        shutil.rmtree(lake, ignore_errors=True)
        seconds["ours"].append(wall_of(ours))
        seconds["d"].append(wall_of(lambda: baselines.copy_tree(feed.share, copy)))
        seconds["g"].append(wall_of(lambda: baselines.read_tree(feed.share)))
    rates = {name: files / median(found) for name, found in seconds.items()}
    rows = open_lake(feed.sites_file, lake).lake.read(bronze.SENSOR_FILES)
    size = sum(
        file.stat().st_size for file in lake.rglob("*") if file.is_file() and "dagster" not in file.parts
    )
    raw = sum(file.stat().st_size for file in feed.share.iterdir())
    for folder in (lake, copy):
        shutil.rmtree(folder, ignore_errors=True)
    note = f"{files:,} files, {rows.height:,} landed"
    (append,) = medians({"append": lambda: _append(rows, feed, lake)}).values()
    shutil.rmtree(lake)
    copied, read = "(d) a copy of the folder", "(g) listing and reading each file once, a limit"
    in_memory = files / append
    return [
        Figure(
            "landing", f"{what}, from the folder", rates["ours"], "files/s", copied, rates["d"],
            rates["ours"] / rates["d"], 20.0, note=note,
        ),
        Figure(
            "landing", f"{what}, from the folder", rates["ours"], "files/s", read, rates["g"],
            rates["ours"] / rates["g"], note=note,
        ),
        Figure(
            "landing", f"{what}, listed and read once, nothing else", rates["g"], "files/s", copied,
            rates["d"], rates["g"] / rates["d"], note="what a landing could reach at most",
        ),
        Figure(
            "landing", f"{what}, rows in memory appended", in_memory, "files/s", copied, rates["d"],
            in_memory / rates["d"], 20.0, note="CPU time",
        ),
        Figure(
            "landing", f"{what}, size of bronze", size / 1e6, "MB", "the files", raw / 1e6, raw / size, 8.0,
            note=note,
        ),
    ]  # fmt: skip


def _append(rows: pl.DataFrame, feed: samples.Feed, lake: Path) -> None:
    """One commit to an empty table."""
    shutil.rmtree(lake, ignore_errors=True)
    open_lake(feed.sites_file, lake).lake.append(bronze.SENSOR_FILES, rows)
