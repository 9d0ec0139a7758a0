"""A live minute of two homes by the plain functions, step by step, and how it grows with the table's commits.

Each minute is committed as a run commits it, to every table and to the published file, with upkeep each hour;
what Dagster adds is measured by a few real runs beside it, and by `make drill-live` from landing to readable.
"""

import resource
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

from domotic_assets.domains.homes.flows import arrivals, facts, landing, reading
from domotic_assets.flow.windows import Window, read_key
from domotic_assets.flow.worklist import Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import publish
from domotic_assets.operate import upkeep as operate_upkeep
from domotic_assets.orchestration.build import build
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.quality import stored
from domotic_assets.schemas import gold
from domotic_assets.schemas.homes import silver
from domotic_assets.simulator.run import write_history
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.plots import growth
from domotic_assets_tests.drills.days import Clockwork

MINUTES = (1_000, 10_000)
HUNDRED = 100
GROWTH = 1.3
DAGSTER_RUNS = 5
CHECKED = (silver.SENSOR_EVENTS, silver.SENSOR_FILES, *gold.MINUTE_FACTS)
STEPS = ("look", "bronze", "silver", "gold", "checks", "publish", "finish")


class Minutes:
    """A lake that minutes are carried into, and what each step of each minute took."""

    def __init__(self, folder: Path, homes: int = 2, before: int = 60) -> None:
        self.clockwork = Clockwork(folder, homes)
        self.work = self.clockwork.work
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)
        # The first build makes the tables, the dimensions and the file that the minutes go into.
        write_history(self.clockwork.simulation, self.clockwork.folders, 0, goes_on=True)
        self.clockwork.pass_minutes(before)
        build(self.work)
        now = self.clockwork.simulation.now
        self.work.worklist.change(lambda held: setattr(held, "looked_until", now))
        self._registered: list[str] = []

    def carry(self) -> None:
        """Let a minute pass and carry what came of it."""
        now = self.clockwork.pass_minutes(1)
        spent = {"wall": 0.0, "cpu": 0.0}
        with self._step("look", spent):
            self._look(now)
        while True:
            choice = arrivals.choose(self.work.worklist.read(), self._registered, now)
            if choice is None:
                break
            self._registered += choice.register
            self._carry(choice, spent, now)
        self.wall["all"].append(spent["wall"])
        self.cpu["all"].append(spent["cpu"])

    def _look(self, now: datetime) -> None:
        """As a tick of the sensor does."""
        work = self.work
        arrivals.look(work, self._registered, now)
        if sealing := arrivals.days_to_seal(work, work.worklist.read(), self._registered, now):
            work.worklist.change(lambda held: held.add("windows", {sealing[0].isoformat(): Task()}))

    def _carry(self, choice: arrivals.RunChoice, spent: dict[str, float], now: datetime) -> None:
        windows = [read_key(key) for key in choice.keys]
        for name, step in steps_of(self.work, windows, by_name=not choice.whole_listing).items():
            with self._step(name, spent):
                step()
        with self._step("finish", spent):
            carried = operate_upkeep.finish_windows(self.work, windows, now)
            for key in carried.covered_keys(self._registered):
                self._registered.remove(key)

    @contextmanager
    def _step(self, name: str, spent: dict[str, float]) -> Iterator[None]:
        began, cpu = time.monotonic(), _cpu_seconds()
        yield
        took, used = time.monotonic() - began, _cpu_seconds() - cpu
        self.wall[name].append(took)
        self.cpu[name].append(used)
        spent["wall"] += took
        spent["cpu"] += used


