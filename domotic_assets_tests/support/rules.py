"""The eleven rules of truth, and what a test run shows of each: the table at the end of the run.

A test shows a rule by `@pytest.mark.rule(n)`. The titles stand here and nowhere else in the tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RULES: dict[int, str] = {
    1: "energy is a difference of counters; restarts, glitches, gaps",
    2: "local time by the home's clock; the autumn hour keeps both passes",
    3: "two windows in a room are two devices",
    4: "an unreadable time is never now; all hints are weighed",
    5: "a bad value spoils itself only; an unreadable file is quarantined",
    6: "a changed resend wins by arrival; late files load",
    7: "outliers are flagged, kept, and left out of measures",
    8: "unknown rooms, fields and categories are kept and reported",
    9: "odd numbers, encodings, sizes and nesting stop no batch",
    10: "holidays of Valais; every variant, step and issue of the weather",
    11: "no token, user name or address right of bronze",
}


@dataclass
class Tally:
    """How the tests of one rule ended."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


def tally(outcomes: Iterable[tuple[str, Iterable[int]]]) -> dict[int, Tally]:
    """One tally per rule of the design, from each test's outcome and the rules it shows.

    An outcome is `passed`, `failed` or `skipped`.
    """
    tallies = {number: Tally() for number in RULES}
    for outcome, numbers in outcomes:
        for number in numbers:
            counted = tallies[number]
            setattr(counted, outcome, getattr(counted, outcome) + 1)
    return tallies


def unshown(tallies: Mapping[int, Tally]) -> list[int]:
    """The rules that no passing test shows."""
    return [number for number, counted in tallies.items() if counted.passed == 0]


def table_lines(tallies: Mapping[int, Tally]) -> list[str]:
    """The table as text: one line per rule."""
    width = max(len(title) for title in RULES.values())
    lines = [f"{'rule':>4}  {'title':<{width}}  passed  failed  skipped"]
    for number, counted in tallies.items():
        ended = f"{counted.passed:>6}  {counted.failed:>6}  {counted.skipped:>7}"
        lines.append(f"{number:>4}  {RULES[number]:<{width}}  {ended}")
    return lines
