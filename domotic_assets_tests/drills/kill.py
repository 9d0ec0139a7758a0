"""`domotic live` killed, its share taken away and its disk filled at random moments: the rows must not tell.

    python -m domotic_assets_tests.drills.kill --times 50 --seed 1

A day of two homes, with defects, arrives in shuffled batches, and the present minutes as they come. After
each batch something breaks. In the end Silver, Gold and the published file are compared with those of
a build that nobody disturbed, of the same file versions. Two things that hours would bring are brought
forward: the listing of the share after each batch, and the hourly refresh at the end.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil, isclose
from pathlib import Path
from random import Random

import dagster as dg
import duckdb
import polars as pl

from domotic_assets.flow.worklist import LISTED_WHOLE
from domotic_assets.orchestration import tags
from domotic_assets.schemas import gold
from domotic_assets.schemas.homes import bronze
from domotic_assets.serve.publish import published_file
from domotic_assets.simulator.defects import FOREIGN_USER, Delivery
from domotic_assets.simulator.run import Folders, publish
from domotic_assets_tests.drills import running
from domotic_assets_tests.drills.running import Live
from domotic_assets_tests.support.lakes import contents, open_lake

HOMES = 2
HISTORY, BUILT_BEFORE = timedelta(hours=26), timedelta(hours=2)
LONGEST = timedelta(hours=2)
DEFECTS = {"resent_changed": 0.02, "resent_identical": 0.01, "truncated": 0.02, "late": 0.02}
VICTIMS = {running.WORKERS: 50, running.DAEMON: 25, running.FEED_SERVER: 20, running.MODELS_SERVER: 5}
AT_WORK_SHARE = 0.8
"""Of the kills, this share comes while a run is at work."""

SHARE_GONE, DISK_FULL = "share gone", "disk full"
KILLS_PER_OUTAGE = 5
DISK_MB = 600
SECONDS_TO_RECOVER = 900.0

Version = tuple[str, int, datetime]
"""A file version as bronze tells it from others: name, size, last write."""


class Feed:
    """The deliveries of a world: what is still to arrive, and what did, in order."""

    def __init__(self, world: running.World, until: datetime) -> None:
        self._folders = world.folders
        minutes = round((until - world.simulation.now).total_seconds() / 60)
        self._waiting = sorted(world.simulation.deliveries(minutes), key=lambda found: found.arrived_at)
        self.delivered: list[Delivery] = []

    def take(self, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        """The deliveries of a kind, which then wait no longer."""
        taken = [found for found in self._waiting if wanted(found)]
        self._waiting = [found for found in self._waiting if not wanted(found)]
        return taken

    def repeats(self, held: set[Version], until: datetime) -> list[Delivery]:
        """The next version, due by then, of each name of which bronze holds all that came so far."""
        open_names = {
            found.name for found in self.delivered if lands(found) and version_of(found) not in held
        }
        came = {found.name for found in self.delivered} - open_names
        nexts: dict[str, Delivery] = {}
        for found in self._waiting:
            if found.again and found.name in came and found.arrived_at < until:
                nexts.setdefault(found.name, found)
        chosen = set(map(id, nexts.values()))
        return self.take(lambda found: id(found) in chosen)

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Let them arrive; a name that is there is written anew in its place."""
        for found in deliveries:
            publish(found, self._folders, in_place=True)
            self.delivered.append(found)


def lands(delivery: Delivery) -> bool:
    """Whether bronze takes it: a JSON file that a home sent."""
    return delivery.name.endswith(".json") and FOREIGN_USER not in delivery.name


def version_of(delivery: Delivery) -> Version:
    """What tells it from other versions."""
    return delivery.name, len(delivery.content), delivery.arrived_at


def held_versions(live: Live) -> set[Version]:
    """The file versions that bronze holds."""
    held = live.work.lake.read(bronze.SENSOR_FILES, columns=["name", "size_bytes", "modified_at"])
    return set(held.iter_rows())


