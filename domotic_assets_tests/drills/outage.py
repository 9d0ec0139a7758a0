"""What was missed is caught up: three hours in which nothing ran, or all of a long history from nothing.

    python -m domotic_assets_tests.drills.outage
    python -m domotic_assets_tests.drills.outage --history-days 70

The feed is simulated without defects, so every file has rows that must show.
"""

import argparse
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domotic_assets.flow.windows import is_day
from domotic_assets.flow.worklist import LISTED_WHOLE, PendingWork, WorkList
from domotic_assets.orchestration import tags
from domotic_assets_tests.drills import running
from domotic_assets_tests.drills.live import CLEAN, latencies
from domotic_assets_tests.drills.running import Live, Readers, percentile

HOMES = 2
OUTAGE, DAYS_BEFORE = timedelta(hours=3), timedelta(days=1)
OUTAGE_GOAL_S, LIVE_P95_GOAL_S = 120.0, 60.0
SECONDS_FOR_OUTAGE, SECONDS_FOR_A_DAY = 600.0, 60.0
SECONDS_TO_SHOW = 120.0


def outage() -> int:
    """Three hours missed; prints what was found; the exit code."""
    where = running.machine()
    with running.folder("outage") as place:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        world = running.World(place, HOMES, now - OUTAGE - DAYS_BEFORE, CLEAN)
        world.fill(now - OUTAGE)
        running.build(world.sites_file, place / "lake")
        _stopped_at(place / "lake", now - OUTAGE)
        written_from = time.time()
        world.fill(datetime.now(UTC).replace(second=0, microsecond=0))
        began = time.time()
        with running.running(world.sites_file, place / "lake", simulate=False) as live:
            started_s = time.time() - began
            missed = running.landed(live.work, written_from)
            readers = Readers(live.work.serve, now - OUTAGE)
            while missed.keys() - readers.seen.keys() and time.time() - began < SECONDS_FOR_OUTAGE:
                world.keep_up()
                readers.look()
                time.sleep(running.POLL_SECONDS)
            runs, keys = _runs(live)
    lacking = missed.keys() - readers.seen.keys()
    took = max(readers.seen[minute] for minute in missed.keys() - lacking) - began
    print(f"## Outage of {OUTAGE / timedelta(hours=1):.0f} hours, {HOMES} homes\n\n{where}\n")
    print(f"- {len(missed)} files written while nothing ran; {len(lacking)} of them missing in the end")
    print(f"- `domotic live` answered after {started_s:.0f} s; all was readable after {took:.0f} s")
    print(f"- runs of windows: {runs}; keys: {keys}")
    return running.verdict(
        {
            "no window is missing": not lacking,
            f"{took:.0f} s from start to readable, at most {OUTAGE_GOAL_S:.0f} s": took <= OUTAGE_GOAL_S,
        }
    )


def _stopped_at(lake: Path, moment: datetime) -> None:
    """Let the lake say that it looked at the share last at that moment, which is when it was built of."""

    def change(held: PendingWork) -> None:
        held.looked_until = held.marks[LISTED_WHOLE] = moment

    WorkList(lake / "dagster").change(change)


def history(days: int) -> int:
    """A long history and an empty lake, while the live feed goes on; the exit code."""
    where = running.machine()
    with running.folder("history") as place:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        world = running.World(place, HOMES, now - timedelta(days=days), CLEAN)
        # To write these takes a while: up to now is only what is past when that is done.
        world.fill(now)
        world.fill(datetime.now(UTC).replace(second=0, microsecond=0))
        held = sum(1 for _ in world.folders.share.iterdir())
        first = world.simulation.now
        began = time.time()
        with running.running(world.sites_file, place / "lake", simulate=False) as live:
            readers = Readers(live.work.serve, first)
            in_at = None
            while in_at is None and time.time() - began < SECONDS_FOR_A_DAY * (days + 5):
                world.keep_up()
                readers.look()
                if readers.before >= held:
                    in_at = time.time()
                time.sleep(running.POLL_SECONDS)
            files = {
                minute: at for minute, at in running.landed(live.work, began).items() if minute.start >= first
            }
            until = time.time() + SECONDS_TO_SHOW
            while files.keys() - readers.seen.keys() and time.time() < until:
                world.keep_up()
                readers.look()
                time.sleep(running.POLL_SECONDS)
            runs, keys = _runs(live)
    opened = readers.opened_at or time.time()
    waits = {minute: readers.seen[minute] - at for minute, at in files.items() if minute in readers.seen}
    after = [wait for minute, wait in waits.items() if files[minute] >= opened]
    p95 = percentile(after, 0.95) if after else float("inf")
    print(f"## History of {days} days, {HOMES} homes, from an empty lake\n\n{where}\n")
    print(f"- {held:,} files on the share; the first published file came after {opened - began:.0f} s")
    print(f"- all history was readable after {'no time' if in_at is None else f'{in_at - began:.0f} s'}")
    print(f"- runs of windows: {runs}; keys: {keys}\n")
    print(latencies({"all live minutes": [*waits.values()], "since the first file": after}, len(files)))
    return running.verdict(
        {
            "all history is readable": in_at is not None,
            f"every live minute is readable ({len(waits)} of {len(files)})": len(waits) == len(files) > 0,
            f"p95 of live minutes since the first published file {p95:.1f} s, "
            f"at most {LIVE_P95_GOAL_S:.0f} s": p95 <= LIVE_P95_GOAL_S,
        }
    )


def _runs(live: Live) -> tuple[str, str]:
    """The runs that the sensor asked for by kind and outcome, and the keys by length, in words."""
    with running.records(live) as instance:
        runs = Counter(
            f"{run.tags[tags.KIND]} {run.status.value}"
            for run in instance.get_runs()
            if run.job_name == tags.WINDOWS_JOB
        )
        keys = Counter(
            "days" if is_day(key) else "finer" for key in instance.get_dynamic_partitions("window")
        )
    return tuple(", ".join(f"{n} {what}" for what, n in sorted(of.items())) for of in (runs, keys))  # type: ignore[return-value]


def main() -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="Catching up after an outage, or with a long history")
    parser.add_argument(
        "--history-days", type=int, help="days of history from an empty lake (else: an outage)"
    )
    days = parser.parse_args().history_days
    sys.exit(outage() if days is None else history(days))


if __name__ == "__main__":
    main()
