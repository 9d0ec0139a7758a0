"""Pending work: the windows and dates that are not in Gold yet, by job, kept until they are done.

The list is what makes a lost process harmless: who finds work writes it down before anybody is asked
to do it, and only the run that did it strikes it out. Whatever was killed in between is requested
again. It is no position: bronze tells what was read. Sensors, runs and the command share the file.

Why: docs/decisions/0012-work-list.md
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from domotic_assets.files_on_disk import locked, write_whole

BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300, 600))
"""How long a window that was asked for is left alone before it is asked for again, by attempts."""

LISTED_WHOLE = "listed whole"
"""Mark of the latest comparison with all names of the share."""

DAY_CLOSED, PUBLISHED_WHOLE = "day closed", "publish"
"""Marks of the latest sealing of a day, and of the latest publication that dbt tested whole."""

WINDOWS = "windows"
"""The job whose keys are windows of the feed's time."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Task:
    """A key to work on: files that are new in it, and whether only a whole listing shows them all.

    attempts, not_before: how often it was requested, and when it may be again.
    """

    files: int = 0
    whole_listing: bool = False
    attempts: int = 0
    not_before: datetime = _ALWAYS


@dataclass
class PendingWork:
    """The list's content.

    keys: partition keys that are not done, by job. looked_until: up to when due names were looked for.
    marks: when something happened last, by its name.
    """

    keys: dict[str, dict[str, Task]] = field(default_factory=dict)
    looked_until: datetime | None = None
    marks: dict[str, datetime] = field(default_factory=dict)

    def of(self, job: str) -> dict[str, Task]:
        """The keys of a job, and what is known of each."""
        return self.keys.get(job, {})

    def dates(self, job: str) -> list[date]:
        """The keys of a job whose keys are dates, oldest first."""
        return sorted(map(date.fromisoformat, self.of(job)))

    @property
    def windows(self) -> dict[str, Task]:
        """The windows that are not in Gold yet."""
        return self.of(WINDOWS)

    def add(self, job: str, tasks: Mapping[str, Task]) -> None:
        """Add keys with something new; each may be requested at once, unless it was lately."""
        held = self.keys.setdefault(job, {})
        for key, task in tasks.items():
            before = held.get(key, Task())
            held[key] = Task(
                max(before.files, task.files),
                before.whole_listing or task.whole_listing,
                before.attempts,
                before.not_before,
            )

    def add_dates(self, job: str, days: Iterable[date]) -> None:
        """Add dates with something new."""
        self.add(job, {day.isoformat(): Task() for day in days})

    def begin(self, job: str, keys: Iterable[str], now: datetime) -> None:
        """Note keys that somebody sets out to work on, from the beginning.

        Should they be killed, the next build or the live feed takes the keys up.
        """
        self.keys.setdefault(job, {}).update(dict.fromkeys(keys, Task(not_before=now)))

    def requested(self, job: str, keys: Iterable[str], now: datetime) -> None:
        """Mark keys as requested, and back off before they are requested again."""
        held = self.keys[job]
        for key in keys:
            task = held[key]
            pause = BACK_OFF[min(task.attempts, len(BACK_OFF) - 1)]
            held[key] = replace(task, attempts=task.attempts + 1, not_before=now + pause)

    def done(self, job: str, keys: Iterable[str]) -> None:
        """Strike out keys that are done."""
        held = self.keys.get(job, {})
        for key in keys:
            held.pop(key, None)

    def done_dates(self, job: str, days: Iterable[date]) -> None:
        """Strike out dates that are done."""
        self.done(job, (day.isoformat() for day in days))

    def unmark(self, name: str) -> None:
        """Forget a mark."""
        self.marks.pop(name, None)


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
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._lock):
            work = self.read()
            before = _encode(work)
            how(work)
            after = _encode(work)
            if after != before:
                write_whole(self._file, json.dumps(after).encode())
        return work


def _encode(work: PendingWork) -> dict[str, Any]:
    return {
        "keys": {
            job: {
                key: {**asdict(task), "not_before": task.not_before.isoformat()} for key, task in held.items()
            }
            for job, held in work.keys.items()
            if held
        },
        "looked_until": work.looked_until and work.looked_until.isoformat(),
        "marks": {name: moment.isoformat() for name, moment in work.marks.items()},
    }


def _decode(kept: Mapping[str, Any]) -> PendingWork:
    return PendingWork(
        {
            job: {
                key: Task(**{**task, "not_before": datetime.fromisoformat(task["not_before"])})
                for key, task in held.items()
            }
            for job, held in (kept["keys"] if "keys" in kept else _keys_until_0_1(kept)).items()
        },
        datetime.fromisoformat(kept["looked_until"]) if kept["looked_until"] else None,
        {name: datetime.fromisoformat(moment) for name, moment in kept["marks"].items()},
    )


def _keys_until_0_1(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The keys as a file of version 0.1 has them: three lists of a fixed name."""
    of_dates = {"forecasts": "issues", "device_health": "health_days"}
    new = {"not_before": _ALWAYS.isoformat()}
    return {
        WINDOWS: kept["windows"],
        **{job: dict.fromkeys(kept[name], new) for job, name in of_dates.items()},
    }