class Drill:
    """A feed, `domotic live` over it, and everything that happens to both."""

    def __init__(
        self, feed: Feed, live: Live, share: Path, rng: Random, instance: dg.DagsterInstance
    ) -> None:
        self._feed = feed
        self._live = live
        self._share = share
        self._rng = rng
        self._instance = instance
        self.struck: Counter[str] = Counter()
        self.at_work: Counter[str] = Counter()

    def go_through(self, strikes: list[str], batches: list[list[Delivery]]) -> tuple[float, float]:
        """A batch and a strike, again and again, and what is left; seconds of that, and of the recovery."""
        began = time.monotonic()
        acts = {SHARE_GONE: self.take_share_away, DISK_FULL: self.fill_disk}
        for strike, batch in zip(strikes, batches, strict=True):
            self.let_arrive(batch)
            acts.get(strike, self.kill_one)()
            time.sleep(self._rng.uniform(0, 5))
        struck_s = time.monotonic() - began
        recovered_s = self.settle()
        # From here on the clock brings nothing more; resent files still come, a version a round.
        closed_at = datetime.now(UTC)
        while self.let_arrive([], closed_at):
            self.settle()
        self.refresh()
        return struck_s, recovered_s

    def let_arrive(self, batch: list[Delivery], until: datetime | None = None) -> int:
        """A batch, what the clock brings besides, and the listing that finds it; number of files."""
        due, before = until or datetime.now(UTC), len(self._feed.delivered)
        self._feed.deliver(batch)
        self._feed.deliver(self._feed.take(lambda found: found.arrived_at < due and not found.again))
        self._feed.deliver(self._feed.repeats(held_versions(self._live), due))
        self._live.work.worklist.change(lambda held: held.unmark(LISTED_WHOLE))
        return len(self._feed.delivered) - before

    def kill_one(self) -> None:
        """Kill a part at a random moment, mostly while a run is at work."""
        names, weights = zip(*VICTIMS.items(), strict=True)
        part = self._rng.choices(names, weights)[0]
        if self._rng.random() < AT_WORK_SHARE or part == running.WORKERS:
            with suppress(TimeoutError):
                running.wait_until("a run is at work", lambda: bool(self._of(running.WORKERS)), 60, 0.1)
            time.sleep(self._rng.uniform(0, 5))
        else:
            time.sleep(self._rng.uniform(0, 15))
        found = self._of(part)
        if not found:
            return self.kill_one()
        self.at_work[part] += bool(self._of(running.WORKERS))
        # Of the processes of a run the one that did most, beside its helpers.
        running.kill(max(found, key=lambda process: process.own_cpu_s))
        self.struck[part] += 1
        return None

    def _of(self, part: str) -> list[running.Process]:
        return [process for process in self._live.processes() if process.part == part]

    def take_share_away(self) -> None:
        """The folder is gone for some seconds."""
        elsewhere = self._share.with_name("gone")
        self._share.rename(elsewhere)
        time.sleep(self._rng.uniform(6, 12))
        elsewhere.rename(self._share)
        self.struck[SHARE_GONE] += 1

    def fill_disk(self) -> None:
        """A file takes all the room of the lake's disk for some seconds."""
        ballast = Path(self._live.work.lake.root) / "ballast"
        try:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(2**20))
            time.sleep(self._rng.uniform(8, 15))
        finally:
            ballast.unlink()
        self.struck[DISK_FULL] += 1

    def settle(self) -> float:
        """Wait until everything that arrived is carried; seconds."""

        def done() -> bool:
            expected = {version_of(found) for found in self._feed.delivered if lands(found)}
            return running.is_quiet(self._live, self._instance) and expected <= held_versions(self._live)

        try:
            return running.wait_until("all is carried", done, SECONDS_TO_RECOVER, 1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self._unfinished()}") from None

    def _unfinished(self) -> str:
        """What is still under way or waits, in words."""
        runs = self._instance.get_run_records(dg.RunsFilter(statuses=running.UNDER_WAY))
        lacking = {version_of(found) for found in self._feed.delivered if lands(found)}
        lacking -= held_versions(self._live)
        under_way = [
            f"{run.job_name} {run.status.value} since {record.update_timestamp:%H:%M:%S}"
            for record in runs
            for run in [record.dagster_run]
        ]
        parts = sorted(process.part for process in self._live.processes())
        waiting = sorted(self._live.work.worklist.read().windows)
        return (
            f"runs {under_way}; {len(waiting)} windows wait {waiting[:5]}; "
            f"{len(lacking)} versions are not in bronze; processes {parts}"
        )

    def refresh(self) -> None:
        """The hourly refresh, now."""
        before = self._refreshes()
        self._live.work.worklist.change(lambda held: held.unmark(tags.REFRESH_JOB))
        running.wait_until("a refresh is done", lambda: self._refreshes() > before, SECONDS_TO_RECOVER, 1)
        self.settle()

    def _refreshes(self) -> int:
        done = dg.RunsFilter(job_name=tags.REFRESH_JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
        return self._instance.get_runs_count(done)

    def runs(self) -> Counter[str]:
        """All runs of the records by job and outcome."""
        return Counter(f"{run.job_name} {run.status.value}" for run in self._instance.get_runs())


def drill(times: int, seed: int) -> int:
    """Run it and print what was found; the exit code."""
    where, rng = running.machine(), Random(seed)
    with running.folder("kill") as place, _small_disk(place / "lake") as is_small:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        world = running.World(place, HOMES, now - HISTORY, DEFECTS, seed)
        feed = _prepare(world, place / "lake", now)
        strikes = ["kill"] * times
        for what in (SHARE_GONE, DISK_FULL) if is_small else (SHARE_GONE,):
            strikes += [what] * ceil(times / KILLS_PER_OUTAGE)
        rng.shuffle(strikes)
        batches = _batches(feed.take(lambda found: found.arrived_at < now and not found.again), strikes, rng)
        with (
            running.running(world.sites_file, place / "lake", simulate=False) as live,
            running.records(live) as instance,
        ):
            struggle = Drill(feed, live, world.folders.share, rng, instance)
            struck_s, recovered_s = struggle.go_through(strikes, batches)
            runs = struggle.runs()
        differences = _differences(live, _undisturbed(world, feed, place / "reference"))
    print(f"## Killed {times} times, seed {seed}\n\n{where}\n")
    if not is_small:
        print("This user may not mount a disk of its own for the lake: none was filled.\n")
    rows = [(what, f"{n}", f"{struggle.at_work.get(what, '–')}") for what, n in struggle.struck.items()]
    print(running.table(("what was struck", "times", "of these while a run was at work"), rows))
    print(
        f"\n- {len(feed.delivered):,} file versions arrived; {len(strikes)} strikes fell in {struck_s:.0f} s"
    )
    print(f"- all was carried {recovered_s:.0f} s after the last strike")
    print(f"- runs: {', '.join(f'{number} {what}' for what, number in sorted(runs.items()))}")
    for difference in differences:
        print(f"- {difference}")
    return running.verdict({"tables and published file equal the undisturbed ones": not differences})


def _prepare(world: running.World, lake: Path, now: datetime) -> Feed:
    """A lake of the first hours, with forecasts and register, and the feed that goes on from there."""
    feed = Feed(world, now + LONGEST)
    for forecast in feed.take(lambda found: found.folder == "weather"):
        # Later ones are looked for every ten minutes and are not what is drilled here.
        if forecast.arrived_at < now:
            publish(forecast, world.folders)
    built_until = now - HISTORY + BUILT_BEFORE
    feed.deliver(feed.take(lambda found: found.arrived_at < built_until and not found.again))
    world.write_register()
    running.build(world.sites_file, lake)
    return feed


def _batches(past: list[Delivery], strikes: list[str], rng: Random) -> list[list[Delivery]]:
    """What lies in the past, in as many stretches of time as there are strikes, in any order."""
    edges = [round(len(past) * number / len(strikes)) for number in range(len(strikes) + 1)]
    batches = [past[first:last] for first, last in pairwise(edges)]
    rng.shuffle(batches)
    return batches


def _undisturbed(world: running.World, feed: Feed, place: Path) -> Path:
    """A lake built from nothing of what arrived: first versions, then the later ones, a build each."""
    place.mkdir()
    shutil.copy(world.sites_file, place)
    assert world.folders.register is not None
    shutil.copy(world.folders.register, place)
    shutil.copytree(world.folders.weather, place / "weather")
    folders = Folders.below(place)
    folders.make()
    rounds: list[list[Delivery]] = []
    came: Counter[str] = Counter()
    for delivery in feed.delivered:
        number = came[delivery.name]
        came[delivery.name] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(delivery)
    for deliveries in rounds:
        for delivery in deliveries:
            publish(delivery, folders, in_place=True)
        running.build(place / "sites.yaml", place / "lake")
    return place


def _differences(live: Live, reference: Path) -> list[str]:
    """What differs from the undisturbed lake, and between Gold and the published file."""
    found = []
    expected = contents(open_lake(reference / "sites.yaml", reference / "lake"))
    for name, present in contents(live.work).items():
        lacking = expected[name].join(present, on=present.columns, how="anti", nulls_equal=True)
        more = present.join(expected[name], on=present.columns, how="anti", nulls_equal=True)
        if lacking.height or more.height or present.height != expected[name].height:
            found.append(
                f"{name}: {lacking.height:,} rows lacking, {more.height:,} not expected; first of each:"
            )
            found += [str(rows.row(0, named=True)) for rows in (lacking, more) if rows.height]
    with duckdb.connect(str(published_file(live.work.serve)), read_only=True) as connection:
        for table in gold.TABLES:
            numbers = [column.name for column in table.columns if column.dtype.is_numeric()]
            sums = ", ".join(f'sum("{name}"::DOUBLE)' for name in numbers)
            shown = connection.execute(f'SELECT count(*), {sums} FROM gold."{table.name}"').fetchone()  # noqa: S608
            rows = live.work.lake.read(table)
            wanted = (rows.height, *rows.select(pl.col(numbers).cast(pl.Float64).sum()).row(0))
            # The order of summing is not the same.
            if shown is None or any(
                not isclose(one or 0, other, rel_tol=1e-9) for one, other in zip(shown, wanted, strict=True)
            ):
                found.append(f"published {table.name}: {shown}, Gold {wanted}")
    return found


@contextmanager
def _small_disk(place: Path) -> Iterator[bool]:
    """A disk of its own at the place, so that it can be filled; False where this user may not mount one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(place)], check=True)


def main() -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(
        description="Kills, a lost share and a full disk: the rows stay the same"
    )
    parser.add_argument("--times", type=int, default=50, help="kills")
    parser.add_argument("--seed", type=int, default=1, help="of the feed, the moments and the victims")
    asked = parser.parse_args()
    sys.exit(drill(asked.times, asked.seed))


if __name__ == "__main__":
    main()
