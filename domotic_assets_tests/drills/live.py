"""How long a file takes from the share to the readers, and what the live feed costs this machine.

    python -m domotic_assets_tests.drills.live --minutes 15 --homes 2

A simulated feed without defects, a file a minute and home, through `domotic live`: every file must show.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter

import dagster as dg

from domotic_assets.orchestration import tags
from domotic_assets_tests.drills import running
from domotic_assets_tests.drills.running import Live, Minute, Readers, Usage, percentile

P50_GOAL_S, P95_GOAL_S = 15.0, 30.0
HISTORY = timedelta(hours=3)
WARM_UP_MINUTES = 2
SECONDS_TO_SHOW = 120.0
CLEAN = {"all": 0.0}
_MOMENTS = {
    dg.DagsterEventType.RUN_DEQUEUED: "taken from the queue",
    dg.DagsterEventType.RUN_STARTING: "process asked for",
    dg.DagsterEventType.RUN_START: "at work",
}


def drill(minutes: int, homes: int) -> int:
    """Run it and print what was found; the exit code."""
    where = running.machine()
    with running.folder("live") as place:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        world = running.World(place, homes, now - HISTORY, CLEAN)
        held = world.fill(now)
        running.build(world.sites_file, place / "lake")
        with running.running(world.sites_file, place / "lake", simulate=True) as live:
            began = time.time() + 60 * WARM_UP_MINUTES
            readers = Readers(live.work.serve, now)
            _watch(readers, began)
            usage = Usage(live)
            _watch(readers, began + 60 * minutes, usage)
            costs = usage.table()
            files = {
                minute: at
                for minute, at in running.landed(live.work, began).items()
                if at < began + 60 * minutes
            }
            _watch(readers, time.time() + SECONDS_TO_SHOW, wanted=files)
            stages = _stages(live, files)
    waits = [readers.seen[minute] - at for minute, at in files.items() if minute in readers.seen]
    print(f"## Live: {homes} homes, {minutes} minutes\n\n{where}; {held:,} files on the share before\n")
    print(latencies({"landing to readable": waits}, len(files)))
    print(f"\n{stages}\n\n{costs}")
    p50, p95 = (percentile(waits, share) if waits else float("inf") for share in (0.5, 0.95))
    return running.verdict(
        {
            f"every file is readable ({len(waits)} of {len(files)})": len(waits) == len(files) > 0,
            f"p50 {p50:.1f} s, at most {P50_GOAL_S:.0f} s": p50 <= P50_GOAL_S,
            f"p95 {p95:.1f} s, at most {P95_GOAL_S:.0f} s": p95 <= P95_GOAL_S,
        }
    )


def _watch(
    readers: Readers, until: float, usage: Usage | None = None, wanted: dict[Minute, float] | None = None
) -> None:
    """Look at the published file until a moment, or until all that is wanted is there."""
    while time.time() < until and (wanted is None or not wanted.keys() <= readers.seen.keys()):
        readers.look()
        if usage is not None:
            usage.sample()
        time.sleep(running.POLL_SECONDS)


def latencies(measured: dict[str, Sequence[float]], files: int) -> str:
    """p50, p95 and the longest of some waits, in Markdown."""
    heading = ("seconds", "files", "p50", "p95", "longest")
    rows = [
        (name, f"{len(waits)} of {files}", *(f"{percentile(waits, share):.1f}" for share in (0.5, 0.95, 1)))
        for name, waits in measured.items()
        if waits
    ]
    return running.table(heading, rows)


def _stages(live: Live, files: dict[Minute, float]) -> str:
    """Where the time goes, by run that carried the newest of these files, in Markdown."""
    stages: dict[str, list[float]] = defaultdict(list)
    newest = {f"{minute.start:%Y-%m-%dT%H:%M}": at for minute, at in sorted(files.items(), key=itemgetter(1))}
    with running.records(live) as instance:
        for record in instance.get_run_records(dg.RunsFilter(job_name=tags.WINDOWS_JOB)):
            run = record.dagster_run
            landed_at = newest.get((tags.keys_of(run.tags) or ("",))[-1])
            if (
                landed_at is None
                or record.end_time is None
                or record.create_timestamp.timestamp() < landed_at
            ):
                continue
            moments = {"landed": landed_at, "asked for": record.create_timestamp.timestamp()}
            for entry in instance.all_logs(run.run_id, of_type=set(_MOMENTS)):
                moments[_MOMENTS[entry.get_dagster_event().event_type]] = entry.timestamp
            moments["done"] = record.end_time
            for (before, start), (after, end) in pairwise(sorted(moments.items(), key=itemgetter(1))):
                stages[f"{before} → {after}"].append(end - start)
            for step in instance.get_run_step_stats(run.run_id):
                if step.start_time is not None and step.end_time is not None:
                    stages[f"step {step.step_key}"].append(step.end_time - step.start_time)
    rows = [
        (stage, str(len(times)), f"{percentile(times, 0.5):.2f}", f"{max(times):.2f}")
        for stage, times in stages.items()
    ]
    return running.table(("stage of a run", "runs", "p50 s", "longest s"), rows)


def main() -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="From landing to readable, live, and what it costs")
    parser.add_argument("--minutes", type=int, default=15, help="minutes measured")
    parser.add_argument("--homes", type=int, default=2, help="homes that send")
    asked = parser.parse_args()
    sys.exit(drill(asked.minutes, asked.homes))


if __name__ == "__main__":
    main()
