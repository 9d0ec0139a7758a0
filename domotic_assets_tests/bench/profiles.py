"""Where the time goes: flame graphs of a history and of live minutes, and the share of each library.

The Python stacks of threads at work are sampled. Threads of Polars and Delta show as the Python line that
waits for them, and so does the disk.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.flames import flame_graph
from domotic_assets_tests.bench.minutes import Minutes
from domotic_assets_tests.drills.running import DOMOTIC

PY_SPY = str(Path(sys.executable).with_name("py-spy"))
DAYS, MINUTES = 14, 60
SAMPLES_A_SECOND = 50
LEAST_SHARE = 0.01
OWN = ("domotic_assets", "domotic_assets_tests")
_FILE = re.compile(r"\(([^()]*?)(?::\d+)?\)$")


def run(place: Path) -> list[Figure]:
    """Both profiles, and the share of each library: of a sample, the package of its innermost frame."""
    feed = samples.simulated(place, DAYS * 1440)
    lake = place / "lake-of-profile"
    shutil.rmtree(lake, ignore_errors=True)
    history = [DOMOTIC, "build", "--sites", str(feed.sites_file), "--lake", str(lake)]
    figures = _profiled("history", history, place, f"{DAYS} days of two homes")
    shutil.rmtree(lake)
    live = [sys.executable, "-m", __name__, str(place / "minutes-of-profile")]
    return figures + _profiled("minute", live, place, f"{MINUTES} minutes through Dagster, in one process")


def _profiled(name: str, command: list[str], place: Path, what: str) -> list[Figure]:
    raw = place / f"{name}.raw"
    options = ["--rate", str(SAMPLES_A_SECOND), "--format", "raw", "--output", str(raw)]
    subprocess.run([PY_SPY, "record", *options, "--", *command], check=True, stdout=sys.stderr)
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] += int(number)
    (place / f"profile-{name}.svg").write_text(flame_graph(stacks, what))
    total = stacks.total()
    shares: Counter[str] = Counter()
    for frames, number in stacks.items():
        shares[package_of(frames[-1])] += number
    rest = 1 - sum(number for number in shares.values() if number >= LEAST_SHARE * total) / total
    figures = [
        Figure("profile", f"{name}: {package}", number / total * 100, "% of samples", note=what)
        for package, number in shares.most_common()
        if number >= LEAST_SHARE * total
    ]
    return [*figures, Figure("profile", f"{name}: all others", rest * 100, "% of samples", note=what)]


def package_of(frame: str) -> str:
    """The package of a frame `function (path:line)`; `python` of the standard library."""
    found = _FILE.search(frame)
    parts = Path(found[1]).parts if found else ()
    if parts and parts[0] in OWN:
        return "/".join(parts[:-1]) if parts[0] == OWN[0] and len(parts) > 2 else parts[0]
    if len(parts) > 1 and not parts[0].startswith(("/", "<")):
        return "python" if parts[0] in sys.stdlib_module_names else parts[0]
    return "python"


def main(folder: Path) -> None:
    """Live minutes through Dagster in this process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lake = Minutes(folder)
    with open_instance(lake.work) as instance:
        for _ in range(MINUTES):
            lake.clockwork.carry(instance, lake.clockwork.pass_minutes(1))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
