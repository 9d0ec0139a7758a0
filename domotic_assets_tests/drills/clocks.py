"""Wrong clocks of senders, shares and the machine: in memory with the workspace's clock, and by faketime.

    python -m domotic_assets_tests.drills.clocks --feeds 5000 --builds 30

Names are right, all other clocks may be off by minutes to years or stand still (support/clocks.py). Each
reading must be once in its own minute, and every row right of bronze that of right clocks alone. The builds
are real ones under Debian's faketime: one by a wrong clock, and then one by a right one.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from random import Random

from domotic_assets_tests.lakes.test_clocks import FAST, HOMES, show_feeds
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.clocks import Feed, Sent, feed_of, minutes_of_numbers, now_after, off, put
from domotic_assets_tests.support.lakes import assert_same, contents, open_lake

FAKETIME = "faketime"
HOMES_PER_BUILD = 4
BUILD = (sys.executable, "-c", "from domotic_assets.cli.main import main; main()", "build")


def in_memory(seed: int) -> str | None:
    """Try HOMES feeds through the steps; what is wrong with them, or None."""
    try:
        show_feeds(seed)
    except AssertionError as error:
        return f"seed {seed}: {str(error)[:200]}"
    return None


def by_builds(seed: int) -> tuple[str | None, str]:
    """Build a feed by a wrong clock and then by a right one, and by right ones alone; what differs, or None.

    Also returns what the build by the wrong clock did: built, left all, or refused.
    """
    rng = Random(f"builds {seed}")
    feed = feed_of(rng, HOMES_PER_BUILD)
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        wrong, right = (_Place(Path(folder) / name, feed) for name in ("wrong", "right"))
        done = Counter[str]()
        # Names that come again are overwritten: each delivery is built by a right clock before the next one.
        cuts = _some(feed, rng, 1 if seed % 5 else 2)
        for files in cuts:
            now = now_after(files)
            put(wrong.folder / "share", files)
            put(right.folder / "share", files)
            done[wrong.build(now + off(rng), may_be_refused=True)] += 1
            wrong.build(now)
            right.build(now)
        try:
            found, expected = (open_lake(place.sites, place.folder / "lake") for place in (wrong, right))
            truth = sorted((sent.number, sent.at) for files in cuts for sent in files)
            assert minutes_of_numbers(expected.lake) == truth, "a reading is not where it belongs"
            assert_same(contents(found), contents(expected))
        except AssertionError as error:
            return f"build {seed}: {str(error)[:300]}", ", ".join(done)
    return None, ", ".join(sorted(done))


def _some(feed: Feed, rng: Random, number: int) -> list[tuple[Sent, ...]]:
    """Consecutive deliveries of the feed: each takes three builds."""
    first = rng.randrange(len(feed.deliveries))
    return list(feed.deliveries[first : first + number])


class _Place:
    """A share and a lake on disk, built by the command."""

    def __init__(self, folder: Path, feed: Feed) -> None:
        self.folder = folder
        self.sites = builders.write_sites(folder, feed.registry_text().replace("  register_rows", "  # "))

    def build(self, now: datetime, *, may_be_refused: bool = False) -> str:
        """Run `domotic build` as if it were `now`; what it did. Raises AssertionError if it fails."""
        command = [FAKETIME, f"{now:%Y-%m-%d %H:%M:%S}", *BUILD, "--sites", str(self.sites)]
        done = subprocess.run(
            [*command, "--lake", str(self.folder / "lake")],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {"TZ": "UTC", "DAGSTER_DISABLE_TELEMETRY": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        )
        said = done.stderr + done.stdout
        if done.returncode == 0:
            return "built" if "Built" in said else "left all"
        assert may_be_refused, said[-2000:]
        assert "this machine's clock says" in said, said[-2000:]
        assert len([line for line in said.splitlines() if line.startswith("error:")]) == 1, said[-2000:]
        return "refused"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials, print what they showed, and return 1 if a reading or a row was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--feeds", type=int, default=5000)
    parser.add_argument("--builds", type=int, default=30)
    chosen = parser.parse_args(arguments)
    if chosen.builds and shutil.which(FAKETIME) is None:
        print("faketime is not installed: apt-get install faketime")
        return 1
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    wrong: list[str] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        began = time.monotonic()
        runs = -(-chosen.feeds // HOMES)
        wrong += filter(None, pool.map(in_memory, range(1000, 1000 + runs)))
        print(f"{runs * HOMES:,} feeds in memory, {runs} lakes: {time.monotonic() - began:.0f} s", flush=True)
        began = time.monotonic()
        what: Counter[str] = Counter()
        for found, did in pool.map(by_builds, range(chosen.builds)):
            what[did] += 1
            wrong += [found] if found else []
        if chosen.builds:
            took = time.monotonic() - began
            print(f"{chosen.builds} feeds by faketime: {took:.0f} s; builds by a wrong clock: {dict(what)}")
    print(f"wrong: {len(wrong)}", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
