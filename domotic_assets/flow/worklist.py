"""Keeps pending work, the windows and dates that are not in Gold yet, by job, until they are done.

The list makes a killed process harmless: work is written down before it is requested, and only the run that
did it removes it. Whatever was killed in between is requested again. The list does not say which files were
read: bronze does. Sensors, runs and the command share the file.

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
"""Back-off after a request of a key before it is requested again, by number of earlier requests."""

AHEAD = timedelta(minutes=5)
"""Most that a moment on the list may lie ahead of now: another process may have set it in the meantime. One
further ahead was set while this machine's clock was wrong, and counts as none."""

LISTED_WHOLE = "listed whole"
"""Mark: when bronze was last compared with all names of the share."""

DAY_CLOSED, PUBLISHED_WHOLE = "day closed", "publish"
"""Marks: when a day was last sealed, and when a whole publication, tested by dbt, was last requested."""

WINDOWS = "windows"
"""The job whose keys are windows of the feed's time."""

_LENGTH_OF_DATE = len("2026-11-21")
"""Each key begins with its date, and so in the order of time."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Task:
    """What is known of a pending key.

    files: number of new files. whole_listing: whether only a listing of the whole share shows them all.
    attempts: how often the key was requested. not_before: earliest time of the next request, UTC.
    """

    files: int = 0
    whole_listing: bool = False
    attempts: int = 0
    not_before: datetime = _ALWAYS

    def is_ready(self, now: datetime) -> bool:
        """Return whether the key may be requested: its back-off is over, or longer than any can be."""
        return self.not_before <= now or self.not_before > now + BACK_OFF[-1] + AHEAD


@dataclass
class PendingWork:
    """Content of the work list.

    keys: pending partition keys, by job. looked_until: up to when due file names were looked for; None
    before the first look. marks: when something last happened, by its name.
    """

    keys: dict[str, dict[str, Task]] = field(default_factory=dict)
    looked_until: datetime | None = None
    marks: dict[str, datetime] = field(default_factory=dict)

    def of(self, job: str) -> dict[str, Task]:
        """Return the pending keys of a job, and what is known of each."""
        return self.keys.get(job, {})

    def dates(self, job: str) -> list[date]:
        """Return the pending dates of a job whose keys are dates, oldest first."""
        return sorted(map(date.fromisoformat, self.of(job)))

    @property
    def windows(self) -> dict[str, Task]:
        """The pending windows by key: those that are not in Gold yet."""
        return self.of(WINDOWS)

    def add(self, job: str, tasks: Mapping[str, Task]) -> None:
        """Add keys that have something new.

        A new key may be requested immediately. A pending one keeps its attempts and back-off.
        """
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
        """Add dates that have something new."""
        self.add(job, {day.isoformat(): Task() for day in days})

    def begin(self, job: str, keys: Iterable[str], now: datetime) -> None:
        """Add keys that the caller starts to work on; their attempts and back-off start anew.

        If the caller is killed, the next build or the live feed takes the keys up.
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
        """Remove keys that are done."""
        held = self.keys.get(job, {})
        for key in keys:
            held.pop(key, None)

    def done_dates(self, job: str, days: Iterable[date]) -> None:
        """Remove dates that are done."""
        self.done(job, (day.isoformat() for day in days))

    def outside(self, first: date, last: date) -> dict[str, list[str]]:
        """List the pending keys, by job, that begin before a date or after another."""
        found = {
            job: [key for key in held if not first.isoformat() <= key[:_LENGTH_OF_DATE] <= last.isoformat()]
            for job, held in self.keys.items()
        }
        return {job: keys for job, keys in found.items() if keys}

    def mark(self, name: str, now: datetime) -> datetime | None:
        """Return when something last happened; None if it never did, or in the future: by a clock ahead."""
        return _past(self.marks.get(name), now)

    def looked(self, now: datetime) -> datetime | None:
        """Return up to when due file names were looked for; None before the first look, or in the future."""
        return _past(self.looked_until, now)

    def unmark(self, name: str) -> None:
        """Remove a mark, if it is set."""
        self.marks.pop(name, None)


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    """Return a moment that was set; None if it lies further ahead than AHEAD."""
    return None if moment is None or moment > now + AHEAD else moment


class WorkList:
    """The work list as a file beside Dagster's records. It holds nothing personal."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "work.json"
        self._lock = folder / "work.lock"

    def read(self) -> PendingWork:
        """Read the list as it is now; empty if there is no file yet."""
        try:
            return _decode(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return PendingWork()

    def change(self, how: Callable[[PendingWork], None]) -> PendingWork:
        """Change the list under a lock and return it; the file is written only if something changed."""
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
    """Convert pending work to the JSON content of its file."""
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
    """Convert the JSON content of the file, also one of version 0.1, to pending work."""
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
    """Convert the keys of a file of version 0.1, which has three lists of fixed names."""
    of_dates = {"forecasts": "issues", "device_health": "health_days"}
    new = {"not_before": _ALWAYS.isoformat()}
    return {
        WINDOWS: kept["windows"],
        **{job: dict.fromkeys(kept[name], new) for job, name in of_dates.items()},
    }
