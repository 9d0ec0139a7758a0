"""How a thing is measured: CPU and wall time, repeated and interleaved, and memory of a process tree."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPEATS = 5
_PAGE_KB = resource.getpagesize() // 1024


@dataclass(frozen=True)
class Cost:
    """What a process tree cost: seconds on the wall and on the CPUs, and the most memory it held (PSS)."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def medians(works: Mapping[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """CPU seconds of each work in this process: medians, taking turns so that all meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            began = time.process_time()
            work()
            seconds[name].append(time.process_time() - began)
    return {name: median(found) for name, found in seconds.items()}


def wall_of(work: Callable[[], object]) -> float:
    """Seconds on the wall."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def cost_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end; raises CalledProcessError, with what it printed on the screen."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with subprocess.Popen(command, stdout=sys.stderr, env={**os.environ, **(environment or {})}) as process:
        peak = _Peak(process.pid)
        code = process.wait()
    wall = time.monotonic() - began
    if code:
        raise subprocess.CalledProcessError(code, list(command))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak.ended())


def ticks() -> tuple[int, int]:
    """Ticks of all processors since the machine's start: all, and those in which its host ran others."""
    first, *_ = Path("/proc/stat").read_text().splitlines()
    # user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user.
    counted = [int(word) for word in first.split()[1:9]]
    return sum(counted), counted[7]


def stolen_since(before: tuple[int, int]) -> float:
    """The share of the processors' time that the machine's host gave to others, since these ticks."""
    passed, stolen = (now - then for now, then in zip(ticks(), before, strict=True))
    return stolen / passed


class _Peak:
    """Watches the memory of a process and its descendants from a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most_kb = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def ended(self) -> float:
        """The most that was seen, in MB."""
        self._done.set()
        self._thread.join()
        return self._most_kb / 1024

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            tree = _tree(self._pid)
            # PSS is counted page by page, 15 ms a gigabyte, while a process that wants pages waits. It is
            # never more than RSS, which is there at once.
            if sum(map(_rss_kb, tree)) > self._most_kb:
                self._most_kb = max(self._most_kb, sum(map(_pss_kb, tree)))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _rss_kb(pid: int) -> int:
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB
    return 0


def _pss_kb(pid: int) -> int:
    with suppress(OSError, IndexError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
