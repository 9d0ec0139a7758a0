"""What a check found: breaches with figures, and what that means for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Severity = Literal["WARN", "ERROR"]
"""ERROR alerts somebody, WARN shows."""

Figure = str | int | float | None
Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Breach:
    """One thing that is wrong: with what, why (a reason code), how badly, and the figures that show it.

    subject: the home, device, variable, table or column that is meant. home: its home, where it has one.
    since: when it began, where that is known.
    """

    subject: str
    reason: str
    severity: Severity
    figures: Figures = field(default_factory=dict)
    home: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check of one table found, of all homes. figures: what was looked at, passed or not."""

    breaches: Sequence[Breach] = ()
    figures: Figures = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaches

    @property
    def severity(self) -> Severity:
        """That of the worst breach; WARN where there is none."""
        return "ERROR" if any(breach.severity == "ERROR" for breach in self.breaches) else "WARN"


def error_if(grave: bool) -> Severity:
    """ERROR, or WARN where it is not that grave."""
    return "ERROR" if grave else "WARN"


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of several, of different homes: breaches joined, counts added."""
    breaches: list[Breach] = []
    figures: dict[str, Figure] = {}
    for verdict in verdicts:
        breaches += verdict.breaches
        for name, figure in verdict.figures.items():
            held = figures.get(name, 0)
            figures[name] = held + figure if isinstance(held, int) and isinstance(figure, int) else figure
    return Verdict(breaches, figures)
