"""What the alerts know between ticks, as a file beside Dagster's records. Nothing secret stands in it."""

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
    """What channels were told, and which failed runs were not made good.

    runs_until: up to when ended runs were read. runs_read: those just before, which a look back would repeat.
    """

    known: Known = field(default_factory=Known)
    runs_until: datetime | None = None
    runs_read: tuple[str, ...] = ()
    failed: tuple[FailedRun, ...] = ()


_CODEC = TypeAdapter(Memory)


def recall(folder: Path) -> Memory:
    """What was remembered. Of a file that cannot be read nothing is: at worst a message is sent again."""
    try:
        return _CODEC.validate_json((folder / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Memory()


def remember(folder: Path, memory: Memory) -> None:
    """Replace the file as a whole: whoever is killed leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, _CODEC.dump_json(memory))


def without(memory: Memory, spoken_of: Callable[[str], bool]) -> Memory:
    """What is remembered less every incident and failed run of which a text says so."""
    lasting = {id_: one for id_, one in memory.known.incidents.items() if not spoken_of(_texts(one.problem))}
    channels = {
        name: replace(told, incidents={id_: what for id_, what in told.incidents.items() if id_ in lasting})
        for name, told in memory.known.channels.items()
        if not spoken_of(name)
    }
    failed = tuple(run for run in memory.failed if not spoken_of(_texts(run.problem)))
    return replace(memory, known=Known(lasting, channels), failed=failed)


def _texts(problem: Problem) -> str:
    return "\n".join(str(value) for value in asdict(problem).values())
