"""What a flow is: a step that makes tables from tables, by windows, by dates or as a whole.

Domains declare their flows; Dagster's assets, jobs and checks are made from what is said here. How a step
works belongs to its domain.

Why: docs/decisions/0030-the-house.md
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.table import Table

Partition = Literal["window", "issue", "local date"]
"""By what a run is cut: windows of the feed's time, dates of issue (UTC), or local dates of the calendar."""


@dataclass
class Outcome:
    """What a step did: counts by name, for metadata and people."""

    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Asked:
    """What a run asks of a flow: which of its tables, for which windows or dates.

    by_name: list only the names that senders give to the windows, else the whole source.
    """

    tables: Collection[Table]
    windows: Sequence[Window] = ()
    dates: Sequence[date] = ()
    by_name: bool = False


Made = Iterator[tuple[Table, Mapping[str, Any]]]
"""Each table that was brought up to date, with counts by name."""


@dataclass(frozen=True)
class Job:
    """A job that runs all flows that name it. about: what it does, in a sentence."""

    name: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A step from tables to tables.

    writes, reads: the tables it makes, and those it makes them from. made_from: by name, the tables that are
    made from others than `reads`. run: brings the tables that are asked for up to date; may be repeated.
    partition: by what it is cut; None where it writes its tables as a whole. job: what runs it.
    proved: tables whose rows are checked in the run that wrote them, which stops where they are wrong.
    apart: whether each table can be made without the others.
    fresh_within: how long nothing may come before it shows, and before it is an error.
    source: the name in sites.yaml of what it reads from.
    look: looks at the source without reading it; raises SourceError, ContractError or ConfigurationError.
    """

    name: str
    about: str
    writes: tuple[Table, ...]
    run: Callable[[Workspace, Asked], Made]
    job: Job
    reads: tuple[Table, ...] = ()
    made_from: Mapping[str, tuple[Table, ...]] = field(default_factory=dict)
    partition: Partition | None = None
    proved: tuple[Table, ...] = ()
    apart: bool = False
    fresh_within: tuple[timedelta, timedelta] | None = None
    source: str | None = None
    look: Callable[[Workspace], object] | None = None

    def inputs_of(self, table: Table) -> tuple[Table, ...]:
        """The tables that one of the flow's tables is made from."""
        return self.made_from.get(table.name, self.reads)


def look_at_folder(name: str) -> Callable[[Workspace], object]:
    """What looks at the folder of a source by listing next to nothing of it."""

    def look(work: Workspace) -> object:
        folder = work.folder(name)
        return None if folder is None else folder.entries(["?"])

    return look