def steps_of(work: Workspace, windows: Sequence[Window], *, by_name: bool) -> dict[str, Callable[[], object]]:
    """What a live run does with its windows, step by step, before it strikes them off the list."""

    def compute_facts() -> None:
        for step in (facts.energy_facts, facts.environment_facts, facts.presence_facts):
            step(work, windows)

    def checks() -> None:
        for table in CHECKED:
            assert stored.written_keys(work, table, windows).passed

    def publish_rows() -> None:
        assert publish.publish_present(work, "live", []) is not None

    return {
        "bronze": lambda: landing.land_sensor_files(work, windows, by_name=by_name),
        "silver": lambda: reading.flatten_sensor_files(work, windows),
        "gold": compute_facts,
        "checks": checks,
        "publish": publish_rows,
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(place: Path, most: int = MINUTES[-1]) -> list[Figure]:
    """The steps of a minute, and its median after 1,000 and 10,000 against the first hundred of a lake.

    That lake is begun anew beside each: over hours a machine that others share changes its speed.
    """
    minutes = _begun(place / "lake-of-minutes")
    figures: list[Figure] = []
    upkeep: list[float] = []
    for number in range(1, most + 1):
        minutes.carry()
        if number % 60 == 0:
            minutes.clockwork.age_logs()
            began = time.monotonic()
            operate_upkeep.keep_lake_up(minutes.work, minutes.clockwork.simulation.now)
            upkeep.append(time.monotonic() - began)
        if number % HUNDRED == 0:
            wall, cpu = _median_of_last(minutes)
            print(f"minute {number:,}: p50 {wall:.3f} s, {cpu:.3f} CPU s", file=sys.stderr, flush=True)
        if number == HUNDRED:
            figures += _steps(minutes)
        if number in MINUTES:
            figures += _growth(number, minutes, _first_hundred(place / "lake-beside"))
            figures.append(Figure("minute", f"upkeep of an hour, by {number:,} minutes", median(upkeep), "s"))
    figures += _dagster(minutes)
    (place / "benchmarks-growth.svg").write_text(_plot(minutes))
    shutil.rmtree(place / "lake-of-minutes")
    return figures


def _begun(folder: Path) -> Minutes:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return Minutes(folder)


def _first_hundred(folder: Path) -> Minutes:
    """The first minutes of a new lake."""
    minutes = _begun(folder)
    for _ in range(HUNDRED):
        minutes.carry()
    shutil.rmtree(folder)
    return minutes


def _growth(number: int, minutes: Minutes, beside: Minutes) -> list[Figure]:
    """The whole minute, and the CPU time of each step, against the new lake's."""
    against = f"the first {HUNDRED} of a lake begun beside"
    after = f"after {number:,} minutes"
    whole = zip(("wall", "CPU"), _median_of_last(minutes), _median_of_last(beside), strict=True)
    steps = ((step, _median_of(minutes.cpu[step]), _median_of(beside.cpu[step])) for step in STEPS)
    return [
        *(
            Figure(
                "minute", f"p50 {after}, {kind}", seconds, "s", against, baseline, seconds / baseline,
                GROWTH, True,
            )
            for kind, seconds, baseline in whole
        ),
        *(
            Figure("minute", f"{step} {after}, CPU", seconds, "s", against, baseline, seconds / baseline)
            for step, seconds, baseline in steps
        ),
    ]  # fmt: skip


def _median_of_last(minutes: Minutes) -> tuple[float, float]:
    return _median_of(minutes.wall["all"]), _median_of(minutes.cpu["all"])


def _median_of(seconds: list[float]) -> float:
    return median(seconds[-HUNDRED:])


def _steps(minutes: Minutes) -> list[Figure]:
    """Medians of each step over the minutes so far."""
    note = "p50 of the first hundred"
    return [
        figure
        for step in (*STEPS, "all")
        for figure in (
            Figure("minute", f"{step}, wall", median(minutes.wall[step]), "s", note=note),
            Figure("minute", f"{step}, CPU", median(minutes.cpu[step]), "s", note=note),
        )
    ]


def _plot(minutes: Minutes) -> str:
    """Medians of each hundred minutes."""
    kinds = {"wall, s": minutes.wall["all"], "CPU, s": minutes.cpu["all"]}
    return growth(
        "A live minute by the plain functions, medians of hundreds",
        "minutes committed",
        {
            name: [
                (first + HUNDRED, median(found[first : first + HUNDRED]))
                for first in range(0, len(found) - HUNDRED + 1, HUNDRED)
            ]
            for name, found in kinds.items()
        },
    )


def _dagster(minutes: Minutes) -> list[Figure]:
    """What a run through Dagster, in this process, takes beside the steps."""
    seconds: list[float] = []
    with open_instance(minutes.work) as instance:
        for _ in range(DAGSTER_RUNS):
            now = minutes.clockwork.pass_minutes(1)
            cpu = _cpu_seconds()
            minutes.clockwork.carry(instance, now)
            seconds.append(_cpu_seconds() - cpu)
    plain = median(minutes.cpu["all"][-HUNDRED:])
    found = median(seconds)
    return [
        Figure(
            "minute",
            "a minute through Dagster in process, CPU",
            found,
            "s",
            "the plain functions",
            plain,
            found / plain,
        )
    ]
