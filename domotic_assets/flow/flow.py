"""Defines what a flow is: a step that makes tables from tables, by windows, by dates or as a whole.

Domains declare their flows, and Dagster's assets, jobs and checks are made from these declarations. How a
step works belongs to its domain.

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
"""Partitions of runs: windows of the feed's time, dates of issue (UTC), or local dates of the calendar."""


@dataclass
class Outcome:
    """What a step did, as counts by name, for metadata and people."""

    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Asked:
    """What a run requests of a flow: which of its tables, for which windows or dates.

    by_name: list only the file names that senders give to the windows; if false, list the whole source.
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
    """A step that makes tables from tables.

    writes: the tables it makes. reads: the tables it makes them from. made_from: by table name, the inputs
    of a table that is made from others than `reads`.
    run: brings the requested tables up to date; safe to repeat. job: the job that runs it.
    partition: how its runs are partitioned; None if it writes its tables as a whole.
    proved: tables whose rows are checked in the run that wrote them; a failed check stops the run.
    apart: whether a run may make some of the tables without the others.
    fresh_within: how long its tables may go without an update before a warning, and before an error.
    source: the name in sites.yaml of the source that it reads.
    look: probes the source without reading it; raises SourceError, ContractError or ConfigurationError.
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
        """Return the tables that one of the flow's tables is made from."""
        return self.made_from.get(table.name, self.reads)


def look_at_folder(name: str) -> Callable[[Workspace], object]:
    """Make a probe of a source's folder: it lists names of one character only, which are next to none.

    The probe does nothing if sites.yaml has no source of this name.
    """

    def look(work: Workspace) -> object:
        folder = work.folder(name)
        return None if folder is None else folder.entries(["?"])

    return look
