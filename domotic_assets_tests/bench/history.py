"""The whole history from a folder to the published file by `domotic build`, and twice as much of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb

from domotic_assets.schemas import silver
from domotic_assets.serve.publish import published_file
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import Cost, cost_of
from domotic_assets_tests.drills.running import DOMOTIC
from domotic_assets_tests.lakes import open_lake

DAYS = 85
"""Two homes send 244,800 files in 85 days, without what is missing and with what is sent twice."""
WEEKS = 12
"""As many files of the measured week, whose events are half as many: those of the field's history."""


def run(place: Path) -> list[Figure]:
    """Figures of the whole history, and of half of it: one build each, as they take minutes."""
    feeds = [samples.simulated(place, days * 1440) for days in (DAYS // 2, DAYS)]
    half, whole = (_built(feed, place) for feed in feeds)
    measured = samples.real_weeks(place, WEEKS, beside=feeds[-1])
    weeks = () if measured is None else _goals("the measured week twelve times", *_built(measured, place))
    cost, share = whole[2], whole[0] / half[0]
    return [
        *_goals("simulated files", *whole),
        *(
            Figure(
                "history", f"simulated files: {kind}, to half of it", seconds, "s", "half of it", before,
                seconds / before * 2 / share, 2.1, at_most=True, note=f"{share:.2f} × the files",
            )
            for kind, seconds, before in (
                ("CPU", cost.cpu_s, half[2].cpu_s), ("wall", cost.wall_s, half[2].wall_s),
            )
        ),
        Figure(
            "history", "simulated files: peak memory, to half of it", cost.peak_mb, "MB", "half of it",
            half[2].peak_mb, cost.peak_mb / half[2].peak_mb, 1.1, at_most=True,
        ),
        *weeks,
    ]  # fmt: skip


def _goals(what: str, files: int, events: int, cost: Cost) -> Iterator[Figure]:
    """What a history costs, against what it may."""
    note = f"{files:,} files, {events:,} events, one build"
    yield Figure("history", f"{what}: CPU", cost.cpu_s, "s", goal=200, at_most=True, note=note)
    yield Figure("history", f"{what}: wall", cost.wall_s, "s", goal=120, at_most=True, note=note)
    yield Figure("history", f"{what}: peak memory", cost.peak_mb, "MB", goal=1_500, at_most=True, note=note)


def _built(feed: samples.Feed, place: Path) -> tuple[int, int, Cost]:
    """Files, events and cost of a build from nothing; every file is accounted for."""
    lake = place / "lake-of-history"
    shutil.rmtree(lake, ignore_errors=True)
    # Files by the hundred thousand were written just now: the disk is done with them before the clock runs.
    os.sync()
    cost = cost_of([DOMOTIC, "build", "--sites", str(feed.sites_file), "--lake", str(lake)])
    work = open_lake(feed.sites_file, lake)
    files = work.lake.read(silver.SENSOR_FILES, columns=["status", "events"])
    events = int(files["events"].sum())
    with duckdb.connect(str(published_file(work.serve)), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM gold.fact_energy_minute").fetchone() != (0,)
    shutil.rmtree(lake)
    return files.height, events, cost
