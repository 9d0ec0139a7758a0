"""Defines the result of a check: a verdict with breaches, their severities and figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Severity = Literal["WARN", "ERROR"]
"""ERROR alerts people, WARN is only shown."""

Figure = str | int | float | None
Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Breach:
    """One problem: its subject, a reason code, its severity, and the figures that show it.

    subject: the home, device, variable, table or column that is wrong. home: the home that it belongs to, if
    any. since: when it began, if known.
    """

    subject: str
    reason: str
    severity: Severity
    figures: Figures = field(default_factory=dict)
    home: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check of one table found in all homes. figures: counts of what was examined, passed or not."""

    breaches: Sequence[Breach] = ()
    figures: Figures = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True if there is no breach."""
        return not self.breaches

    @property
    def severity(self) -> Severity:
        """Severity of the worst breach; WARN if there is none."""
        return "ERROR" if any(breach.severity == "ERROR" for breach in self.breaches) else "WARN"


def error_if(grave: bool) -> Severity:
    """Return ERROR for a grave breach, else WARN."""
    return "ERROR" if grave else "WARN"


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Join verdicts of different homes: breaches are concatenated, counts added."""
    breaches: list[Breach] = []
    figures: dict[str, Figure] = {}
    for verdict in verdicts:
        breaches += verdict.breaches
        for name, figure in verdict.figures.items():
            held = figures.get(name, 0)
            figures[name] = held + figure if isinstance(held, int) and isinstance(figure, int) else figure
    return Verdict(breaches, figures)
