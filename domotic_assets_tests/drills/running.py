"""What the drills share: a simulated world in a folder, `domotic live` over it, what that costs and shows.

`domotic live` runs as a person starts it, in processes of its own; whatever it started is ended on leaving.
"""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from domotic_assets.cli.sign_in import one_time_link
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.registry.loading import load_sites
from domotic_assets.serve.publish import published_file
from domotic_assets.settings import DAGSTER_VARIABLE
from domotic_assets.simulator.defects import Delivery
from domotic_assets.simulator.homes import with_homes, write_sites
from domotic_assets.simulator.run import Conditions, Folders, Simulation, publish, write_history
from domotic_assets_tests.services.servers import free_port, listens
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.pages import Pages

REPOSITORY = Path(__file__).resolve().parents[2]
DOMOTIC = str(Path(sys.executable).with_name("domotic"))
POLL_SECONDS = 0.25
_SAMPLE_SECONDS = 5.0
_SECONDS_TO_START = 120.0
_SECONDS_TO_END = 60.0
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

FEED_SERVER, MODELS_SERVER, DAEMON, PAGES = "code server feed", "code server models", "daemon", "web server"
WORKERS, FEED, SUPERVISOR = "run workers", "simulated feed", "domotic live"
_COMMANDS: Mapping[str, str] = {
    "api grpc -m domotic_assets.definitions": FEED_SERVER,
    "api grpc -m domotic_assets.model_definitions": MODELS_SERVER,
    "dagster-daemon run": DAEMON,
    "domotic_assets.cli.web_server": PAGES,
    "domotic simulate": FEED,
    "domotic live": SUPERVISOR,
}
"""The parts of `domotic live` by words of their command lines; what else it started carries runs."""

PRODUCT = (FEED_SERVER, MODELS_SERVER, WORKERS, DAEMON, PAGES)

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


class World:
    """A folder with share, forecasts, register and their sites.yaml, and the simulation that fills them."""

    def __init__(
        self, folder: Path, homes: int, start: datetime, defects: Mapping[str, float], seed: int = 1
    ) -> None:
        self.sites_file = folder / "sites.yaml"
        self.folders = Folders.below(folder)
        self.folders.make()
        registry = with_homes(load_sites(REPOSITORY / "sites.yaml").registry, homes)
        write_sites(self.sites_file, registry)
        Conditions(start, seed, defects=dict(defects)).write(self.folders)
        self.simulation = Simulation(registry, start, seed=seed, defects=defects)
        self._on_the_way: list[Delivery] = []

    def write_register(self) -> None:
        """The building register alone."""
        write_history(self.simulation, self.folders, 0, goes_on=True)

    def fill(self, until: datetime) -> int:
        """Write what arrives from where the simulation stands to a moment; number of files."""
        minutes = round((until - self.simulation.now).total_seconds() / 60)
        return write_history(self.simulation, self.folders, minutes, goes_on=True)

    def keep_up(self) -> None:
        """Let arrive what is due by now; called all the time, it is the live feed."""
        now = datetime.now(UTC)
        while self.simulation.now <= now:
            self._on_the_way += self.simulation.advance()
        for delivery in [found for found in self._on_the_way if found.arrived_at <= now]:
            publish(delivery, self.folders, in_place=True)
            self._on_the_way.remove(delivery)


class Process(NamedTuple):
    """A process of `domotic live`: its part, and CPU seconds of itself and of its ended children."""

    pid: int
    part: str
    own_cpu_s: float
    children_cpu_s: float


