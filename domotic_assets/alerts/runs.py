"""Finds the failed runs that no later run has made good."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domotic_assets.alerts.problems import Problem

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class EndedRun:
    """A run that ended by itself. span: the time of its partitions; None if it has none."""

    job: str
    keys: str
    span: Span | None
    at: datetime
    succeeded: bool
    detail: str = ""
    link: str = ""


@dataclass(frozen=True)
class FailedRun:
    """A failed run that no later run has made good."""

    job: str
    span: Span | None
    problem: Problem


def still_failed(failed: Sequence[FailedRun], ended: Iterable[EndedRun]) -> tuple[FailedRun, ...]:
    """Return the runs that are still failed after more runs have ended, oldest first.

    A success clears the failures of its job whose time overlaps its own. Another failure over such a time is
    the same problem, with a new detail and link.
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
    """Drop failures of these jobs whose time has no pending work any more: other runs have processed it.

    waits: whether work is pending in a span.
    """
    listed = set(jobs)
    return tuple(one for one in failed if one.job not in listed or one.span is None or waits(one.span))


def overlap(one: Span | None, other: Span | None) -> bool:
    """Return whether two runs share some of their time; a run without partitions (None) covers all time."""
    return one is None or other is None or (one[0] < other[1] and other[0] < one[1])
