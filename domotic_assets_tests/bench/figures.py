"""A measured figure, what it is held against, and how figures are shown to people and to machines."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One figure of one run: the median of its repetitions, and the baseline's in the same unit.

    ratio: how many times better than the baseline, or the share of the limit where the baseline is one.
    goal: the least ratio (or the most, `at_most`), of `value` itself where there is no baseline.
    """

    suite: str
    name: str
    value: float
    unit: str
    baseline: str | None = None
    baseline_value: float | None = None
    ratio: float | None = None
    goal: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged <= self.goal if self.at_most else judged >= self.goal


def as_json(figures: Iterable[Figure], about: dict[str, str]) -> str:
    """The figures for machines; `about`: machine, versions and date by suite."""
    rows = [asdict(figure) | {"met": figure.met} for figure in figures]
    return json.dumps({"about": about, "figures": rows}, indent=1, ensure_ascii=False) + "\n"


def read_json(file: Path) -> tuple[list[Figure], dict[str, str]]:
    """What an earlier run wrote; nothing where there is no file."""
    if not file.exists():
        return [], {}
    held = json.loads(file.read_text())
    figures = [
        Figure(**{name: value for name, value in row.items() if name != "met"}) for row in held["figures"]
    ]
    return figures, held["about"]


def as_table(figures: Sequence[Figure]) -> str:
    """The figures of a suite as a table in Markdown."""
    lines = ["| figure | value | against | ratio | goal | met |", "|---|---|---|---|---|---|"]
    for figure in figures:
        against = (
            "" if figure.baseline_value is None
            else f"{figure.baseline}: {number(figure.baseline_value)} {figure.unit}"
        )  # fmt: skip
        ratio = "" if figure.ratio is None else number(figure.ratio)
        goal = "" if figure.goal is None else f"{'≤' if figure.at_most else '≥'} {number(figure.goal)}"
        met = {True: "yes", False: "**no**", None: ""}[figure.met]
        note = f" ({figure.note})" if figure.note else ""
        value = f"{number(figure.value)} {figure.unit}"
        lines.append(f"| {figure.name}{note} | {value} | {against} | {ratio} | {goal} | {met} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Three figures that mean something: 0.0123, 4.56, 789, 12,345."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