class Live:
    """`domotic live` over a world and a lake; may be started and stopped again and again.

    port: where its pages answer, of this start.
    """

    port: int

    def __init__(self, sites_file: Path, lake: Path, *, simulate: bool) -> None:
        self.work = open_lake(sites_file, lake)
        self.home = self.work.settings.dagster_home
        self.log = sites_file.with_name("live.out")
        self._simulate = ["--simulate"] if simulate else []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its pages answer."""
        self.port = port = free_port()
        place = ["--sites", str(self.work.settings.sites_file), "--lake", self.work.lake.root]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [DOMOTIC, "live", "--port", str(port), *place, *self._simulate],
                # By this variable all that it starts is found again.
                env=os.environ | {DAGSTER_VARIABLE: str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until("the pages answer", lambda: listens(port) or not self.runs(), _SECONDS_TO_START)
        if not self.runs():
            raise RuntimeError(f"`domotic live` ended:\n{self.log.read_text()[-2000:]}")

    def runs(self) -> bool:
        """Whether it is there and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it in good order, and whatever is left of it by force."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
        while left := self.processes():
            for found in left:
                kill(found)
            time.sleep(0.1)

    def pages(self) -> Pages:
        """Its pages, signed in to as its operator, by a link as `domotic link` makes one."""
        return Pages(one_time_link(self.work.settings, self.port))

    def processes(self) -> list[Process]:
        """Every process that it started over this lake, orphans and itself included."""
        marker = f"{DAGSTER_VARIABLE}={self.home}".encode()
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [found for pid in pids if (found := _process(pid, marker)) is not None]


@contextmanager
def running(sites_file: Path, lake: Path, *, simulate: bool) -> Iterator[Live]:
    """`domotic live`, started; ended on leaving, however that comes."""
    live = Live(sites_file, lake, simulate=simulate)
    try:
        live.start()
        yield live
    finally:
        live.stop()


def kill(process: Process) -> None:
    """Kill as the system would when memory is short; that it has ended already is fine."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def _process(pid: int, marker: bytes) -> Process | None:
    """The process if its environment holds the marker; None for others, and for one that has ended."""
    place = Path("/proc") / str(pid)
    try:
        if marker not in (place / "environ").read_bytes().split(b"\0"):
            return None
        command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        fields = (place / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    own, children = (sum(map(int, fields[first : first + 2])) / _TICKS_A_SECOND for first in (11, 13))
    part = next((name for words, name in _COMMANDS.items() if words in command), WORKERS)
    return Process(pid, part, own, children)


class Usage:
    """What each part uses from now on: CPU seconds, and the most memory seen at one moment."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._began = self._sampled = time.monotonic()
        self._before = _cpu_seconds(live.processes())
        self.memory_mb: Counter[str] = Counter()

    def sample(self) -> None:
        """Look at the memory, at most every few seconds. Shared pages are shared out (PSS)."""
        if time.monotonic() - self._sampled < _SAMPLE_SECONDS:
            return
        self._sampled = time.monotonic()
        present: Counter[str] = Counter()
        for process in self._live.processes():
            present[process.part] += _pss_mb(process.pid)
        self.memory_mb |= present

    def table(self) -> str:
        """CPU seconds a minute and peak memory of each part, in Markdown."""
        minutes = (time.monotonic() - self._began) / 60
        used = _cpu_seconds(self._live.processes())
        used.subtract(self._before)
        rows = [(part, used[part] / minutes, self.memory_mb[part]) for part in PRODUCT]
        total = ("together", sum(row[1] for row in rows), sum(row[2] for row in rows))
        return table(
            ("part", "CPU s a minute", "memory, MB (PSS, peak)"),
            [(part, f"{cpu:.1f}", f"{memory:,.0f}") for part, cpu, memory in (*rows, total)],
        )


def _cpu_seconds(processes: Sequence[Process]) -> Counter[str]:
    """CPU seconds of each part so far. What a code server's ended children used is the run workers'."""
    used: Counter[str] = Counter()
    for process in processes:
        used[process.part] += process.own_cpu_s  # type: ignore[assignment]
        if process.part != SUPERVISOR:
            carries_runs = process.part in (FEED_SERVER, MODELS_SERVER)
            used[WORKERS if carries_runs else process.part] += process.children_cpu_s  # type: ignore[assignment]
    return used


