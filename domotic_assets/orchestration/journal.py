"""What a build set out to do, kept until it is done: a killed build is taken up by the next one."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from domotic_assets.errors import LakeError


@dataclass(frozen=True)
class Plan:
    """Windows and dates of issue that a build works on."""

    windows: tuple[str, ...] = ()
    issues: tuple[date, ...] = ()


class Journal:
    """A file beside Dagster's records; the plan in it is unfinished."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "unfinished.json"
        self._lock = folder / "build.lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lake against a second build; raises LakeError when one is at work."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LakeError(
                    "another build is at work on this lake",
                    where=str(self._lock.parent),
                    expected="one build at a time",
                    remedy="wait until it is done",
                ) from None
            yield

    def unfinished(self) -> Plan:
        """The plan of a build that did not end; empty after one that did."""
        try:
            kept = json.loads(self._file.read_text())
        except FileNotFoundError:
            return Plan()
        return Plan(tuple(kept["windows"]), tuple(date.fromisoformat(day) for day in kept["issues"]))

    def begin(self, plan: Plan) -> None:
        """Keep a plan until `finish`."""
        kept = {"windows": plan.windows, "issues": [day.isoformat() for day in plan.issues]}
        aside = self._file.with_suffix(".tmp")
        aside.write_text(json.dumps(kept))
        aside.replace(self._file)

    def finish(self) -> None:
        """The plan is carried out."""
        self._file.unlink(missing_ok=True)
