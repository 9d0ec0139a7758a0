"""A thousand homes from a folder: an hour of history by one build, and live minutes after it."""

import resource
import shutil
from pathlib import Path
from statistics import median

from domotic_assets.schemas.homes import bronze
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import cost_of
from domotic_assets_tests.bench.minutes import STEPS, Minutes
from domotic_assets_tests.drills.running import DOMOTIC
from domotic_assets_tests.support.lakes import open_lake

HOMES, HOUR, LIVE = 1_000, 60, 5


def run(place: Path) -> list[Figure]:
    """Rate and memory of the hour; a live minute, and its steps."""
    feed = samples.simulated(place, HOUR, HOMES)
    lake = place / "lake-of-homes"
    shutil.rmtree(lake, ignore_errors=True)
    cost = cost_of([DOMOTIC, "build", "--sites", str(feed.sites_file), "--lake", str(lake)])
    files = open_lake(feed.sites_file, lake).lake.read(bronze.SENSOR_FILES, columns=["window"]).height
    shutil.rmtree(lake)
    folder = place / "live-homes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    minutes = Minutes(folder, HOMES, before=10)
    for _ in range(LIVE):
        minutes.carry()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shutil.rmtree(folder)
    rate = files / cost.wall_s
    day = HOMES * 1440
    return [
        Figure("homes", "an hour of history, wall", cost.wall_s, "s", note=f"{files:,} files, one build"),
        Figure("homes", "an hour of history, CPU", cost.cpu_s, "s"),
        Figure("homes", "an hour of history, peak memory", cost.peak_mb, "MB"),
        Figure("homes", "an hour of history, rate", rate, "files/s"),
        Figure("homes", f"a day of {day:,} files at that rate", day / rate / 3600, "h"),
        Figure(
            "homes", "a live minute from its files to published, wall", median(minutes.wall["all"]), "s",
            goal=20, at_most=True, note=f"p50 of {LIVE}",
        ),
        Figure("homes", "a live minute, longest", max(minutes.wall["all"]), "s", goal=20, at_most=True),
        Figure("homes", "a live minute, peak memory", peak_mb, "MB", note="with the build before it"),
        *(Figure("homes", f"of that: {step}", median(minutes.wall[step]), "s") for step in STEPS),
    ]  # fmt: skip
