"""A day of minutes and six days of hours, really run through Dagster: does everything stay small?

    python -m domotic_assets_tests.drills.days --minutes 1440 --days 6

Ticks, partition keys and runs are Dagster's own, executed in this process at a simulated clock; files are
written when the clock reaches them. At the end the asset page's partition query is asked over HTTP.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from domotic_assets.cli import live
from domotic_assets.cli.listener import listening
from domotic_assets.cli.sign_in import one_time_link
from domotic_assets.flow.workspace import Workspace
from domotic_assets.localtime import MINUTE
from domotic_assets.operate import upkeep
from domotic_assets.orchestration import retention, sensors, tags
from domotic_assets.orchestration.definitions import feed_definitions, workspace_resource
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.registry.loading import load_sites
from domotic_assets.schemas import ALL_TABLES
from domotic_assets.settings import Settings
from domotic_assets.simulator.homes import with_homes, write_sites
from domotic_assets.simulator.run import Folders, Simulation, publish
from domotic_assets.web.reached import Reached
from domotic_assets_tests.services.servers import free_port, listens
from domotic_assets_tests.support.pages import Pages

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_DAY = date(2023, 9, 4)
QUERY = """
query Page($path: [String!]!) { assetNodeOrError(assetKey: {path: $path}) { ... on AssetNode {
  partitionStats { numMaterialized numPartitions numFailed }
  partitionKeysByDimension { partitionKeys }
  assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }
"""
KNOWN = """
query Known($path: [String!]!) { assetNodeOrError(assetKey: {path: $path}) { ... on AssetNode { id } } }
"""
GOAL_KEYS, GOAL_LOG_FILES, GOAL_QUERY_SECONDS = 3_000, 1_000, 2.0
AFTER_A_MINUTE = timedelta(seconds=5)
"""The files of a minute are stable so long after it."""


class Clockwork:
    """The feed over a simulated share, at a clock that the drill sets."""

    def __init__(self, folder: Path, homes: int = 2) -> None:
        registry = with_homes(load_sites(REPOSITORY / "sites.yaml").registry, homes)
        self.folders = Folders.below(folder)
        self.folders.make()
        write_sites(folder / "sites.yaml", registry)
        start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
        self.simulation = Simulation(registry, start, seed=1, weather_sites=1)
        opened = Workspace.open(Settings.of(folder / "sites.yaml", str(folder / "lake"), {}))
        # Steps and ticks go by one clock: a mark ahead of a tick's would count as none.
        self._now = start
        self.work = replace(opened, clock=lambda: max(self._now, self.simulation.now + AFTER_A_MINUTE))
        self.runs = 0
        self._logged: dict[Path, datetime] = {}
        self._jobs = feed_definitions(self.work, workspace_resource(self.work))

    def pass_minutes(self, number: int) -> datetime:
        """Let minutes pass on the share; the moment after them, when their files are stable."""
        for _ in range(number):
            for delivery in self.simulation.advance():
                publish(delivery, self.folders, in_place=True)
        return self.simulation.now + AFTER_A_MINUTE

    def age_logs(self) -> None:
        """Make log files as old as their commits are here: logs keep six hours, which pass in minutes."""
        moment = self.simulation.now
        for table in ALL_TABLES.values():
            for file in Path(self.work.lake.uri(table)).glob("_delta_log/*"):
                age = (moment - self._logged.setdefault(file, moment)).total_seconds()
                os.utime(file, (time.time() - age,) * 2)

    def keep_up(self) -> None:
        """The hour's upkeep, as of the clock of the simulation."""
        self.age_logs()
        upkeep.keep_lake_up(self.work, self.simulation.now)

    def carry(self, instance: dg.DagsterInstance, now: datetime) -> None:
        """Tick as the daemon would, until a tick asks for nothing."""
        self._now = now
        while True:
            found = sensors.arrivals_tick(self.work, instance, now)
            for request in found.dynamic_partitions_requests or ():
                instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            for request in found.run_requests or ():
                assert request.job_name is not None
                job = self._jobs.resolve_job_def(request.job_name)
                job.execute_in_process(instance=instance, tags=request.tags, run_config=request.run_config)
                self.runs += 1
            if not found.run_requests:
                return


def measure(clockwork: Clockwork, instance: dg.DagsterInstance, when: str) -> dict[str, object]:
    """Sizes that must stay bounded, largest table first."""
    lake, home = clockwork.work.lake, clockwork.work.settings.dagster_home
    logs = {
        t.id: sum(1 for _ in Path(lake.uri(t), "_delta_log").iterdir())
        for t in ALL_TABLES.values()
        if lake.files(t)
    }
    data = {t.id: len(lake.files(t)) for t in ALL_TABLES.values()}
    bytes_of_runs = sum(file.stat().st_size for file in home.rglob("*.db"))
    most_logged, most_filed = max(logs, key=logs.__getitem__), max(data, key=data.__getitem__)
    return {
        "when": when,
        "runs so far": clockwork.runs,
        "partition keys": len(instance.get_dynamic_partitions(tags.WINDOW)),
        "log files of a table, most": f"{logs[most_logged]} ({most_logged})",
        "data files of a table, most": f"{data[most_filed]} ({most_filed})",
        "records of Dagster, MB": round(bytes_of_runs / 1e6, 1),
        "run records": instance.get_runs_count(),
        "_logs": logs[most_logged],
    }


@contextmanager
def web_pages(work: Workspace) -> Iterator[Pages]:
    """Dagster's pages and the feed's code server, without the daemon."""
    port = free_port()
    settings = work.settings
    with live.private_folder() as sockets, listening(Reached(port, None)) as listener:
        parts = live._parts(settings, port, sockets, listener)
        parts = [part for part in parts if part.name in ("code server feed", "web server")]
        try:
            for part in parts:
                live._start(part, settings)
            deadline = time.monotonic() + 120
            while not listens(port):
                assert time.monotonic() < deadline, "the pages did not come up"
                time.sleep(0.3)
            yield Pages(one_time_link(settings, port))
        finally:
            for part in parts:
                live._end(part.process)


def page_seconds(pages: Pages) -> tuple[float, float, int]:
    """Seconds of the partition query, first and then again, and the keys that it named."""
    deadline = time.monotonic() + 120
    # The pages answer before they have asked the code server what there is.
    while not _ask(pages, KNOWN):
        assert time.monotonic() < deadline, "the pages do not know the asset"
        time.sleep(0.5)
    seconds: list[float] = []
    keys = 0
    for _ in range(2):
        began = time.monotonic()
        found = _ask(pages, QUERY)
        seconds.append(time.monotonic() - began)
        keys = len(found["partitionKeysByDimension"][0]["partitionKeys"])
    return seconds[0], seconds[1], keys


def _ask(pages: Pages, query: str) -> dict[str, Any]:
    """What the pages say of the asset; nothing while they do not know it."""
    found = pages.ask(query, {"path": ["gold", "fact_energy_minute"]})
    node: dict[str, Any] = found["assetNodeOrError"]
    return node


def run(minutes: int, days: int) -> int:
    """The drill; 0 when every goal is met."""
    rows: list[dict[str, object]] = []
    queries: list[tuple[str, float, float, int]] = []
    with tempfile.TemporaryDirectory() as place:
        clockwork = Clockwork(Path(place))
        with open_instance(clockwork.work) as instance:
            _days(clockwork, instance, minutes, days, rows, queries)
    _print(rows, queries)
    good = (
        all(int(str(row["partition keys"])) <= GOAL_KEYS and row["_logs"] <= GOAL_LOG_FILES for row in rows)  # type: ignore[operator]
        and all(max(first, again) <= GOAL_QUERY_SECONDS for _, first, again, _ in queries)
        and int(str(rows[-1]["partition keys"])) == 1 + days
    )
    return 0 if good else 1


def _days(
    clockwork: Clockwork,
    instance: dg.DagsterInstance,
    minutes: int,
    days: int,
    rows: list[dict[str, object]],
    queries: list[tuple[str, float, float, int]],
) -> None:
    began = time.monotonic()
    clockwork.carry(instance, clockwork.pass_minutes(1))
    for number in range(1, minutes):
        clockwork.carry(instance, clockwork.pass_minutes(1))
        if number % 60 == 0:
            clockwork.keep_up()
            took = time.monotonic() - began
            print(f"{number} minutes carried, {took / number:.2f} s each", file=sys.stderr, flush=True)
    rows.append(measure(clockwork, instance, f"{minutes} live minutes"))
    # At once, and not at the end alone: what comes after may break.
    print(rows[-1], file=sys.stderr, flush=True)
    with web_pages(clockwork.work) as pages:
        queries.append((str(rows[-1]["when"]), *page_seconds(pages)))
    print(queries[-1], file=sys.stderr, flush=True)
    # The short form seals the day as it is.
    rest_of_day = 1440 - minutes if days else 0
    # A day of which little came live ends in hours, as after an outage.
    for hours in [60] * (rest_of_day // 60):
        clockwork.carry(instance, clockwork.pass_minutes(hours))
    clockwork.pass_minutes(rest_of_day % 60)
    for day in range(1, days + 1):
        for _ in range(24):
            clockwork.carry(instance, clockwork.pass_minutes(60))
        clockwork.keep_up()
        if day == 1:
            rows.append(measure(clockwork, instance, "the day sealed, another in hours"))
    last = clockwork.simulation.now + timedelta(hours=7 if days else 31)
    clockwork.carry(instance, last)
    rows.append(measure(clockwork, instance, f"{days} days more, all sealed"))
    retention.prune_runs(instance, clockwork.work.settings.dagster_home, datetime.now(UTC) + MINUTE, keep="")
    rows.append(measure(clockwork, instance, "and records pruned"))
    with web_pages(clockwork.work) as pages:
        queries.append((str(rows[-1]["when"]), *page_seconds(pages)))


def _print(rows: list[dict[str, object]], queries: list[tuple[str, float, float, int]]) -> None:
    names = [name for name in rows[0] if not name.startswith("_")]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(str(row[name]) for name in names)} |")
    print("\n| partition query of gold/fact_energy_minute | keys | first s | again s |\n|---|---|---|---|")
    for when, first, again, keys in queries:
        print(f"| {when} | {keys} | {first:.2f} | {again:.2f} |")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=1440)
    parser.add_argument("--days", type=int, default=6)
    options = parser.parse_args()
    sys.exit(run(options.minutes, options.days))


if __name__ == "__main__":
    main()
