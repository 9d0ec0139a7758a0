"""Measure, and write docs/benchmarks.json and docs/benchmarks.md.

    python -m domotic_assets_tests.bench [SUITE ...]

Each suite runs in a process of its own. Suites that are not named keep their figures of before.
"""

import argparse
import gc
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from domotic_assets.cli.main import NEW_OBJECTS_BEFORE_COLLECTION
from domotic_assets_tests.bench import report
from domotic_assets_tests.bench.figures import Figure, as_json, as_table, read_json
from domotic_assets_tests.bench.measuring import stolen_since, ticks

SUITES = {
    "flatten": "flattening",
    "landing": "landing",
    "silver": "silver",
    "history": "history",
    "minute": "minutes",
    "late": "corrections",
    "homes": "many_homes",
    "facts": "facts",
    "publishing": "publishing",
    "profile": "profiles",
}
"""Suite to its module, which has `run(place) -> list[Figure]`."""

_ONE_CORE = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
_ON_ONE_CORE = ("flatten",)
_PACKAGES = ("polars", "deltalake", "pyarrow", "duckdb", "orjson", "msgspec", "dagster")
DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Read the options and run; exits 1 where a suite fails, not where a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--data", type=Path, help="folder for made data, kept; else a temporary one")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        (suite,) = options.suites
        # As every command of ours; the baselines take turns in the same process.
        gc.set_threshold(NEW_OBJECTS_BEFORE_COLLECTION)
        try:
            figures = importlib.import_module(f"domotic_assets_tests.bench.{SUITES[suite]}").run(options.data)
        except pytest.skip.Exception as missing:
            sys.exit(f"NOT MEASURED: {suite}: {missing}")
        print(json.dumps([asdict(figure) for figure in figures]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = options.data or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        failed = []
        for suite in options.suites or SUITES:
            before = ticks()
            figures = _measured(suite, place)
            if figures is None:
                failed.append(suite)
                continue
            print(f"\n{suite}\n{as_table(figures)}", flush=True)
            if not options.no_docs:
                _keep(suite, figures, place, stolen_since(before))
    if failed:
        sys.exit(f"without figures, as said above: {', '.join(failed)}")


def _measured(suite: str, place: Path) -> list[Figure] | None:
    """The figures of a suite; None where it failed, which its process has said."""
    print(f"measuring {suite}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", __spec__.parent, suite, "--data", str(place), "--inside"]
    environment = os.environ | (_ONE_CORE if suite in _ON_ONE_CORE else {})
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True, env=environment)
    if done.returncode:
        return None
    return [Figure(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def _keep(suite: str, figures: list[Figure], place: Path, stolen: float) -> None:
    """Replace the suite's figures, and the pictures that it made, in the docs.

    stolen: the share of the processors' time that the machine's host gave to others.
    """
    for picture in place.glob("*.svg"):
        shutil.move(picture, DOCS / picture.name)
    file = DOCS / "benchmarks.json"
    held, about = read_json(file)
    kept = [figure for figure in held if figure.suite != suite] + figures
    order = list(SUITES)
    kept.sort(key=lambda figure: order.index(figure.suite))
    about[suite] = f"{_about()}, {stolen:.0%} of the processors' time stolen by the host"
    file.write_text(as_json(kept, about))
    (DOCS / "benchmarks.md").write_text(report.page(kept, about))


def _about() -> str:
    """Date, machine, load and versions."""
    said = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in said if line.startswith("model name"))
    processor = next(named, platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({processor}), {memory:.0f} GB, "
        f"load of the last 15 minutes {os.getloadavg()[2]:.1f}, Python {platform.python_version()}, "
        f"{packages}"
    )


if __name__ == "__main__":
    main()