def _pss_mb(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 0 if found is None else int(found[1]) // 1024


class Minute(NamedTuple):
    """A minute of a home."""

    home: str
    start: datetime


class Readers:
    """People who open the published file anew whenever it was swapped: what they see, since when.

    seen: minutes from `first` on that have rows of energy and of environment. before: number of minutes
    and homes with such rows before that. opened_at: when there was a published file at first.
    """

    def __init__(self, serve: Path, first: datetime) -> None:
        self._file = published_file(serve)
        self._first = int(first.strftime("%Y%m%d%H%M"))
        self._inode = 0
        self.seen: dict[Minute, float] = {}
        self.before = 0
        self.opened_at: float | None = None

    def look(self) -> None:
        """Read the file if it is another one than before."""
        try:
            inode = self._file.stat().st_ino
        except FileNotFoundError:
            return
        if inode == self._inode:
            return
        with duckdb.connect(str(self._file), read_only=True) as connection:
            connection.execute("USE gold")
            rows = connection.execute(_READABLE.format(">="), [self._first, self._first]).fetchall()
            before = f"SELECT count(*) FROM ({_READABLE.format('<')})"  # noqa: S608
            counted = connection.execute(before, [self._first, self._first]).fetchone()
        now, self._inode = time.time(), inode
        self.opened_at = self.opened_at or now
        self.before = 0 if counted is None else counted[0]
        for home, key in rows:
            minute = datetime.strptime(str(key), "%Y%m%d%H%M").replace(tzinfo=UTC)
            self.seen.setdefault(Minute(home, minute), now)


_READABLE = """
    SELECT apartment_id, datetime_key FROM (
        SELECT apartment_key, datetime_key FROM fact_energy_minute WHERE datetime_key {0} ?
        INTERSECT SELECT apartment_key, datetime_key FROM fact_environment_minute WHERE datetime_key {0} ?
    ) JOIN dim_apartment USING (apartment_key)
"""
_NAME = re.compile(r"(\d\d\.\d\d\.\d{4} \d{4})_(.+)_received\.json")


def landed(work: Workspace, since: float) -> dict[Minute, float]:
    """The minutes of the files that landed since, and when: the system's own time of a file's last change."""
    homes = {home.feed_user: home for home in work.registry.homes}
    share = work.sites.path(work.registry.sources["sensor_files"].address)
    found = {}
    with os.scandir(share) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named is None or named[2] not in homes or (at := entry.stat().st_ctime) < since:
                continue
            home = homes[named[2]]
            local = datetime.strptime(named[1], "%d.%m.%Y %H%M").replace(tzinfo=ZoneInfo(home.clock_zone))
            found[Minute(home.id, local.astimezone(UTC))] = at
    return found


@contextmanager
def records(live: Live) -> Iterator[dg.DagsterInstance]:
    """Dagster's records of the lake, to be read."""
    with open_instance(live.work) as instance:
        yield instance


def is_quiet(live: Live, instance: dg.DagsterInstance) -> bool:
    """Whether the work list is empty and no run is queued or at work."""
    return not live.work.worklist.read().windows and not instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))


def build(sites_file: Path, lake: Path) -> None:
    """`domotic build`."""
    subprocess.run(
        [DOMOTIC, "build", "--sites", str(sites_file), "--lake", str(lake)], check=True, capture_output=True
    )


def wait_until(what: str, holds: Callable[[], bool], seconds: float, poll: float = POLL_SECONDS) -> float:
    """Wait until something holds; seconds that this took. Raises TimeoutError."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(poll)
    return time.monotonic() - began


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed."""
    return sorted(values)[ceil(share * len(values)) - 1]


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows))


def machine() -> str:
    """When and where a drill ran, in a line; taken before it starts."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {memory:.0f} GB, "
        f"{platform.machine()}, load before {os.getloadavg()[0]:.2f}"
    )


def verdict(goals: Mapping[str, bool]) -> int:
    """Print which goals were met; the exit code."""
    print()
    for goal, met in goals.items():
        print(f"- {'met' if met else '**MISSED**'}: {goal}")
    return 0 if all(goals.values()) else 1


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """An empty folder of the drill's own; removed on leaving, also when the drill is ended from outside."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    place = Path(tempfile.mkdtemp(prefix=f"domotic-{prefix}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)
