"""Which runs have failed and were not made good since: what a series of ended runs comes to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domotic_assets.alerts.problems import Problem

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class EndedRun:
    """A run that ended by itself. span: the time of the partitions that it carried; None for none."""

    job: str
    keys: str
    span: Span | None
    at: datetime
    succeeded: bool
    detail: str = ""
    link: str = ""


@dataclass(frozen=True)
class FailedRun:
    """A failed run that nothing has made good yet."""

    job: str
    span: Span | None
    problem: Problem


def still_failed(failed: Sequence[FailedRun], ended: Iterable[EndedRun]) -> tuple[FailedRun, ...]:
    """The failed runs after some more have ended, oldest first.

    A success makes good what it carried again. A further failure of the same keys is the same problem.
    """
    held = list(failed)
    for run in sorted(ended, key=lambda one: one.at):
        touched = [one for one in held if one.job == run.job and overlap(one.span, run.span)]
        if run.succeeded:
            held = [one for one in held if one not in touched]
        elif touched:
            for one in touched:
                news = replace(one.problem, detail=run.detail, link=run.link)
                held[held.index(one)] = replace(one, problem=news)
        else:
            problem = Problem("run", run.job, run.keys, run.at, detail=run.detail, link=run.link)
            held.append(FailedRun(run.job, run.span, problem))
    return tuple(held)


def without_carried(
    failed: Sequence[FailedRun], jobs: Iterable[str], waits: Callable[[Span], bool]
) -> tuple[FailedRun, ...]:
    """Without the failures of these jobs of whose span nothing waits any more: other runs carried it."""
    listed = set(jobs)
    return tuple(one for one in failed if one.job not in listed or one.span is None or waits(one.span))


def overlap(one: Span | None, other: Span | None) -> bool:
    """Whether two runs carried some of the same time; runs without partitions carry everything."""
    return one is None or other is None or (one[0] < other[1] and other[0] < one[1])
