"""Keeps what the alerts know between ticks, in a file beside Dagster's records. It holds nothing secret."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from domotic_assets.alerts.incidents import Known
from domotic_assets.alerts.problems import Problem
from domotic_assets.alerts.runs import FailedRun
from domotic_assets.files_on_disk import write_whole

FILE = "alerts.json"


@dataclass(frozen=True)
class Memory:
    """What channels were told, and which failed runs are not resolved yet.

    runs_until: up to when ended runs were read. runs_read: ids of the runs read last, which the next tick
    would read again.
    """

    known: Known = field(default_factory=Known)
    runs_until: datetime | None = None
    runs_read: tuple[str, ...] = ()
    failed: tuple[FailedRun, ...] = ()


_CODEC = TypeAdapter(Memory)


def recall(folder: Path) -> Memory:
    """Read the memory; it is empty if the file is missing or invalid, so at worst a message is sent again."""
    try:
        return _CODEC.validate_json((folder / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Memory()


def remember(folder: Path, memory: Memory) -> None:
    """Replace the file as a whole: a process that is killed leaves the old file or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, _CODEC.dump_json(memory))


def without(memory: Memory, spoken_of: Callable[[str], bool]) -> Memory:
    """Return the memory without the incidents, channels and failed runs that a text mentions.

    spoken_of: whether a text, such as a channel's name or all fields of a problem, is one to remove.
    """
    lasting = {id_: one for id_, one in memory.known.incidents.items() if not spoken_of(_texts(one.problem))}
    channels = {
        name: replace(told, incidents={id_: what for id_, what in told.incidents.items() if id_ in lasting})
        for name, told in memory.known.channels.items()
        if not spoken_of(name)
    }
    failed = tuple(run for run in memory.failed if not spoken_of(_texts(run.problem)))
    return replace(memory, known=Known(lasting, channels), failed=failed)


def _texts(problem: Problem) -> str:
    """Return the values of all fields of a problem as one text, one value a line."""
    return "\n".join(str(value) for value in asdict(problem).values())
