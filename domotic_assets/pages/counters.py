"""Draws what counters do, a picture for each kind, judged as the product judges it.

`python -m domotic_assets.pages.counters` writes `docs/images/counter-*.svg`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from domotic_assets.domains.homes.gold.counters import Series, Step
from domotic_assets.escaping import html_text

IMAGES = Path(__file__).parents[2] / "docs" / "images"

BOUND_W, SETTLES = 10_000.0, 24 * 60
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 560, 190, 72, 34, 30

Reading = tuple[int, float, float | None]
"""Minute, Wh and W; None where the plug states no power."""


class Example(NamedTuple):
    """A few readings of a plug, and a title that says what happens."""

    title: str
    readings: Sequence[Reading]


def _counting(
    minutes: Sequence[int], start: float, power: float, shown: Mapping[int, float] | None = None
) -> list[Reading]:
    """Make readings of a counter that counts from `start`; shown: what it shows instead at some minutes."""
    return [(at, (shown or {}).get(at, round(start + power * at / 60, 2)), power) for at in minutes]


_HOUR = range(0, 60, 3)

EXAMPLES: Mapping[str, Example] = {
    "difference": Example("Each reading adds its difference to the one before", _counting(_HOUR, 500, 600)),
    "gap": Example(
        "A gap keeps its energy at the later reading",
        _counting([*range(0, 21, 3), *range(42, 60, 3)], 500, 600),
    ),
    "dip": Example(
        "A dip adds nothing; the return adds the difference across it",
        _counting(_HOUR, 500, 600, dict.fromkeys(range(21, 39, 3), 0.0)),
    ),
    "restart": Example(
        "A restart begins near zero and adds its own value",
        [*_counting(range(0, 30, 3), 500, 600), *_counting(range(30, 60, 3), -280, 600)],
    ),
    "overflow": Example(
        "An overflow adds the rest up to the largest number",
        [*_counting(range(0, 30, 3), 65_236, 600), *_counting(range(30, 60, 3), 65_236 - 65_536, 600)],
    ),
    "spike": Example(
        "A spike (here of the firmware's) adds nothing",
        _counting(_HOUR, 500, 600, {30: 1_400.0, 33: 1_400.0}),
    ),
    "jump": Example(
        "A level that nothing leads to (another plug) adds nothing",
        [*_counting(range(0, 30, 3), 500, 60), *_counting(range(30, 60, 3), 1_700, 60)],
    ),
    "set_back": Example(
        "A level set back, not to zero, adds nothing",
        [*_counting(range(0, 30, 3), 500, 60), *_counting(range(30, 60, 3), 440, 60)],
    ),
    "large_step": Example(
        "A large step counts if the plug's own power explains it",
        [*_counting(range(0, 15, 3), 500, 1_900), (45, 1_900.0, 4.0), (48, 1_900.2, 4.0), (51, 1_900.4, 4.0)],
    ),
}


def picture(example: Example) -> str:
    """Draw the readings of a counter as SVG, each with what it adds; returns the SVG's text."""
    minutes, counters, powers = zip(*example.readings, strict=True)
    steps = [Step(0.0, 0), *Series(minutes, counters, powers, BOUND_W, SETTLES).steps()]
    low, high = min(counters), max(counters)
    wide, tall = WIDTH - LEFT - 16, HEIGHT - TOP - BOTTOM

    def place(minute: float, counter: float) -> tuple[float, float]:
        along = (minute - minutes[0]) / (minutes[-1] - minutes[0])
        up = (counter - low) / (high - low)
        return round(LEFT + wide * along, 1), round(TOP + tall * (1 - up), 1)

    total = sum(step.energy_wh for step in steps)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="11">',
        f"<title>{html_text(example.title)}: together {total:,.1f} Wh</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="8" y="18" font-size="13">{html_text(example.title)}</text>',
        f'<text x="{WIDTH - 12}" y="{HEIGHT - 8}" text-anchor="end">'
        f"minutes · together {total:,.1f} Wh</text>",
        *(
            f'<text x="{LEFT - 6}" y="{place(0, counter)[1] + 4}" text-anchor="end">{counter:,.0f} Wh</text>'
            for counter in (low, high)
        ),
    ]
    # What is added goes from the reading that it is counted from; what is not believed stands alone.
    for number, step in enumerate(steps):
        x, y = place(minutes[number], counters[number])
        adds = step.energy_wh > 0
        if adds and step.note not in ("restart", "overflow"):
            from_x, from_y = place(minutes[step.since], counters[step.since])
            parts.append(f'<path d="M{from_x} {from_y}L{x} {y}" stroke="#1f6feb" stroke-width="1.5"/>')
        colour = "#d1552c" if step.note and not adds else "#1f6feb"
        parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
        told = step.note if number == 0 or step.note != steps[number - 1].note else None
        if told:
            anchor = "end" if x > WIDTH / 2 else "start"
            above = -8 if y > TOP + 16 else 16
            amount = f" +{step.energy_wh:,.1f}" if adds else ""
            parts.append(
                f'<text x="{x}" y="{y + above}" text-anchor="{anchor}" fill="{colour}">{told}{amount}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def file_of(kind: str) -> Path:
    """Return the file that holds the picture of a kind."""
    return IMAGES / f"counter-{kind.replace('_', '-')}.svg"


if __name__ == "__main__":
    for kind, example in EXAMPLES.items():
        file_of(kind).write_text(picture(example), encoding="utf-8")
