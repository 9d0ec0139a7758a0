"""The whole history from a folder to the published file by `domotic build`, and twice as much of it."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

import duckdb

from domotic_assets.schemas.homes import silver
from domotic_assets.serve.publish import published_file
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import REPEATS, Cost, cost_of
from domotic_assets_tests.drills.running import DOMOTIC
from domotic_assets_tests.support.lakes import open_lake

DAYS = 85
"""Two homes send 244,800 files in 85 days, without what is missing and with what is sent twice."""
WEEKS = 12
"""As many files of the measured week, whose events are half as many: those of the field's history."""


@dataclass(frozen=True)
class _Build:
    """Files and events that a build from nothing accounted for, and what it cost."""

    files: int
    events: int
    cost: Cost


def run(place: Path) -> list[Figure]:
    """Figures of the whole history, and of half of it; builds take turns, so that all meet one machine."""
    simulated = [samples.simulated(place, days * 1440) for days in (DAYS // 2, DAYS)]
    measured = samples.real_weeks(place, WEEKS, beside=simulated[-1])
    half, whole, *weeks = _medians([*simulated, *([] if measured is None else [measured])], place)
    cost, before, share = whole.cost, half.cost, whole.files / half.files
    return [
        *_goals("simulated files", whole),
        *(
            Figure(
                "history", f"simulated files: {kind}, to half of it", spent, "s", "half of it", spent_before,
                spent / spent_before * 2 / share, 2.1, at_most=True, note=f"{share:.2f} × the files",
            )
            for kind, spent, spent_before in (
                ("CPU", cost.cpu_s, before.cpu_s), ("wall", cost.wall_s, before.wall_s),
            )
        ),
        Figure(
            "history", "simulated files: peak memory, to half of it", cost.peak_mb, "MB", "half of it",
            before.peak_mb, cost.peak_mb / before.peak_mb, 1.1, at_most=True,
        ),
        *(figure for week in weeks for figure in _goals("the measured week twelve times", week)),
    ]  # fmt: skip


def _goals(what: str, build: _Build) -> Iterator[Figure]:
    """What a history costs, against what it may."""
    note = f"{build.files:,} files, {build.events:,} events"
    cost = build.cost
    yield Figure("history", f"{what}: CPU", cost.cpu_s, "s", goal=200, at_most=True, note=note)
    yield Figure("history", f"{what}: wall", cost.wall_s, "s", goal=120, at_most=True, note=note)
    yield Figure("history", f"{what}: peak memory", cost.peak_mb, "MB", goal=1_500, at_most=True, note=note)


def _medians(feeds: Sequence[samples.Feed], place: Path) -> list[_Build]:
    """Of each feed what its builds found, all the same, and the medians of what they cost."""
    builds: list[list[_Build]] = [[] for _ in feeds]
    for _ in range(REPEATS):
        for feed, done in zip(feeds, builds, strict=True):
            done.append(_built(feed, place))
            print(f"{feed.folder.name}: {done[-1]}", file=sys.stderr, flush=True)
    return [_median(done) for done in builds]


def _median(builds: Sequence[_Build]) -> _Build:
    ((files, events),) = {(build.files, build.events) for build in builds}
    costs = [astuple(build.cost) for build in builds]
    return _Build(files, events, Cost(*map(median, zip(*costs, strict=True))))


def _built(feed: samples.Feed, place: Path) -> _Build:
    """A build from nothing, which leaves no lake behind."""
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
    return _Build(files.height, events, cost)
