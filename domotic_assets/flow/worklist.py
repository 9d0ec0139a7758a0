"""What is still to be carried to Gold: windows, dates of issue, days of device health. Kept until done.

The list is what makes a lost process harmless: who finds work writes it down before anybody is asked
to do it, and only the run that did it strikes it out. Whatever was killed in between is asked for
again. It is no position: bronze tells what was read. Sensors, runs and the command share the file.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300, 600))
"""How long a window that was asked for is left alone before it is asked for again, by attempts."""

LISTED_WHOLE = "listed whole"
"""Mark of the latest comparison with all names of the share."""

DAY_CLOSED, PUBLISHED_WHOLE = "day closed", "publish"
"""Marks of the latest sealing of a day, and of the latest publication that dbt tested whole."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Task:
    """A window to carry: files that are new in it, and whether only a whole listing shows them all.

    attempts, not_before: how often it was asked for, and when it may be again.
    """

    files: int = 0
    whole_listing: bool = False
    attempts: int = 0
    not_before: datetime = _ALWAYS


@dataclass
class PendingWork:
    """The list's content.

    looked_until: up to when due names were looked for. marks: when something happened last, by its name.
    """

    windows: dict[str, Task] = field(default_factory=dict)
    issues: set[date] = field(default_factory=set)
    health_days: set[date] = field(default_factory=set)
    looked_until: datetime | None = None
    marks: dict[str, datetime] = field(default_factory=dict)

    def add(self, windows: Mapping[str, Task]) -> None:
        """Windows with something new: each may be asked for at once."""
        for key, task in windows.items():
            held = self.windows.get(key, Task())
            self.windows[key] = Task(
                max(held.files, task.files),
                held.whole_listing or task.whole_listing,
                held.attempts,
                held.not_before,
            )

    def begin(self, windows: Iterable[str], issues: Iterable[date], now: datetime) -> None:
        """What a build that listed the whole share sets out to do.

        Should it be killed, the next one or the live feed takes it up.
        """
        for key in windows:
            self.windows[key] = Task(not_before=now)
        self.issues.update(issues)
        self.looked_until = self.marks[LISTED_WHOLE] = now

    def asked(self, keys: Iterable[str], now: datetime) -> None:
        """These windows were asked for: they are left alone for a while."""
        for key in keys:
            task = self.windows[key]
            pause = BACK_OFF[min(task.attempts, len(BACK_OFF) - 1)]
            self.windows[key] = replace(task, attempts=task.attempts + 1, not_before=now + pause)

    def unmark(self, name: str) -> None:
        """Forget a mark."""
        self.marks.pop(name, None)

    def finished(self, keys: Iterable[str], health_days: Iterable[date] = ()) -> None:
        """These windows are in Gold; device health of these local dates is to be refreshed."""
        for key in keys:
            self.windows.pop(key, None)
        self.health_days.update(health_days)


class WorkList:
    """The list as a file beside Dagster's records. Nothing personal stands in it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "work.json"
        self._lock = folder / "work.lock"

    def read(self) -> PendingWork:
        """The list as it is now."""
        try:
            return _decode(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return PendingWork()

    def change(self, how: Callable[[PendingWork], None]) -> PendingWork:
        """Change the list; nobody else changes it meanwhile. Nothing is written for no change."""
        with self._alone():
            work = self.read()
            before = _encode(work)
            how(work)
            after = _encode(work)
            if after != before:
                self._write(json.dumps(after))
        return work

    def _write(self, text: str) -> None:
        aside = self._file.with_suffix(".tmp")
        with aside.open("w") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        aside.replace(self._file)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _encode(work: PendingWork) -> dict[str, Any]:
    return {
        "windows": {
            key: {**asdict(task), "not_before": task.not_before.isoformat()}
            for key, task in work.windows.items()
        },
        "issues": sorted(day.isoformat() for day in work.issues),
        "health_days": sorted(day.isoformat() for day in work.health_days),
        "looked_until": work.looked_until and work.looked_until.isoformat(),
        "marks": {name: moment.isoformat() for name, moment in work.marks.items()},
    }


def _decode(kept: Mapping[str, Any]) -> PendingWork:
    return PendingWork(
        {
            key: Task(**{**task, "not_before": datetime.fromisoformat(task["not_before"])})
            for key, task in kept["windows"].items()
        },
        {date.fromisoformat(day) for day in kept["issues"]},
        {date.fromisoformat(day) for day in kept["health_days"]},
        datetime.fromisoformat(kept["looked_until"]) if kept["looked_until"] else None,
        {name: datetime.fromisoformat(moment) for name, moment in kept["marks"].items()},
    )
